/** Two commands at once on one folder, and a disk that fills up: the store is whole, or says that it is not. */
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'vitest'
import { buildStore, openStore } from '../../src/dataset/index.ts'
import { LarmorError } from '../../src/errors.ts'
import { makePlan, planSha256 } from '../../src/plan/index.ts'
import { silent } from '../../src/progress.ts'
import { roomyMemory, temporaryFolder, writeSmallCohort } from '../plan/small-cohort.ts'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** The command in a process of its own; its exit code. */
function planned(cohort: string, output: string, ...more: string[]): Promise<number> {
  const args = [main, 'plan', cohort, '--output', output, '--test', '0', '--slice-size', '64', ...more]
  return new Promise((resolve) =>
    execFile(process.execPath, args, (error) => resolve(error === null ? 0 : Number(error.code))),
  )
}

test('two commands with one plan make one store together', { timeout: 60_000 }, async () => {
  await using folder = await temporaryFolder()
  const [cohort, output] = [join(folder.dir, 'cohort'), join(folder.dir, 'store')]
  await writeSmallCohort(cohort, [{}, {}, {}])
  assert.deepEqual(await Promise.all([planned(cohort, output), planned(cohort, output)]), [0, 0])
  const store = await openStore(output)
  assert.equal(store.manifest.patients.length, 3)
  store.close()
  const left = (await readdir(output, { recursive: true })).filter((name) => /tmp|lock/.test(name))
  assert.deepEqual(left, [])
})

test('of two different plans for one folder one wins, and the other is refused', { timeout: 60_000 }, async () => {
  await using folder = await temporaryFolder()
  const [cohort, output] = [join(folder.dir, 'cohort'), join(folder.dir, 'store')]
  await writeSmallCohort(cohort, [{}, {}, {}])
  const [plan, narrow] = await Promise.all(
    [1, 0].map((neighbours) =>
      makePlan(cohort, { seed: 1, report: silent, sliceSize: 64, test: 0, memory: roomyMemory, neighbours }),
    ),
  )
  for (let n = 0; n < 5; n++) {
    const dir = join(output, String(n))
    const results = await Promise.allSettled(
      [plan!, narrow!].map((each) => buildStore(cohort, each, dir, { report: silent })),
    )
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
    assert.equal(refused.length, 1)
    assert.ok(refused[0] instanceof LarmorError && refused[0].fault.kind === 'usage.outputExists')
    const store = await openStore(dir)
    assert.equal(planSha256(store.plan), planSha256(results[0]!.status === 'fulfilled' ? plan! : narrow!))
    store.close()
  }
})

const disk = await smallDisk()

test.skipIf(disk === undefined)(
  'a full disk is told, and with room the same command goes on (needs mount)',
  async () => {
    await using folder = await temporaryFolder()
    try {
      await writeSmallCohort(folder.dir, [{}, {}, {}])
      const plan = await makePlan(folder.dir, { seed: 1, report: silent, sliceSize: 64, test: 0, memory: roomyMemory })
      const store = join(disk!, 'store')
      await assert.rejects(
        buildStore(folder.dir, plan, store, { report: silent }),
        (error) => error instanceof LarmorError && error.fault.kind === 'machine.diskFull',
      )
      await assert.rejects(openStore(store), (e) => e instanceof LarmorError && e.fault.kind === 'store.damaged')
      const kept = (await readdir(join(store, 'patients'))).filter((name) => name.endsWith('.safetensors'))
      assert.ok(kept.length >= 1 && kept.length < 3, `${kept.length} patients fit`)
      execFileSync('mount', ['-o', 'remount,size=8m', disk!])
      await buildStore(folder.dir, plan, store, { report: silent })
      ;(await openStore(store)).close()
    } finally {
      execFileSync('umount', [disk!])
      await rm(disk!, { recursive: true })
    }
  },
)

/** Room for the plan and one patient of 64 × 64 × 8 (about 200 KB); undefined where this user may not mount one. */
async function smallDisk(): Promise<string | undefined> {
  const dir = await mkdtemp(join(tmpdir(), 'larmor-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=360k', 'tmpfs', dir], { stdio: 'ignore' })
    return dir
  } catch {
    await rm(dir, { recursive: true })
    return undefined
  }
}
