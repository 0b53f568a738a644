/**
 * Folders of runs: each is named by its time, holds from the start what it is a run of, and at the end its record. One that
 * was interrupted is gone on with by the next run of the same model, cohort, seed and program.
 */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { exists, readJson, writeJson } from '../files.ts'

const Begun = z.strictObject({
  schema: z.literal('larmor/commission-begun@1'),
  larmor: z.string(),
  modelSha256: z.string(),
  cohortSha256: z.string(),
  seed: z.int(),
})
export type Begun = Omit<z.infer<typeof Begun>, 'schema'>

const BEGUN = 'begun.json'
export const RECORD = 'commission.json'

/**
 * The folder of this run in `outputDir`: the last one there, where it has no record yet and is a run of the same; else a new
 * one. An older one is left alone: the record that came after it may be of another state of the machine.
 * @throws json.refused  a begun.json there that cannot be read
 */
export async function runFolder(
  outputDir: string,
  now: Begun,
  createdAt: Date,
): Promise<{ name: string; on: boolean }> {
  const names = await readdir(outputDir).catch(() => [])
  const last = names
    .filter((name) => /^\d{8}T\d{9}Z$/.test(name))
    .toSorted()
    .at(-1)
  if (last !== undefined && (await isUnfinished(join(outputDir, last), now))) return { name: last, on: true }
  const name = createdAt.toISOString().replaceAll(/[-:.]/g, '')
  await mkdir(join(outputDir, name), { recursive: true })
  await writeJson(join(outputDir, name, BEGUN), { schema: 'larmor/commission-begun@1', ...now })
  return { name, on: false }
}

async function isUnfinished(folder: string, now: Begun): Promise<boolean> {
  if (!(await exists(join(folder, BEGUN))) || (await exists(join(folder, RECORD)))) return false
  const { larmor, modelSha256, cohortSha256, seed } = await readJson(join(folder, BEGUN), Begun)
  return (
    larmor === now.larmor && modelSha256 === now.modelSha256 && cohortSha256 === now.cohortSha256 && seed === now.seed
  )
}
