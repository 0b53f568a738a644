/** The loop over CTs: each is read, let through, synthesised and written; one that is refused does not stop the others. */
import { rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { FAULTS, LarmorError, throwIfAborted, type Fault } from '../errors.ts'
import { requireWritableFolder } from '../files.ts'
import { isMetaImage, isNifti, readImage, type Resampling } from '../formats/index.ts'
import type { Event, Report } from '../progress.ts'
import { findingsAfter } from './after.ts'
import { targetsOf } from './card.ts'
import { finishedIn, type Asked, type Finished } from './finished.ts'
import { inWords } from './gate/findings.ts'
import { knownOf, type Known } from './gate/facts.ts'
import { holdAgainst, requirePassed } from './gate/gate.ts'
import { requireCt } from './gate/require-ct.ts'
import type { Model } from './model.ts'
import {
  formatOf,
  requireWritable,
  uncertaintyFolder,
  writeSynthesis,
  type CaseOutput,
  type Format,
  type GateRecord,
} from './output.ts'
import { drawnOn, openStructureSets, type StructureSetFile } from './structures.ts'
import type { Patient } from './slices.ts'
import { voxelMmOf } from './place-slab.ts'
import { prepareCt, requireMode, synthesizeMri, type SynthesisOptions } from './synthesize.ts'

export type CasesOptions = Pick<SynthesisOptions, 'mode' | 'steps' | 'samples' | 'uncertainty' | 'seed'> & {
  outputDir: string
  format?: Format | undefined
  /** DICOM as one multi-frame file. */
  enhanced?: boolean | undefined
  /** A structure set, or a folder of them, to be copied onto the synthetic MRs of the CTs that they were drawn on. */
  rtstruct?: string | undefined
  correctTilt?: boolean | undefined
  fillGaps?: boolean | undefined
  /** Synthesise what the gate refuses; every output says so. */
  force?: boolean | undefined
  /** What becomes of a CT that is refused and is the only one: thrown, where left out; 'kept' among the refused, as one of many. */
  loneRefusal?: 'kept' | undefined
  report: Report
  signal?: AbortSignal | undefined
}

export type Cases = {
  /** One for each sequence of each CT. */
  done: (CaseOutput & { caseId: string; structures: number })[]
  refused: { caseId: string; fault: Fault }[]
}

/**
 * Writes `<outputDir>/<case id>/` for every CT; where the model has several sequences, `<outputDir>/<sequence>/<case id>/` for
 * each, so that each of these folders is what a model of that sequence alone would leave. What an earlier run of the same
 * command has finished is passed over, and counts as done.
 * @param paths  DICOM folders, .nii, .nii.gz or .mha files
 * @throws usage.outputExists, usage.wrong, model.mismatch, machine.noPermission  before the first is read
 * @throws a refusal itself where there is one CT alone (but see `loneRefusal`); machine.* and interrupted end the loop: what was finished is kept
 */
export async function synthesizeCases(model: Model, paths: readonly string[], options: CasesOptions): Promise<Cases> {
  const { report, format } = options
  const ids = caseIds(paths)
  const folders = ids.map((id) => foldersOf(model, options.outputDir, id))
  const run = requireMode(model, options)
  if (format !== undefined) requireMeaning(format, options)
  await requireWritableFolder(options.outputDir)
  const sets = options.rtstruct === undefined ? [] : await openStructureSets(options.rtstruct, report)
  const asked = askedOf(options, { model, run, sets, only: paths.length === 1 })
  const finished = await finishedBefore(folders, paths, asked)
  const unused = new Set(sets)
  const cases: Cases = { done: [], refused: [] }
  for (const [n, path] of paths.entries()) {
    const caseId = ids[n]!
    report({ at: 'stage', name: `${caseId} (${n + 1} of ${paths.length})` })
    try {
      // Looked for again: another process that works on the same output may have made it meanwhile.
      const before = finished[n]!
      const there = isWhole(before) ? before : await finishedOf(folders[n]!, path, asked)
      const { used, made } = isWhole(there) ? asMade(there) : await synthesizeCase(path, folders[n]!, there, asked)
      for (const set of used) unused.delete(set)
      for (const [k, output] of made.entries()) {
        cases.done.push({ caseId, ...output, structures: used.length })
        report(there[k] ? alreadyThere(output) : { at: 'case.done', caseId, message: doneIn(output) })
      }
    } catch (error) {
      if ((asked.only && options.loneRefusal !== 'kept') || !isRefusal(error)) throw error
      refuse(cases, caseId, error.fault, report)
    }
  }
  for (const set of unused) refuse(cases, 'structure set', 'fault' in set ? set.fault : drawnOnNone(set), report)
  return cases
}

type AskedCases = Asked &
  Pick<CasesOptions, 'rtstruct' | 'mode' | 'steps' | 'samples' | 'uncertainty' | 'report' | 'signal'>

function askedOf(options: CasesOptions, found: Pick<Asked, 'model' | 'run' | 'sets' | 'only'>): AskedCases {
  const { format, enhanced = false, force = false, correctTilt = false, fillGaps = false } = options
  return { ...options, ...found, format, enhanced, force, correctTilt, fillGaps }
}

/** Of each folder of a CT what is there; undefined where it is still to be made. */
type There = readonly (Finished | undefined)[]

/** @throws usage.outputExists, interrupted */
async function finishedBefore(
  folders: readonly (readonly string[])[],
  paths: readonly string[],
  asked: AskedCases,
): Promise<There[]> {
  const found: There[] = []
  for (const [n, path] of paths.entries()) {
    throwIfAborted(asked.signal, 'Looking for what is finished')
    found.push(await finishedOf(folders[n]!, path, asked))
  }
  return found
}

async function finishedOf(folders: readonly string[], path: string, asked: Asked): Promise<There> {
  const found: (Finished | undefined)[] = []
  for (const folder of folders) found.push(await finishedIn(folder, path, asked))
  return found
}

function isWhole(there: There): there is readonly Finished[] {
  return there.every((each) => each !== undefined)
}

function asMade(there: readonly Finished[]) {
  return { used: there[0]!.used, made: there.map(({ output }) => output) }
}

function alreadyThere({ folder }: CaseOutput): Event {
  return { at: 'note', message: `${folder} is there already, made by the same model from the same CT` }
}

function doneIn({ folder, seconds }: CaseOutput): string {
  return `${folder} after ${seconds.toFixed(1)} s`
}

function foldersOf({ card }: Model, outputDir: string, id: string): string[] {
  const targets = targetsOf(card)
  return targets.length === 1 ? [join(outputDir, id)] : targets.map((target) => join(outputDir, target, id))
}

function refuse(cases: Cases, caseId: string, fault: Fault, report: Report): void {
  cases.refused.push({ caseId, fault })
  report({ at: 'case.refused', caseId, fault })
}

function drawnOnNone({ path }: StructureSetFile): Fault {
  return {
    kind: 'input.noReferencedImage',
    message: 'A structure set was copied onto no synthetic MR.',
    where: path,
    found: 'references to none of the CTs that a synthetic MR was made of',
    expected: 'the CT that it was drawn on, among them',
    fix: 'Give its CT, and look whether that was refused.',
  }
}

/** Makes and writes the sequences of a CT that are not there yet. */
async function synthesizeCase(path: string, folders: readonly string[], there: There, asked: AskedCases) {
  const { model, format: wanted, enhanced, mode, steps, samples, uncertainty, seed, report, signal } = asked
  const resampling: Resampling = { correctTilt: asked.correctTilt, fillGaps: asked.fillGaps }
  const image = await readImage(path, { report, ...resampling })
  const format = formatOf(image, wanted)
  requireWritable(image, format)
  requireMeaning(format, asked)
  const gapsFilled = image.resampled.includes('gaps')
  const used = image.dicom ? drawnOn({ series: image.dicom, gapsFilled, only: asked.only }, asked.sets) : []
  const known = await knownOf(image)
  const shares = requireCt(image.volume, known.modality, path)
  const patient = await prepareCt(image.volume, model.card, signal)
  const gate = await passed(patient, { facts: known.facts, source: image.source }, asked)
  const syntheses = await synthesizeMri(model, image.volume, {
    patient,
    mode,
    steps,
    samples,
    uncertainty,
    seed,
    report,
    ...(signal ? { signal } : {}),
  })
  const common = { image, model, shares, gate, seed, resampling, structureSets: used, enhanced, signal }
  const made: CaseOutput[] = []
  try {
    for (const [n, synthesis] of syntheses.entries()) {
      const { target: sequence, seconds, after: figures } = synthesis
      const before = there[n]?.output
      const folder = folders[n]!
      const after = findingsAfter(figures, voxelMmOf(patient.ct, model.card), model.card)
      for (const finding of after) if (finding.verdict === 'caution') report({ at: 'note', message: inWords(finding) })
      if (!before) await writeSynthesis(folder, format, { ...common, synthesis, after })
      const spread = synthesis.uncertainty ? uncertaintyFolder(folder) : null
      const own = { sequence, folder, format, uncertainty: spread, seconds, gate: gate.gate, after, figures }
      made.push(before ?? own)
    }
  } catch (error) {
    // All sequences of a CT or none; what an earlier run left of it stays.
    for (const [n, { folder, uncertainty: spread }] of made.entries())
      for (const written of there[n] ? [] : spread === null ? [folder] : [folder, spread])
        await rm(written, { recursive: true, force: true })
    throw error
  }
  return { used, made }
}

/** @throws input.refusedByGate  unless forced */
async function passed(
  patient: Patient,
  { facts, source }: { facts: Known['facts']; source: string },
  { model: { card }, force, report, signal }: AskedCases,
): Promise<GateRecord> {
  const { spacingMm, gate: print } = card.fingerprint
  const pixelMm = { low: Math.min(...spacingMm.low.slice(0, 2)), high: Math.max(...spacingMm.high.slice(0, 2)) }
  const gate = await holdAgainst(patient, facts, { ct: print, pixelMm }, signal)
  if (!force) requirePassed(gate, source)
  for (const finding of gate.findings) if (finding.verdict !== 'ok') report({ at: 'note', message: inWords(finding) })
  return { gate, forced: gate.verdict === 'refusal' }
}

/** @throws usage.wrong  what only DICOM has, asked for in another format */
function requireMeaning(format: Format, { enhanced, rtstruct }: Pick<CasesOptions, 'enhanced' | 'rtstruct'>): void {
  const flag = enhanced === true ? '--enhanced' : rtstruct === undefined ? undefined : '--rtstruct'
  if (format === 'dicom' || flag === undefined) return
  throw new LarmorError({
    kind: 'usage.wrong',
    message: 'An option is asked for that only DICOM has.',
    where: flag,
    found: `the output format ${format}`,
    expected: 'dicom',
    fix: `Leave ${flag} out, or give a DICOM CT and write --format dicom.`,
  })
}

/**
 * A refused input, or what is asked for does not go with this CT (2; of all of them, it was told before the first): the
 * next CT may be a good one. Anything else would befall it as well.
 */
function isRefusal(error: unknown): error is LarmorError {
  if (!(error instanceof LarmorError)) return false
  const { exit } = FAULTS[error.fault.kind]
  return exit === 3 || exit === 2
}

/**
 * How the outputs are named: by the cohort's own id where the CT lies in one (patients/p001/ct.nii.gz); for NIfTI and
 * MetaImage by the file's stem, or by its folder where several have the same stem (pt_1/ct.nii.gz, pt_2/ct.nii.gz); and
 * by number for DICOM, whose folders are often named after patients. No two are the same, nor is one the other's
 * uncertainty: a name that is taken gets the first number that makes it no name of another.
 */
export function caseIds(paths: readonly string[]): string[] {
  const stems = paths.map((path) => stemOf(resolve(path)))
  const names = stems.map((stem, n) => {
    const shared = stem !== undefined && stems.filter((other) => other === stem).length > 1
    return shared ? basename(dirname(resolve(paths[n]!))) : (stem ?? `smri_${String(n + 1).padStart(3, '0')}`)
  })
  const taken = new Set<string>()
  return names.map((name) => {
    const isFree = (id: string): boolean => !taken.has(id) && !taken.has(uncertaintyFolder(id))
    let id = name
    for (let n = 2; !isFree(id); n++) {
      const numbered = `${name}_${n}`
      if (!names.includes(numbered)) id = numbered
    }
    taken.add(id).add(uncertaintyFolder(id))
    return id
  })
}

function stemOf(path: string): string | undefined {
  if (!isNifti(path) && !isMetaImage(path)) return undefined
  const folder = dirname(path)
  if (basename(dirname(folder)) === 'patients') return basename(folder)
  return basename(path).replace(/\.(nii\.gz|nii|mha)$/i, '')
}
