/**
 * A hospital export in, a folder of de-identified DICOM out: `<output>/<patient>/<series>/<object>.dcm`, all names new.
 *
 * An object is written whole or not at all. The folder is complete when its deidentification.json is there; until then
 * `.unfinished.json` says with which key and options it was begun, and the same command goes on where it stopped.
 */
import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { LarmorError, throwIfAborted } from '../../../errors.ts'
import type { Fault } from '../../../errors.ts'
import { writeChunksAtomic } from '../../../files.ts'
import type { Report } from '../../../progress.ts'
import { dicomFault } from '../fault.ts'
import { hasPreamble } from '../parse.ts'
import { filesIn } from '../series.ts'
import type { CleanOptions } from './clean.ts'
import { deidentifyObject } from './object.ts'
import type { CleanedObject } from './object.ts'
import { begin, beginningOf, finish, mappingFile, openMapping, removeBeginning, writePrivateJson } from './record.ts'
import type { Mapping } from './record.ts'
import { openSecret } from './secret.ts'
import type { Secret } from './secret.ts'

export type DeidentifyOptions = CleanOptions & { keyFile: string; report: Report; signal?: AbortSignal }
export type Deidentified = {
  /** How many objects are in the output, by kind (CT, MR, RTSTRUCT …); those of an earlier run count. */
  objects: Record<string, number>
  patients: number
  series: number
  /** Were there already, from an earlier run with this key and these options. */
  known: number
  /** Files that are no DICOM, and directories of media. */
  passedOver: Record<string, number>
  refused: Fault[]
  /** Where the originals of the new UIDs and patients are listed; it identifies, and stays with the key. */
  mapping: string
}

/** Compressed enhanced objects of 600 slices of 512² are a fifth of this; a file is read as a whole. */
const MAX_FILE_BYTES = 2 ** 30

/**
 * De-identifies every object in the sources that is of a kind it knows; refuses the others one by one.
 * @throws usage.outputExists  the output holds something else, or was begun with another key or other options
 * @throws usage.wrong         the key would lie below the output
 * @throws input.notFound, input.empty, json.refused (the key), interrupted, machine.diskFull, machine.noPermission
 */
export async function deidentifySources(
  sources: readonly string[],
  output: string,
  options: DeidentifyOptions,
): Promise<Deidentified> {
  const { keyFile, report, signal } = options
  refuseKeyInside(keyFile, output)
  const paths = await filesIn(sources)
  if (paths.length === 0) throw nothingThere(sources)
  const secret = await openSecret(keyFile)
  const beginning = beginningOf(secret, options)
  await begin(output, beginning)
  const tally = newTally()
  try {
    for (const [n, path] of paths.entries()) {
      throwIfAborted(signal, `De-identifying into ${output}`)
      await takeIn(path, output, secret, options, tally)
      report({ at: 'progress', task: 'De-identifying', done: n + 1, of: paths.length, unit: 'files' })
    }
  } finally {
    // Read again: another run with the same key may have added to it meanwhile.
    const { schema, patients, uids } = await openMapping(keyFile)
    const all = {
      schema,
      patients: { ...patients, ...tally.mapping.patients },
      uids: { ...uids, ...tally.mapping.uids },
    }
    await writePrivateJson(mappingFile(keyFile), all)
  }
  const { objects, refused } = tally
  const counts = { objects, patients: tally.patients.size, series: tally.series.size }
  if (tally.targets.size > 0) {
    const refusals = countsOf(refused.map(({ kind }) => kind))
    await finish(output, beginning, { ...counts, refused: refusals })
  }
  await removeBeginning(output)
  return { ...counts, known: tally.known, passedOver: tally.passedOver, refused, mapping: mappingFile(keyFile) }
}

type Tally = ReturnType<typeof newTally>
function newTally() {
  return {
    objects: {} as Record<string, number>,
    patients: new Set<string>(),
    series: new Set<string>(),
    targets: new Set<string>(),
    known: 0,
    passedOver: {} as Record<string, number>,
    refused: [] as Fault[],
    mapping: { patients: {}, uids: {} } as Pick<Mapping, 'patients' | 'uids'>,
  }
}

/** The one loop's catch: an object that is refused does not stop the others. */
async function takeIn(
  path: string,
  output: string,
  secret: Secret,
  options: CleanOptions & { report: Report },
  tally: Tally,
) {
  try {
    const bytes = await readWhole(path)
    const other = otherThanObject(path, bytes)
    if (other !== undefined) {
      count(tally.passedOver, other)
      return
    }
    const made = deidentifyObject(bytes, secret, options, path)
    const target = join(output, made.pseudonym.id, made.seriesUid, `${made.sopInstanceUid}.dcm`)
    const there = await readFile(target).catch(() => undefined)
    if (there && !there.equals(Buffer.concat(made.chunks))) throw twoUnderOneUid(path)
    if (tally.targets.has(target)) {
      count(tally.passedOver, 'second copies')
      return
    }
    tally.targets.add(target)
    if (there) tally.known++
    else await writeChunksAtomic(target, made.chunks)
    note(made, tally)
  } catch (error) {
    if (!(error instanceof LarmorError) || !error.fault.kind.startsWith('input.')) throw error
    tally.refused.push(error.fault)
    options.report({ at: 'case.refused', caseId: basename(dirname(path)), fault: error.fault })
  }
}

function note({ kind, seriesUid, pseudonym, original }: CleanedObject, tally: Tally): void {
  const { id, shiftDays } = pseudonym
  count(tally.objects, kind)
  tally.patients.add(id)
  tally.series.add(seriesUid)
  tally.mapping.patients[id] = { patientId: original.patientId, patientName: original.patientName, shiftDays }
  for (const [old, made] of original.uids) tally.mapping.uids[made] = old
}

function count(counts: Record<string, number>, what: string): void {
  counts[what] = (counts[what] ?? 0) + 1
}

function twoUnderOneUid(path: string): LarmorError {
  const message = 'Two different objects have the same SOP instance UID.'
  return dicomFault('input.corrupt', message, path, 'a second one', 'one object a UID', {
    fix: 'Keep one of the two (the archive that exported them should say which).',
  })
}

async function readWhole(path: string): Promise<Uint8Array> {
  const { size } = await stat(path)
  if (size > MAX_FILE_BYTES)
    throw dicomFault('input.unsupported', 'The file is too large.', path, `${size} bytes`, `${MAX_FILE_BYTES} at most`)
  return readFile(path)
}

/** A directory of media names patients and paths, and is of no use to the copies: whoever needs one makes it anew. */
function otherThanObject(path: string, bytes: Uint8Array): string | undefined {
  if (basename(path).toUpperCase().startsWith('DICOMDIR')) return 'DICOMDIR'
  const claims = /\.(dcm|dicom|ima)$/i.test(path)
  return hasPreamble(bytes) || claims ? undefined : 'not DICOM'
}

export function countsOf(words: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(words, (word) => word)].map(([word, all]) => [word, all.length]))
}

/** @throws usage.wrong  who gets the output would get the key with it */
export function refuseKeyInside(keyFile: string, output: string): void {
  const below = relative(resolve(output), resolve(keyFile))
  if (below.startsWith('..') || resolve(below) === below) return
  throw new LarmorError({
    kind: 'usage.wrong',
    message: 'The key must not lie in the output.',
    where: keyFile,
    found: `a path below ${output}`,
    expected: 'a place that is not shared',
    fix: 'Give --key a path outside the output folder.',
  })
}

function nothingThere(sources: readonly string[]): LarmorError {
  return dicomFault(
    'input.empty',
    'There is nothing to de-identify.',
    sources.join(', '),
    'no files',
    'DICOM objects',
    {
      fix: 'Check the path.',
    },
  )
}
