/**
 * What `npm test` runs after the set-up: types, lint, format, then every test with coverage.
 * `node scripts/test.ts slow` runs the slow tests alone: whole chains on real data.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const slow = process.argv[2] === 'slow'
const results = 'coverage/results.json'

function run(command: string, args: readonly string[], env: Record<string, string> = {}): void {
  const { status } = spawnSync(`node_modules/.bin/${command}`, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${root}node_modules/.bin:${process.env['PATH']}`, ...env },
  })
  if (status === 0) return
  countTests()
  process.exit(status ?? 1)
}

/** One plain line at the end, for whoever reads the log of a machine. */
function countTests(): void {
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(root + results, 'utf8')) as {
      numPassedTests: number
      numFailedTests: number
      numPendingTests: number
    }
    console.log(`${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`)
  } catch {
    console.log('no test was run')
  }
}

mkdirSync(`${root}coverage`, { recursive: true })
if (!slow) {
  run('tsc', [])
  run('oxlint', ['--type-aware', '--deny-warnings'])
  run('oxfmt', ['--check'])
}
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${results}`]
if (slow) run('vitest', ['run', ...reporters], { LARMOR_TEST: 'slow' })
else run('vitest', ['run', '--coverage', ...reporters])
countTests()
