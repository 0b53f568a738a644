// The set-up run as a user runs it, in a copy of the checkout, with a PATH on which only what the test puts there is.
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const project = fileURLToPath(new URL('../..', import.meta.url))

type Machine = { folder: string; environment: Record<string, string> }

/** A checkout with its packages, and a machine that has nothing but Node. */
function bareMachine(wish: string): Machine {
  const folder = mkdtempSync(join(tmpdir(), 'larmor-setup-'))
  for (const part of ['scripts', 'native', 'package.json', 'package-lock.json'])
    cpSync(join(project, part), join(folder, part), { recursive: true })
  symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'))
  mkdirSync(join(folder, 'bin'))
  const environment = { PATH: join(folder, 'bin'), HOME: folder, LARMOR_LIBTORCH: wish }
  return { folder, environment }
}

function setUp({ folder, environment }: Machine, more: readonly string[] = []): { code: number | null; text: string } {
  const done = spawnSync(process.execPath, [join(folder, 'scripts/setup.mjs'), ...more], {
    cwd: folder,
    env: environment,
    encoding: 'utf8',
  })
  expect(done.stdout).toBe('')
  return { code: done.status, text: done.stderr }
}

type Engine = {
  addon: string | null
  libtorch: { version: string; folder: string } | null
  missing: { fix: string } | null
}

function engineOf({ folder }: Machine): Engine {
  return JSON.parse(readFileSync(join(folder, '.cache/engine.json'), 'utf8')) as Engine
}

test('in this checkout, where everything is there already, it ends within two seconds', () => {
  const started = performance.now()
  const done = spawnSync(process.execPath, ['scripts/setup.mjs'], { cwd: project, encoding: 'utf8' })
  expect(done.status).toBe(0)
  expect(performance.now() - started).toBeLessThan(2000)
})

test('without libtorch and compiler it succeeds, and says what works, what does not and what to type', () => {
  const machine = bareMachine('')
  const { code, text } = setUp(machine)
  expect(code).toBe(0)
  expect(text).toMatch(/without libtorch: synthesize, evaluate, .* work; training, registration and export do not/)
  expect(text).toMatch(
    /to get it: (sudo )?apt-get install --no-install-recommends -y g\+\+ libtorch-dev libopenblas0-openmp/,
  )
  expect(engineOf(machine)).toMatchObject({ schema: 'larmor/engine@1', addon: null, libtorch: null })
})

test('where a libtorch was asked for, a missing compiler stops it with the command that gets one', () => {
  const { code, text } = setUp(bareMachine('debian'))
  expect(code).toBe(4)
  expect(text).toMatch(/^ {2}do {8}(sudo )?apt-get install --no-install-recommends -y g\+\+$/m)
})

test('a libtorch that was asked for and is not there stops it, in five fields and with exit code 4', () => {
  const machine = bareMachine('/no/such/folder')
  writeFileSync(join(machine.folder, 'bin/g++'), '#!/bin/sh\necho a compiler\n', { mode: 0o755 })
  const { code, text } = setUp(machine)
  expect(code).toBe(4)
  expect(text).toMatch(/^ {2}where {5}LARMOR_LIBTORCH=\/no\/such\/folder$/m)
  expect(text).toMatch(/^ {2}found .*no include\/ATen\/core\/dispatch\/Dispatcher\.h in \/no\/such\/folder$/m)
  expect(text).toMatch(/^ {2}do .*unset LARMOR_LIBTORCH/m)
})

test('packages that do not fit the lock file are installed; where npm is missing, that is said', () => {
  const machine = bareMachine('none')
  const lock = join(machine.folder, 'package-lock.json')
  writeFileSync(lock, readFileSync(lock, 'utf8').replace('"node_modules/zod": {\n      "version": "', '$&9'))
  const { code, text } = setUp(machine)
  expect(code).toBe(4)
  expect(text).toMatch(/^ {2}where {5}npm ci$/m)
  expect(text).toMatch(/^ {2}do .*npm run setup$/m)
})

test('the slow reference BLAS is told from OpenBLAS by where libblas.so.3 leads', () => {
  const blasAt = (target: string): string => {
    const folder = mkdtempSync(join(tmpdir(), 'larmor-blas-'))
    mkdirSync(join(folder, target))
    writeFileSync(join(folder, target, 'libblas.so.3'), '')
    symlinkSync(join(folder, target, 'libblas.so.3'), join(folder, 'libblas.so.3'))
    const program = `import { blasOf } from ${JSON.stringify(join(project, 'scripts/setup/debian.mjs'))}; console.log(blasOf(${JSON.stringify(folder)}))`
    return spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).stdout.trim()
  }
  expect(blasAt('blas')).toBe('reference')
  expect(blasAt('openblas-openmp')).toBe('openblas')
})

test('a damaged engine.json is made again', () => {
  const machine = bareMachine('none')
  mkdirSync(join(machine.folder, '.cache'))
  writeFileSync(join(machine.folder, '.cache/engine.json'), '{"sche')
  expect(setUp(machine).code).toBe(0)
  expect(engineOf(machine).addon).toBeNull()
})

test('the lock of a set-up that was killed is taken over', () => {
  const machine = bareMachine('none')
  const killed = spawnSync(process.execPath, ['-e', '']).pid
  mkdirSync(join(machine.folder, '.cache/setup.lock'), { recursive: true })
  writeFileSync(join(machine.folder, '.cache/setup.lock/pid'), String(killed))
  expect(setUp(machine).code).toBe(0)
  expect(existsSync(join(machine.folder, '.cache/setup.lock'))).toBe(false)
})

test('the lock of one that is at work is waited for', async () => {
  const machine = bareMachine('none')
  const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1500)'])
  mkdirSync(join(machine.folder, '.cache/setup.lock'), { recursive: true })
  writeFileSync(join(machine.folder, '.cache/setup.lock/pid'), String(other.pid))
  const started = performance.now()
  const waiting = spawn(process.execPath, [join(machine.folder, 'scripts/setup.mjs')], { env: machine.environment })
  const code = await new Promise((resolve) => waiting.on('exit', resolve))
  expect(code).toBe(0)
  expect(performance.now() - started).toBeGreaterThan(1200)
})

const here = JSON.parse(readFileSync(join(project, '.cache/engine.json'), 'utf8')) as Engine
const wheelLike = here.libtorch !== null && existsSync(join(here.libtorch.folder, 'include'))
const compiler = ['/usr/bin/g++', '/usr/bin/c++'].find((path) => existsSync(path))
const tools = ['/usr/bin/as', '/usr/bin/ld'].filter((path) => existsSync(path))

test.skipIf(!wheelLike || compiler === undefined)(
  'the folder that LARMOR_LIBTORCH names is built against, once (skipped without such a folder or a compiler)',
  () => {
    const machine = bareMachine(here.libtorch!.folder)
    for (const tool of [compiler!, ...tools]) symlinkSync(tool, join(machine.folder, 'bin', tool.split('/').at(-1)!))
    expect(setUp(machine)).toMatchObject({ code: 0, text: expect.stringMatching(/building the addon/) })
    const first = engineOf(machine)
    expect(first.libtorch!.version).toBe(here.libtorch!.version)
    expect(first.addon).toMatch(/\.cache\/larmor\/addon\/larmor-.*\.node$/)
    // Again: nothing is built. A changed source: built anew, and where that fails the compiler's words are shown.
    expect(setUp(machine).text).not.toMatch(/building/)
    const source = join(machine.folder, 'native/addon.cc')
    writeFileSync(source, `#include "not-there.h"\n${readFileSync(source, 'utf8')}`)
    const again = setUp(machine)
    expect(again.code).toBe(4)
    expect(again.text).toMatch(/found .*the compiler says: .*not-there\.h/)
  },
  120_000,
)
