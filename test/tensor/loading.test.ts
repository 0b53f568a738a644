// Loading the engine, in a process of its own: what is tested is that nothing happens before the first use.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const door = new URL('../../src/tensor/index.ts', import.meta.url).href
const folder = mkdtempSync(join(tmpdir(), 'larmor-engine-'))

function inProcess(lines: string, engine?: unknown): string {
  const file = join(folder, 'engine.json')
  if (engine !== undefined) writeFileSync(file, JSON.stringify(engine))
  const env = { ...process.env, LARMOR_ENGINE: engine === undefined ? join(folder, 'none.json') : file }
  const program = `import * as t from ${JSON.stringify(door)}; ${lines}`
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', program], { env, encoding: 'utf8' })
  return done.stdout + done.stderr
}

const tryOne = 'try { t.ones([1]); console.log("made") } catch (e) { console.log(JSON.stringify(e.fault)) }'

test('importing this room loads nothing: it works where no engine is', () => {
  expect(inProcess('const relu = t.operator("relu"); console.log(typeof relu, typeof t.aten.add)')).toBe(
    'function function\n',
  )
})

test('where the set-up has not run, the first tensor is refused with the command that helps', () => {
  expect(JSON.parse(inProcess(tryOne))).toMatchObject({ kind: 'machine.noAddon', fix: 'npm run setup' })
})

test('where there is no libtorch, the error says what the set-up found and how to get one', () => {
  const missing = { message: 'python3 has no torch', fix: 'apt-get install libtorch-dev' }
  const engine = { schema: 'larmor/engine@1', addon: null, libtorch: null, missing }
  expect(JSON.parse(inProcess(tryOne, engine))).toMatchObject({
    kind: 'machine.noLibtorch',
    found: 'python3 has no torch',
    fix: 'apt-get install libtorch-dev',
  })
})

test('an addon that is gone is refused with the command that builds it again', () => {
  const engine = { schema: 'larmor/engine@1', addon: '/no/such/addon.node', libtorch: null, missing: null }
  expect(JSON.parse(inProcess(tryOne, engine))).toMatchObject({
    kind: 'machine.noAddon',
    where: '/no/such/addon.node',
    fix: 'npm run setup -- --fresh',
  })
})
