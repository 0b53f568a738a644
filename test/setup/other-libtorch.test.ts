// The engine's tests against the other of the two libtorch that it must work with, where this machine has both:
// the wheel's 2.13 and Debian's 1.13. The set-up runs in a copy of the checkout, so that ours keeps its engine.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, symlinkSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const project = fileURLToPath(new URL('../..', import.meta.url))
const engine = JSON.parse(readFileSync(join(project, '.cache/engine.json'), 'utf8')) as {
  libtorch: { origin: string } | null
}

/** What LARMOR_LIBTORCH must be for the other one; undefined where it is not here already. */
function otherWish(): string | undefined {
  if (engine.libtorch === null) return undefined
  if (engine.libtorch.origin !== 'libtorch-dev')
    return existsSync('/usr/include/ATen/core/dispatch/Dispatcher.h') ? 'debian' : undefined
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const wheel = join(cache, 'larmor', 'libtorch-2.13.0+cpu')
  return existsSync(wheel) ? wheel : undefined
}

const wish = otherWish()

test.skipIf(wish === undefined)(
  'the tests of the engine pass with the other libtorch too (skipped where this machine has only one)',
  () => {
    const copy = mkdtempSync(join(tmpdir(), 'larmor-other-'))
    for (const part of ['scripts', 'native', 'package.json', 'package-lock.json'])
      cpSync(join(project, part), join(copy, part), { recursive: true })
    symlinkSync(join(project, 'node_modules'), join(copy, 'node_modules'))
    const environment = { ...process.env, LARMOR_LIBTORCH: wish }
    const setUp = spawnSync(process.execPath, ['scripts/setup.mjs'], { cwd: copy, env: environment, encoding: 'utf8' })
    expect(setUp.status, setUp.stderr).toBe(0)

    const vitest = join(project, 'node_modules/vitest/vitest.mjs')
    const env = { ...process.env, LARMOR_ENGINE: join(copy, '.cache/engine.json') }
    const run = spawnSync(process.execPath, [vitest, 'run', 'test/tensor'], { cwd: project, env, encoding: 'utf8' })
    expect(run.status, run.stdout + run.stderr).toBe(0)
    expect(run.stdout).toMatch(/\d+ passed/)
  },
  240_000,
)
