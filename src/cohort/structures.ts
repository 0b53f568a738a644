/**
 * Structures of a patient: uint8 on the CT's grid, one file each, from label images and from RT structure sets.
 *
 * A region drawn on the CT is filled slice by slice; one drawn on another image of the same frame of reference (or on
 * a CT that was resampled since) on its own planes, then taken to the CT. A structure that cannot be used is named
 * with the reason; images and the other structures do not depend on it.
 */
import { basename, join } from 'node:path'
import { LarmorError, throwIfAborted } from '../errors.ts'
import type { Fault } from '../errors.ts'
import { sha256OfFile } from '../files.ts'
import { hasMask, rasterise, rasteriseOnto, readImage, writeNifti } from '../formats/index.ts'
import type { StructureSet } from '../formats/index.ts'
import type { Roi } from '../formats/index.ts'
import type { Grid, Mask } from '../volume/index.ts'
import type { PatientStructure } from './cohort.ts'
import { framesOfReference } from './drawn-on.ts'
import type { Pseudonyms } from './pseudonyms.ts'
import { fileNameOf, shownName } from './structure-names.ts'
import { asLabels } from './volumes.ts'

export type StructureSource =
  | { kind: 'file'; name: string; path: string; sha256: string }
  | { kind: 'rtstruct'; set: StructureSet }

/** The CT that everything is put on, as far as structures need to know it. */
export type CtForStructures = {
  grid: Grid
  frameOfReferenceUid: string | undefined
  isDrawnOn: (set: StructureSet) => boolean
  /** Its slices are no longer those of the scanner. */
  resampled: boolean
}
export type MadeStructure = Omit<PatientStructure, 'file'> & { stem: string }
export type MadeStructures = { made: MadeStructure[]; leftOut: string[]; refused: Fault[] }

type Options = {
  folder: string
  /** Names that the patient's structures have already: none is used twice. */
  taken: readonly PatientStructure[]
  /** What UIDs may stand as in the cohort. */
  pseudonyms: Pseudonyms
  deidentify: boolean
  dryRun: boolean
  signal: AbortSignal | undefined
}
type Run = Options & MadeStructures & { ct: CtForStructures }

/** @throws machine.diskFull, machine.noPermission, interrupted; what is wrong with a structure is in the result */
export async function writeStructures(
  sources: readonly StructureSource[],
  ct: CtForStructures,
  options: Options,
): Promise<MadeStructures> {
  const run: Run = { ...options, ct, made: [], leftOut: [], refused: [] }
  for (const source of sources) {
    if (source.kind === 'file') await fromFile(source, run)
    else await fromSet(source.set, run)
  }
  return { made: run.made, leftOut: run.leftOut, refused: run.refused }
}

async function fromFile({ name, path, sha256 }: Extract<StructureSource, { kind: 'file' }>, run: Run): Promise<void> {
  await orRefuse(run, async () => {
    const labels = asLabels((await readImage(path)).volume, run.ct.grid, path)
    if (!labels) run.leftOut.push(`${basename(path)}: neither CT nor MR by its name, and not labels from 0 to 255`)
    else await put(run, name, labels, { kind: 'file', sha256 })
  })
}

async function fromSet(set: StructureSet, run: Run): Promise<void> {
  const { ct } = run
  const drawnOnCt = ct.isDrawnOn(set)
  const frame = ct.frameOfReferenceUid
  if (!drawnOnCt && !(frame !== undefined && framesOfReference(set).flatMap(run.pseudonyms.forms).includes(frame))) {
    run.leftOut.push(`${set.path}: drawn on other images than the CT, in another frame of reference`)
    return
  }
  const onSlices = drawnOnCt && !ct.resampled
  for (const roi of set.rois) await orRefuse(run, () => oneRegion(roi, set, onSlices, run))
}

async function oneRegion(roi: Roi, set: StructureSet, onSlices: boolean, run: Run): Promise<void> {
  const { name } = roi
  if (!hasMask(roi)) {
    const why = roi.contours.length === 0 ? 'it has no contours' : 'points and lines only, no closed contour'
    run.leftOut.push(`structure "${name}": ${why}`)
    return
  }
  const { mask, notes } = (onSlices ? rasterise : rasteriseOnto)(roi, run.ct.grid, set.path)
  if (!onSlices) notes.push('drawn on other slices, taken to those of the CT')
  if (!mask.values.includes(1)) run.leftOut.push(`structure "${name}": it holds no voxel's centre of the CT`)
  else {
    const uid = run.deidentify ? run.pseudonyms.uid(set.sopInstanceUid) : set.sopInstanceUid
    await put(run, name, mask, { kind: 'rtstruct', sopInstanceUid: uid, roiNumber: roi.number, notes })
  }
}

async function put(run: Run, name: string, labels: Mask, source: PatientStructure['source']): Promise<void> {
  const { made, taken, folder, dryRun, deidentify } = run
  const names = [...taken, ...made].map((one) => one.name)
  const stems = [
    ...taken.map(({ file }) => file.replace(/^.*\/(structures\/[^/]+)\.nii\.gz$/, '$1')),
    ...made.map(({ stem }) => stem),
  ]
  const shown = unique(deidentify ? shownName(name) : name, names)
  const stem = unique(`structures/${fileNameOf(shown)}`, stems)
  const path = join(folder, `${stem}.nii.gz`)
  if (!dryRun) await writeNifti(path, labels)
  made.push({ name: shown, stem, sha256: dryRun ? '' : await sha256OfFile(path), source })
}

/** With _2, _3 … where it is there already; file systems may not tell capital letters from small ones. */
function unique(name: string, taken: readonly string[]): string {
  const lower = new Set(taken.map((one) => one.toLowerCase()))
  let [free, n] = [name, 1]
  while (lower.has(free.toLowerCase())) free = `${name}_${++n}`
  return free
}

async function orRefuse(run: Run, work: () => Promise<void>): Promise<void> {
  throwIfAborted(run.signal, 'Importing structures')
  try {
    await work()
  } catch (error) {
    if (!isRefusal(error)) throw error
    run.refused.push(error.fault)
  }
}

/** Something about this input, as opposed to this machine or an interruption. */
export function isRefusal(error: unknown): error is LarmorError {
  return error instanceof LarmorError && /^(input|geometry)\./.test(error.fault.kind)
}
