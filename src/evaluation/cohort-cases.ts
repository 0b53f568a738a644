/**
 * The patients of a cohort with one folder of images a prediction.
 *
 * Of a cohort is read: cohort.json, patients/<id>/ct.nii.gz (or ct_contrast.nii.gz: cohort-ct.ts), structures/, and in registration/
 * the MR on the CT's grid (mr_<sequence>.nii.gz), valid.nii.gz (where it has data) and registration.json. A prediction's folder: see beside.ts.
 */
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { LarmorError } from '../errors.ts'
import { exists, readJson } from '../files.ts'
import { readImage } from '../formats/index.ts'
import { toTheEnd } from '../progress.ts'
import { bodyMask } from '../volume/index.ts'
import type { MrScale, Volume } from '../volume/index.ts'
import { ceilingBaseline, monotoneBaseline, populationBaselines } from './baseline.ts'
import { findImage, statedBeside, uncertaintyBeside } from './beside.ts'
import { cohortCt } from './cohort-ct.ts'
import { defaultRange } from './evaluation.ts'
import type {
  Baseline,
  EvaluationCase,
  Finding,
  LoadedCase,
  NamedPrediction,
  Prediction,
  RangeChoice,
} from './evaluation-data.ts'
import { maskOntoReference, ontoReference } from './onto-reference.ts'
import { openPopulation } from './population.ts'
import type { Other } from './population.ts'
import { registrationQuality } from './registration-quality.ts'
import { asScoredInSteps } from './scored.ts'
import { cohortStructures } from './structures.ts'

/** `contrastOf`: made from contrast CT of the patients that the prediction of that name saw without. */
export type PredictionFolder = {
  readonly name: string
  readonly folder: string
  readonly contrastOf?: string | undefined
}

export type CohortOptions = {
  readonly seed: number
  /** What maps the other patients' MR for the baselines: the evaluation's own. */
  readonly range: RangeChoice
  /** 'mr_t1', …; left out where each patient has one registered MR. */
  readonly role?: string | undefined
  /** Black and white of every prediction, instead of what stands beside them. */
  readonly testScale?: MrScale | undefined
  /** Which part of the split a patient is in, where that is known: a training patient's score is no evidence. */
  readonly splitOf?: ((id: string) => string) | undefined
  /** Beside those that the program makes of the cohort alone. */
  readonly baselines?: readonly Baseline[] | undefined
  readonly resample?: boolean | undefined
}

type Patient = z.infer<typeof Patient>
/** Only what is needed here: who is in the cohort, who is left out, and what was drawn. */
const Patient = z.looseObject({
  id: z.string().regex(/^[\w-]+$/),
  excluded: z.unknown(),
  structures: z.array(z.looseObject({ name: z.string(), file: z.string() })).default([]),
})
const CohortIndex = z.looseObject({ schema: z.literal('larmor/cohort@1'), patients: z.array(Patient) })

/**
 * The patients for whom at least one prediction is there, in the cohort's order; excluded ones are left out.
 * @throws cohort.noPatient   none of them has a prediction
 * @throws input.notFound, json.refused  no cohort
 */
export async function cohortCases(
  cohortDir: string,
  folders: readonly PredictionFolder[],
  options: CohortOptions,
): Promise<EvaluationCase[]> {
  const all = (await readJson(join(cohortDir, 'cohort.json'), CohortIndex)).patients
  const patients = all.filter(({ excluded }) => !excluded)
  const scored: Patient[] = []
  for (const patient of patients) {
    const found = await Promise.all(folders.map(async ({ folder }) => await findImage(folder, patient.id)))
    if (found.some((path) => path !== undefined)) scored.push(patient)
  }
  if (scored.length === 0) throw noPrediction(folders)
  const population = openPopulation(await othersOf(cohortDir, patients, options), options.seed)
  const baselines = [
    ...(options.baselines ?? []),
    monotoneBaseline,
    ...populationBaselines(population),
    ceilingBaseline(options.seed),
  ]
  return scored.map((patient) => ({ ...patientCase(cohortDir, patient, folders, options), baselines }))
}

function noPrediction(folders: readonly PredictionFolder[]): LarmorError {
  return new LarmorError({
    kind: 'cohort.noPatient',
    message: 'No patient of the cohort has a prediction.',
    where: folders.map(({ folder }) => folder).join(', '),
    found: 'no file or folder named after a patient of the cohort',
    expected: '<id>.nii.gz or <id>/ for some of its patients',
    fix: 'Run larmor synthesize on the cohort, or name the images after the patients (p001 …).',
  })
}

/** Everyone who has CT and registered MR: what a program that has seen the cohort would know of a patient to come. */
async function othersOf(cohortDir: string, patients: readonly Patient[], options: CohortOptions): Promise<Other[]> {
  const { range } = options
  const mapping = range.kind === 'as-is' ? defaultRange : range
  const others: Other[] = []
  for (const patient of patients) {
    const folder = join(cohortDir, 'patients', patient.id)
    const registered = await registeredMrs(join(folder, 'registration'), options.role)
    if (registered.length !== 1 || (await cohortCt(folder)) === undefined) continue
    others.push({
      id: patient.id,
      load: async () => {
        const own = await loadPatient(cohortDir, { ...patient, structures: [] }, options)
        const { loaded, region, scale } = toTheEnd(asScoredInSteps(own, mapping))
        return { ct: loaded.ct!, mr: loaded.reference, region: region!, scale: scale! }
      },
    })
  }
  return others
}

function patientCase(
  cohortDir: string,
  patient: Patient,
  folders: readonly PredictionFolder[],
  options: CohortOptions,
): EvaluationCase {
  const predictions = folders.map(({ name, folder, contrastOf }): NamedPrediction => ({
    name,
    contrastOf,
    load: async ({ reference }) => await loadPrediction({ folder, name, id: patient.id }, reference, options),
  }))
  return { id: patient.id, load: () => loadPatient(cohortDir, patient, options), predictions }
}

async function loadPatient(cohortDir: string, patient: Patient, options: CohortOptions): Promise<LoadedCase> {
  const { id, structures } = patient
  const folder = join(cohortDir, 'patients', id)
  const registration = join(folder, 'registration')
  const mrPath = await registeredMr(registration, id, options.role)
  const ctPath = await cohortCt(folder)
  if (ctPath === undefined) throw noCt(id, folder)
  const { volume: ct } = await readImage(ctPath)
  const { volume: mr } = await readImage(mrPath)
  const valid = join(registration, 'valid.nii.gz')
  const fieldOfView = (await exists(valid))
    ? maskOntoReference((await readImage(valid)).volume, mr.grid, false)
    : undefined
  return {
    reference: mr,
    mask: bodyMask(ct),
    fieldOfView,
    ct,
    structures: await cohortStructures(cohortDir, structures),
    registration: await registrationQuality(registration, basename(mrPath, '.nii.gz')),
    findings: patientFindings(id, options),
  }
}

function noCt(id: string, folder: string): LarmorError {
  return new LarmorError({
    kind: 'cohort.incomplete',
    message: 'A patient lacks the CT that its MR was registered to.',
    where: id,
    found: `neither ct.nii.gz nor ct_contrast.nii.gz in ${folder}, or not the one that registration.json names`,
    expected: 'that CT, from which body and baselines follow',
    fix: 'Import this patient again and register it, or exclude it.',
  })
}

function patientFindings(id: string, { splitOf, range }: CohortOptions): Finding[] {
  const evensCoils = range.kind !== 'as-is' && range.biasCorrection === true
  return [
    ...(splitOf ? [{ label: 'part of the split', value: splitOf(id) }] : []),
    ...(evensCoils ? [{ label: 'coils', value: 'divided out of the reference, as planned' }] : []),
  ]
}

async function loadPrediction(
  { folder, name, id }: { folder: string; name: string; id: string },
  reference: Volume,
  { testScale, resample = false }: CohortOptions,
): Promise<Prediction> {
  const path = await findImage(folder, id)
  if (path === undefined)
    throw new LarmorError({
      kind: 'input.notFound',
      message: 'A prediction lacks this patient.',
      where: `${name}, ${id}`,
      found: `neither ${id}.nii.gz nor a folder ${id} in ${folder}`,
      expected: 'an image of every patient that another prediction has',
      fix: 'Make the missing image, or evaluate this prediction alone.',
    })
  const stated = await statedBeside(path)
  const placed = ontoReference((await readImage(path)).volume, reference.grid, 'prediction', resample)
  return {
    ...placed,
    scale: testScale ?? stated.scale,
    uncertainty: await uncertaintyBeside(path),
    findings: [...placed.findings, ...stated.findings],
  }
}

async function registeredMrs(registration: string, role: string | undefined): Promise<string[]> {
  const names = (await exists(registration)) ? await readdir(registration) : []
  const sequences = names
    .filter((name) => /^mr_[^.]+\.nii\.gz$/.test(name))
    .map((name) => name.slice(0, -'.nii.gz'.length))
  return role === undefined ? sequences : sequences.filter((name) => name === role)
}

/** The one registered MR of a patient, or the one of this role. @throws cohort.incomplete, usage.wrong */
async function registeredMr(registration: string, id: string, role: string | undefined): Promise<string> {
  const wanted = await registeredMrs(registration, role)
  if (wanted.length === 1) return join(registration, `${wanted[0]}.nii.gz`)
  const sequences = await registeredMrs(registration, undefined)
  throw new LarmorError({
    kind: wanted.length > 1 ? 'usage.wrong' : 'cohort.incomplete',
    message: wanted.length > 1 ? 'A patient has several registered MRs.' : 'A patient lacks the registered MR.',
    where: id,
    found: sequences.length === 0 ? 'no registered MR' : sequences.toSorted().join(', '),
    expected: role ?? 'one MR on the CT’s grid',
    fix: wanted.length > 1 ? 'Say which with --role, e.g. --role mr_t1.' : 'Run larmor register on the cohort first.',
  })
}
