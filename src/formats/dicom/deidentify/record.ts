/**
 * What a de-identification writes besides its objects: deidentification.json in the output, which names nobody, and the
 * mapping beside the key, which names everybody and is readable by its owner alone.
 *
 * Until the output is complete, `.unfinished.json` in it says with which key and options it was begun.
 */
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { LarmorError } from '../../../errors.ts'
import { asDiskFault, exists, readJson, version, writeJson } from '../../../files.ts'
import type { CleanOptions } from './clean.ts'
import { PROFILE_EDITION } from './profile-table.ts'
import { keyMark } from './secret.ts'
import type { Secret } from './secret.ts'

const Beginning = z.strictObject({
  schema: z.literal('larmor/deidentification@1'),
  profile: z.string(),
  cleanDescriptors: z.boolean(),
  retainIntervals: z.boolean(),
  key: z.string(),
  larmor: z.string(),
})
type Beginning = z.infer<typeof Beginning>
const Record = Beginning.extend({
  objects: z.record(z.string(), z.number()),
  patients: z.number(),
  series: z.number(),
  refused: z.record(z.string(), z.number()),
})
type Record = z.infer<typeof Record>
const Mapping = z.strictObject({
  schema: z.literal('larmor/deidentification-mapping@1'),
  patients: z.record(
    z.string(),
    z.strictObject({ patientId: z.string(), patientName: z.string(), shiftDays: z.number() }),
  ),
  uids: z.record(z.string(), z.string()),
})
export type Mapping = z.infer<typeof Mapping>

export function beginningOf(secret: Secret, { cleanDescriptors, retainIntervals }: CleanOptions): Beginning {
  return {
    schema: 'larmor/deidentification@1',
    profile: `DICOM PS3.15 ${PROFILE_EDITION}, Basic Application Level Confidentiality Profile`,
    cleanDescriptors,
    retainIntervals,
    key: keyMark(secret),
    larmor: version(),
  }
}

/** An output that holds anything must have been made, or begun, by the same version with the same key and options. */
export async function begin(output: string, beginning: Beginning): Promise<void> {
  const inside = await readdir(output).catch(() => [])
  const unfinished = join(output, '.unfinished.json')
  const finished = join(output, 'deidentification.json')
  if (inside.length > 0) {
    const before = (await exists(unfinished))
      ? await readJson(unfinished, Beginning)
      : (await exists(finished))
        ? Beginning.parse(pickBeginning(await readJson(finished, Record)))
        : undefined
    if (!isDeepStrictEqual(before, beginning)) throw otherOutput(output, before === undefined)
  }
  await mkdir(output, { recursive: true }).catch((error: unknown) => {
    throw asDiskFault(error, output)
  })
  await writeJson(unfinished, beginning)
  await rm(finished, { force: true })
}

function pickBeginning({ schema, profile, cleanDescriptors, retainIntervals, key, larmor }: Record) {
  return { schema, profile, cleanDescriptors, retainIntervals, key, larmor }
}

export function mappingFile(keyFile: string): string {
  return `${keyFile}.mapping.json`
}

export async function openMapping(keyFile: string): Promise<Mapping> {
  const path = mappingFile(keyFile)
  if (await exists(path)) return readJson(path, Mapping)
  return { schema: 'larmor/deidentification-mapping@1', patients: {}, uids: {} }
}

/** As writeJson, readable by its owner alone from its first byte on. */
export async function writePrivateJson(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.tmp-${process.pid}`
  try {
    const file = await open(temporary, 'w', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(value, null, 2)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}) // the first error is the one to tell
    throw asDiskFault(error, path)
  }
}

function otherOutput(output: string, unknown: boolean): LarmorError {
  return new LarmorError({
    kind: 'usage.outputExists',
    message: 'The output folder is in use.',
    where: output,
    found: unknown ? 'files of another origin' : 'copies made with another key, other options or another version',
    expected: 'a folder that is empty or not there, or one that this command has begun',
    fix: 'Choose another output folder, or remove this one.',
  })
}

/** The last thing written: with it the output is complete. */
export async function finish(
  output: string,
  beginning: Beginning,
  counts: Omit<Record, keyof Beginning>,
): Promise<void> {
  await writeJson(join(output, 'deidentification.json'), Record.parse({ ...beginning, ...counts }))
}

export async function removeBeginning(output: string): Promise<void> {
  await rm(join(output, '.unfinished.json'), { force: true })
}
