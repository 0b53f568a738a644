/**
 * Writes the slice store: the plan first, one file a patient, the manifest last.
 *
 * Interrupted, it goes on where it stopped: a patient's file says in its header which plan and which images it was
 * made from, and is kept where these are still the same.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { withLock } from '../cohort/index.ts'
import { LarmorError } from '../errors.ts'
import { asDiskFault, exists, sha256OfFile, writeJson } from '../files.ts'
import { ctRoleOf, planSha256, readPlan, rolesOf, sourceHashes, writePlan, type Plan } from '../plan/index.ts'
import type { Report } from '../progress.ts'
import { readSafetensors, tensor, writeSafetensors, type Tensor } from '../tensor/index.ts'
import { MANIFEST, patientFile, PLAN, type Manifest, type StoredFile } from './manifest.ts'
import { overCases, type Work } from '../workers.ts'
import { cutPatient, type CutTask, type PatientSlices } from './slices.ts'

/** `jobs`: patients at a time, from two on each in a worker thread. */
export type BuildOptions = { report: Report; signal?: AbortSignal | undefined; jobs?: number | undefined }

/**
 * @returns the manifest, as written
 * @throws usage.outputExists    the folder holds a store of another plan
 * @throws plan.noUsableSlices   a part of the split would have no slice to work with
 * @throws machine.diskFull, interrupted   what was finished is kept
 */
export async function buildStore(
  cohortDir: string,
  plan: Plan,
  storeDir: string,
  { report, signal, jobs }: BuildOptions,
): Promise<Manifest> {
  await claimFolder(storeDir, plan)
  const ids = [...new Set([...plan.split.train, ...plan.split.validation, ...plan.split.test])].sort()
  const made = new Map<string, Record<string, string>>()
  for (const id of ids) made.set(id, await sourcesOf(cohortDir, plan, id))
  const missing: CutTask[] = []
  for (const id of ids)
    if (!(await isMadeFrom(join(storeDir, patientFile(id)), made.get(id)!))) missing.push({ cohortDir, plan, id })

  let done = ids.length - missing.length
  const tell = (): void => report({ at: 'progress', task: 'writing slices', done, of: ids.length, unit: 'patients' })
  tell()
  await overCases(WORK, missing, { jobs, signal }, ({ id }, slices) => {
    // The plan has seen this cohort: a patient that can no longer be cut has changed since.
    if (slices instanceof LarmorError) throw slices
    writeSlices(join(storeDir, patientFile(id)), slices, made.get(id)!)
    done++
    tell()
  })
  const patients: StoredFile[] = []
  for (const id of ids) patients.push(await storedFile(storeDir, id))
  for (const part of ['train', 'validation'] as const) checkUsable(plan, patients, part)
  const manifest: Manifest = { schema: 'larmor/store@1', planSha256: planSha256(plan), patients }
  await writeJson(join(storeDir, MANIFEST), manifest)
  return manifest
}

/**
 * Writes the plan into an empty folder; a folder with this same plan goes on (its batch becomes this command's), one with
 * another is refused. One at a time: of two commands that begin together with different plans, one wins and the other is
 * refused; with the same plan both write the same bytes.
 */
async function claimFolder(storeDir: string, plan: Plan): Promise<void> {
  if (await exists(join(storeDir, 'cohort.json'))) throw isCohort(storeDir)
  const path = join(storeDir, PLAN)
  await withLock(join(storeDir, '.plan.lock'), async () => {
    if ((await exists(path)) && planSha256(await readPlan(path)) !== planSha256(plan)) throw anotherPlan(storeDir)
    await writePlan(path, plan)
  }).catch((error: unknown) => {
    throw asDiskFault(error, path)
  })
}

function isCohort(storeDir: string): LarmorError {
  return new LarmorError({
    kind: 'usage.outputExists',
    message: 'The slices would lie amid the patients of a cohort.',
    where: storeDir,
    found: 'cohort.json',
    expected: 'an empty folder, or none yet',
    fix: 'Choose another --output.',
  })
}

function anotherPlan(storeDir: string): LarmorError {
  return new LarmorError({
    kind: 'usage.outputExists',
    message: 'The folder holds the slices of another plan.',
    where: storeDir,
    found: 'a plan.json that differs from the one of this command',
    expected: 'an empty folder, or the same plan',
    fix: 'Choose another --output, or delete that folder if its slices are no longer needed.',
  })
}

/** What a patient's file must have been made from, as its header says it. */
async function sourcesOf(cohortDir: string, plan: Plan, id: string): Promise<Record<string, string>> {
  const { ct, mrs, valid } = await sourceHashes({ cohortDir, id, ctRole: ctRoleOf(plan, id) }, rolesOf(plan))
  return { schema: 'larmor/slices@1', patient: id, plan: planSha256(plan), ct, mr: mrs.join(' '), valid }
}

const WORK: Work<CutTask, PatientSlices> = {
  name: 'Writing the slice store',
  here: cutPatient,
  module: new URL('cut-worker.ts', import.meta.url),
}

async function storedFile(storeDir: string, id: string): Promise<StoredFile> {
  const file = patientFile(id)
  const path = join(storeDir, file)
  const { usable, unusable } = countsOf(path)
  const { size: bytes } = await stat(path)
  return { id, file, bytes, sha256: await sha256OfFile(path), slices: usable.length, usable: sum(usable), unusable }
}

async function isMadeFrom(path: string, made: Record<string, string>): Promise<boolean> {
  if (!(await exists(path))) return false
  const { metadata, tensors } = readSafetensors(path)
  for (const t of tensors.values()) t.dispose()
  return Object.entries(made).every(([key, value]) => metadata[key] === value)
}

function writeSlices(path: string, slices: PatientSlices, made: Record<string, string>): void {
  const { shape, usable, positionsMm } = slices
  const tensors: Record<string, Tensor> = {
    ct: tensor(slices.ct, shape, 'int16'),
    mr: tensor(slices.mr, [slices.mr.length / (shape[1] * shape[2]), shape[1], shape[2]], 'int16'),
    body: tensor(slices.body, shape, 'uint8'),
    mask: tensor(slices.mask, shape, 'uint8'),
    usable: tensor(usable, [shape[0]], 'uint8'),
    positionsMm: tensor(positionsMm, [shape[0], 3], 'float64'),
  }
  try {
    writeSafetensors(path, tensors, { ...made, unusable: JSON.stringify(slices.unusable) })
  } finally {
    for (const t of Object.values(tensors)) t.dispose()
  }
}

function countsOf(path: string): { usable: Uint8Array; unusable: Record<string, number> } {
  const { tensors, metadata } = readSafetensors(path)
  const usable = tensors.get('usable')!.values('uint8')
  for (const t of tensors.values()) t.dispose()
  return { usable, unusable: JSON.parse(metadata['unusable']!) as Record<string, number> }
}

function sum(values: Uint8Array): number {
  return values.reduce((total, value) => total + value, 0)
}

function checkUsable(plan: Plan, patients: readonly StoredFile[], part: 'train' | 'validation'): void {
  const usable = patients.filter(({ id }) => plan.split[part].includes(id)).reduce((total, p) => total + p.usable, 0)
  if (usable > 0) return
  throw new LarmorError({
    kind: 'plan.noUsableSlices',
    message: 'No slice can be used.',
    where: `The patients of ${part}: ${plan.split[part].join(', ')}`,
    found: 'too little body, MR or signal in every slice',
    expected: `slices with at least ${plan.usable.bodyCm2} cm² of body, ${100 * plan.usable.mrShare} % of it with MR`,
    fix: 'Look at the registration of these patients; or lower `usable` in the plan and give it with --plan.',
  })
}
