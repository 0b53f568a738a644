/**
 * A model on a site's own patients: synthesised, held against gate and geometry, scored where there is a registered MR, and
 * written down beside what the card says. Again after an update, it says what changed.
 */
import { join } from 'node:path'
import { openCohort, patientImage, type Patient } from '../cohort/index.ts'
import { LarmorError, throwIfAborted } from '../errors.ts'
import { cohortCases, evaluateCases, type PatientScores } from '../evaluation/index.ts'
import { exists, readJson, sha256, sha256OfFile, version, writeFileAtomic, writeJson } from '../files.ts'
import { readNifti } from '../formats/index.ts'
import type { Report } from '../progress.ts'
import { synthesizeCases, type Cases, type Model, type ModelCard } from '../synthesis/index.ts'
import { RECORD, runFolder } from './begun.ts'
import { againstCard, changesSince, isOf, standsOut } from './compare.ts'
import { commissionPage } from './page.ts'
import { Commission, type CommissionPatient, type CommissionScore } from './record.ts'

export type CommissionOptions = { seed: number; report: Report; signal?: AbortSignal | undefined }

const PAGE = 'commission.html'
const METRICS = ['ms_ssim_2d', 'mae'] as const

/**
 * Writes `<outputDir>/commission.json` and `.html`; the images and a copy of the record lie in a folder of this run.
 * @throws cohort.noPatient   no patient with a CT
 * @throws json.refused       an earlier record there that cannot be read
 * @throws interrupted: the record of before stays as it was, and the next run of the same goes on
 */
export async function commission(
  model: Model,
  cohortDir: string,
  outputDir: string,
  options: CommissionOptions,
): Promise<Commission> {
  const { seed, report } = options
  const before = (await exists(join(outputDir, RECORD))) ? await readJson(join(outputDir, RECORD), Commission) : null
  const patients = (await openCohort(cohortDir)).patients.filter(
    ({ excluded, images }) => !excluded && images.some(({ role }) => role === 'ct'),
  )
  if (patients.length === 0) throw noPatients(cohortDir)
  const createdAt = new Date()
  const cohortSha256 = await sha256OfFile(join(cohortDir, 'cohort.json'))
  const begun = { larmor: version(), modelSha256: model.sha256, cohortSha256, seed }
  const { name: images, on, lock } = await runFolder(outputDir, begun, createdAt)
  if (on) report({ at: 'note', message: `Going on with ${join(outputDir, images)}, which was interrupted` })
  try {
    const run = { cohortDir, outputDir, images, patients, cohortSha256, createdAt: createdAt.toISOString() }
    return await commissionIn(run, model, before, options)
  } finally {
    await lock.release()
  }
}

type CommissionRun = {
  cohortDir: string
  outputDir: string
  images: string
  patients: readonly Patient[]
  cohortSha256: string
  createdAt: string
}

async function commissionIn(
  { cohortDir, outputDir, images, patients, cohortSha256, createdAt }: CommissionRun,
  model: Model,
  before: Commission | null,
  options: CommissionOptions,
): Promise<Commission> {
  const { seed, report, signal } = options
  const folder = join(outputDir, images)
  const paths = patients.map((patient) => patientImage(cohortDir, patient, 'ct'))
  // One patient who is refused is a line of the record, too.
  const how = { outputDir: folder, format: 'nifti', seed, report, signal, loneRefusal: 'kept' } as const
  const made = await synthesizeCases(model, paths, how)
  const mode = model.card.refiner?.defaultMode ?? 'stage-1'
  const scores: CommissionScore[] = []
  const rows: CommissionPatient[] = []
  for (const sequence of sequencesOf(model.card)) {
    const place = sequence.name === undefined ? folder : join(folder, sequence.name)
    const done = made.done.filter((each) => each.sequence === sequence.target)
    const scored = await scoresOf(cohortDir, place, done, createdAt, sequence, options)
    scores.push(
      ...METRICS.map((name) => againstCard({ name, sequence: sequence.name }, siteOf(scored, name), model.card, mode)),
    )
    for (const { id } of patients)
      rows.push({
        id,
        ...(sequence.name === undefined ? {} : { sequence: sequence.name }),
        ...(await rowOf(id, place, { ...made, done }, scored.patients)),
      })
  }
  const now = {
    schema: 'larmor/commission@1' as const,
    createdAt,
    larmor: version(),
    intendedUse: model.card.intendedUse,
    model: { name: model.card.name, version: model.card.version, sha256: model.sha256 },
    cohort: { sha256: cohortSha256, patients: patients.length },
    mode,
    seed,
    images,
    scores,
    patients: rows,
  }
  const changes = before && changesSince(before, now, await differences(before, now, outputDir, model))
  throwIfAborted(signal, 'Writing the record')
  const record: Commission = { ...now, changes, lookAt: standsOut(now.scores, now.patients, changes) }
  await writeJson(join(folder, RECORD), record)
  await writeFileAtomic(join(outputDir, PAGE), commissionPage(record))
  await writeJson(join(outputDir, RECORD), record)
  return record
}

/** What a model makes, and how the MR was mapped for it: the card's scores are by that mapping, and so are the site's. */
type Sequence = {
  target: string
  mapping: ModelCard['mr']['mapping']
  /** Where there are several. */
  name: string | undefined
}

function sequencesOf({ mr: { target, mapping, further = [] } }: ModelCard): Sequence[] {
  const all = [{ target, mapping }, ...further]
  return all.map((each) => ({ ...each, name: all.length === 1 ? undefined : each.target }))
}

type Scored = {
  summary:
    | Partial<Record<string, { mean: number | null; interval95: readonly [number, number] | null; patients: number }>>
    | undefined
  patients: readonly PatientScores[]
}

/** Of the patients that an sMRI was made for and that have a registered MR; none is no error, only no score. */
async function scoresOf(
  cohortDir: string,
  folder: string,
  done: Cases['done'],
  created: string,
  { target, mapping: range }: Sequence,
  { seed, report, signal }: CommissionOptions,
): Promise<Scored> {
  if (done.length === 0) return { summary: undefined, patients: [] }
  const ids = new Set(done.map(({ caseId }) => caseId))
  const all = await cohortCases(cohortDir, [{ name: NAME, folder }], { seed, range, role: target })
  const registered = await Promise.all(
    all.map(({ id }) => exists(join(cohortDir, 'patients', id, 'registration', `${target}.nii.gz`))),
  )
  // Without baselines: they say what a score is worth, and larmor evaluate makes them; an acceptance compares with the card.
  const cases = all.filter(({ id }, n) => ids.has(id) && registered[n]).map((each) => ({ ...each, baselines: [] }))
  if (cases.length === 0) return { summary: undefined, patients: [] }
  const { predictions, patients } = await evaluateCases(cases, {
    range,
    seed,
    report,
    signal,
    larmor: version(),
    created,
  })
  return { summary: predictions.find(({ name }) => name === NAME)?.metrics, patients }
}
const NAME = 'sMRI'

function siteOf({ summary }: Scored, metric: string): CommissionScore['site'] {
  const { mean = null, interval95 = null, patients = 0 } = summary?.[metric] ?? {}
  return { mean, interval95: interval95 ? [...interval95] : null, patients }
}

async function rowOf(
  id: string,
  folder: string,
  made: Cases,
  scored: readonly PatientScores[],
): Promise<Omit<CommissionPatient, 'id' | 'sequence'>> {
  const done = made.done.find(({ caseId }) => caseId === id)
  const scores = scored.find((patient) => patient.id === id)?.predictions.find(({ name }) => name === NAME)?.metrics
  if (!done) {
    const fault = made.refused.find(({ caseId }) => caseId === id)?.fault
    const nothing = {
      msSsim2d: null,
      mae: null,
      skinP95Mm: null,
      airP95Mm: null,
      boneP95Mm: null,
      sliceChange: null,
      nmiWithCt: null,
    }
    return {
      gate: 'refused',
      notes: fault ? [`${fault.message} ${fault.found}`] : [],
      notChecked: [],
      ...nothing,
      voxelsSha256: null,
    }
  }
  const { surfaces, sliceChange, nmiWithCt } = done.figures
  const bad = [...done.gate.findings, ...done.after].filter(({ verdict }) => verdict === 'caution')
  const { values } = await readNifti(join(folder, id, 'smri.nii.gz'))
  return {
    gate: done.gate.verdict === 'ok' ? 'ok' : 'caution',
    notes: bad.map(({ check, found }) => `${check}: ${found}`),
    notChecked: done.gate.findings
      .filter(({ verdict }) => verdict === 'not checked')
      .map(({ check, found }) => `${check}: ${found}`),
    msSsim2d: scores?.ms_ssim_2d ?? null,
    mae: scores?.mae ?? null,
    skinP95Mm: surfaces.skin.p95Mm,
    airP95Mm: surfaces.air.p95Mm,
    boneP95Mm: surfaces.bone.p95Mm,
    sliceChange,
    nmiWithCt,
    voxelsSha256: sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
  }
}

/** Mean |now − before| of every patient whose voxels differ, in percent of black to white. */
async function differences(
  before: Commission,
  now: Pick<Commission, 'patients' | 'images'>,
  outputDir: string,
  { card }: Model,
): Promise<(number | undefined)[]> {
  const found: (number | undefined)[] = []
  for (const patient of now.patients) {
    const old = before.patients.find(isOf(patient))?.voxelsSha256
    if (!old || !patient.voxelsSha256 || old === patient.voxelsSha256) continue
    const within = (images: string): string =>
      join(outputDir, images, patient.sequence ?? '', patient.id, 'smri.nii.gz')
    const earlier = within(before.images)
    if (!(await exists(earlier))) {
      found.push(undefined)
      continue
    }
    const [a, b] = [await readNifti(earlier), await readNifti(within(now.images))]
    let sum = 0
    for (let at = 0; at < b.values.length; at++) sum += Math.abs(b.values[at]! - (a.values[at] ?? NaN))
    const percent = (100 * sum) / b.values.length / (card.mr.nominal.high - card.mr.nominal.low)
    found.push(Number.isNaN(percent) ? undefined : percent)
  }
  return found
}

function noPatients(where: string): LarmorError {
  return new LarmorError({
    kind: 'cohort.noPatient',
    message: 'There is no patient to try the model on.',
    where,
    found: 'no patient with a CT who is not excluded',
    expected: 'a cohort of this site: CTs, and registered MRs to score against',
    fix: 'Import patients first: larmor import <source> --cohort <dir>, then larmor register <dir>.',
  })
}
