/**
 * Folders of runs: each is named by its time, holds from the start what it is a run of, and at the end its record. One that
 * was interrupted is gone on with by the next run of the same model, cohort, seed and program.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { exists, readJson, writeJson } from '../files.ts'
import { tryLock, type Lock } from '../lock.ts'

const Begun = z.strictObject({
  schema: z.literal('larmor/commission-begun@1'),
  larmor: z.string(),
  modelSha256: z.string(),
  cohortSha256: z.string(),
  seed: z.int(),
})
export type Begun = Omit<z.infer<typeof Begun>, 'schema'>

const BEGUN = 'begun.json'
const LOCK = 'run.lock'
export const RECORD = 'commission.json'

export type RunFolder = {
  name: string
  /** An interrupted run is gone on with. */
  on: boolean
  /** While it is held, no other process goes on with this folder. */
  lock: Lock
}

/**
 * The folder of this run in `outputDir`: the last one there, where it has no record yet, is a run of the same and nobody is at
 * work in it; else a new one. An older one is left alone: the record that came after it may be of another state of the machine.
 * @throws json.refused  a begun.json there that cannot be read
 * @throws machine.diskFull, machine.noPermission, usage.outputExists (a file where a folder should be)
 */
export async function runFolder(outputDir: string, now: Begun, createdAt: Date): Promise<RunFolder> {
  const names = await readdir(outputDir).catch(() => [])
  const last = names
    .filter((name) => /^\d{8}T\d{9}Z$/.test(name))
    .toSorted()
    .at(-1)
  if (last !== undefined && (await isUnfinished(join(outputDir, last), now))) {
    const lock = await tryLock(join(outputDir, last, LOCK))
    if ('release' in lock) return { name: last, on: true, lock }
  }
  const name = createdAt.toISOString().replaceAll(/[-:.]/g, '')
  await writeJson(join(outputDir, name, BEGUN), { schema: 'larmor/commission-begun@1', ...now })
  const lock = await tryLock(join(outputDir, name, LOCK))
  // Another process began in the same millisecond.
  if (!('release' in lock)) return runFolder(outputDir, now, new Date(createdAt.getTime() + 1))
  return { name, on: false, lock }
}

async function isUnfinished(folder: string, now: Begun): Promise<boolean> {
  if (!(await exists(join(folder, BEGUN))) || (await exists(join(folder, RECORD)))) return false
  const { larmor, modelSha256, cohortSha256, seed } = await readJson(join(folder, BEGUN), Begun)
  return (
    larmor === now.larmor && modelSha256 === now.modelSha256 && cohortSha256 === now.cohortSha256 && seed === now.seed
  )
}
