/** Opens a slice store for reading: checked once against its manifest and plan, then mapped into memory. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { LarmorError } from '../errors.ts'
import { exists, readJson, sha256OfFile } from '../files.ts'
import { planSha256, readPlan, splitOf, weightsOf, type Plan, type SplitName } from '../plan/index.ts'
import { clone, readSafetensors, reshape, scope, to, type Tensor } from '../tensor/index.ts'
import { MANIFEST, ManifestSchema, PLAN, type Manifest, type StoredFile } from './manifest.ts'

/**
 * One patient's slices: `ct` int16 HU, `body` and `mask` uint8 [slices, h, w], `mr` int16 [slices, targets, h, w] (see
 * slices.ts); and how much each target counts in training, from the plan.
 */
export type StoredPatient = {
  ct: Tensor
  mr: Tensor
  body: Tensor
  mask: Tensor
  usable: Uint8Array
  weights: readonly number[]
}

/** Closed by whoever opened it. */
export type Store = {
  readonly dir: string
  readonly plan: Plan
  readonly manifest: Manifest
  readonly patients: ReadonlyMap<string, StoredPatient>
  close(): void
}

/** One slice of one patient. */
export type SliceRef = { readonly patient: string; readonly k: number }

/**
 * @param device  where the slices are wanted: on a GPU they stay for good where they fit; mapped from disk, they come batch by batch
 * @throws store.damaged  the folder, the manifest or a file is missing, or a file or the plan is not what was written
 */
export async function openStore(dir: string, device = 'cpu'): Promise<Store> {
  if (!(await exists(join(dir, MANIFEST))))
    throw unfinished(dir, (await exists(dir)) ? `no ${MANIFEST}` : 'no such folder')
  const manifest = await readJson(join(dir, MANIFEST), ManifestSchema)
  const plan = await readPlan(join(dir, PLAN))
  if (planSha256(plan) !== manifest.planSha256)
    throw damaged(
      join(dir, PLAN),
      'another plan than the one of the slices',
      `plan ${manifest.planSha256.slice(0, 12)}`,
    )
  for (const file of manifest.patients) await checkFile(dir, file)

  const patients = new Map<string, StoredPatient>()
  for (const { id, file } of manifest.patients) {
    const mapped = mapPatient(join(dir, file), weightsOf(plan, id))
    patients.set(id, fitsOn(device, plan, manifest) ? movedTo(mapped, device) : mapped)
  }
  const close = (): void => {
    for (const { ct, mr, body, mask } of patients.values()) for (const t of [ct, mr, body, mask]) t.dispose()
  }
  return { dir, plan, manifest, patients, close }
}

/** The usable slices of one part of the split, patient by patient, from foot to head. */
export function slicesOf({ plan, patients }: Store, part: SplitName): SliceRef[] {
  const refs: SliceRef[] = []
  for (const [patient, { usable }] of patients)
    for (let k = 0; k < usable.length; k++)
      if (usable[k] === 1 && splitOf(plan, patient, k) === part) refs.push({ patient, k })
  return refs
}

async function checkFile(dir: string, { file, bytes, sha256 }: StoredFile): Promise<void> {
  const path = join(dir, file)
  if (!(await exists(path))) throw damaged(path, 'no such file', `${bytes} bytes`)
  const { size } = await stat(path)
  if (size !== bytes) throw damaged(path, `${size} bytes`, `${bytes} bytes`)
  const found = await sha256OfFile(path)
  if (found !== sha256) throw damaged(path, `content with hash ${found.slice(0, 12)}`, `hash ${sha256.slice(0, 12)}`)
}

function mapPatient(path: string, weights: readonly number[]): StoredPatient {
  const { tensors } = readSafetensors(path)
  const take = (name: string): Tensor => {
    const found = tensors.get(name)
    if (!found) throw damaged(path, `no tensor ${name}`, 'the tensors that larmor plan writes')
    return found
  }
  const usable = take('usable').values('uint8')
  take('usable').dispose()
  take('positionsMm').dispose()
  const [ct, flat] = [take('ct'), take('mr')]
  const [slices, h, w] = ct.shape as [number, number, number]
  if (flat.shape[0] !== slices * weights.length)
    throw damaged(path, `${flat.shape[0]} slices of MR`, `${slices} of each of ${weights.length} targets`)
  const mr = reshape(flat, [slices, weights.length, h, w])
  flat.dispose()
  return { ct, mr, body: take('body'), mask: take('mask'), usable, weights }
}

/** Half of the device is for a step (see plan/batch-choice.ts): the other half may hold the slices, if it holds all of them. */
function fitsOn(device: string, { memory }: Plan, { patients }: Manifest): boolean {
  if (memory?.device !== device || device === 'cpu') return false
  return patients.reduce((sum, { bytes }) => sum + bytes, 0) <= memory.foundBytes / 2
}

/** Copies on that device; the mapped ones are freed. */
export function movedTo(stored: StoredPatient, device: string): StoredPatient {
  const moved = (t: Tensor): Tensor => {
    const copy = scope(() => clone(to(t, { device })))
    t.dispose()
    return copy
  }
  const { ct, mr, body, mask } = stored
  return { ...stored, ct: moved(ct), mr: moved(mr), body: moved(body), mask: moved(mask) }
}

function damaged(where: string, found: string, expected: string): LarmorError {
  return new LarmorError({
    kind: 'store.damaged',
    message: 'The slice store is not what was written.',
    where,
    found,
    expected,
    fix: 'Make the store again in a new folder: larmor plan <cohort> --output <store> (an edited plan: --plan <file>).',
  })
}

function unfinished(dir: string, found: string): LarmorError {
  return new LarmorError({
    kind: 'store.damaged',
    message: 'There is no finished slice store.',
    where: dir,
    found,
    expected: 'a folder that larmor plan has finished',
    fix:
      'Check the path (of one that was moved, larmor export takes --store), or make it: larmor plan <cohort> --output <store>; ' +
      'an interrupted one goes on where it stopped.',
  })
}
