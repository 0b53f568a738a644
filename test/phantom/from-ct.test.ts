/** MR simulated for a CT: tested on CTs whose tissues are known, because they are virtual patients' own. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { readNifti, readVectorField, writeNifti } from '../../src/formats/index.ts'
import { makeFromCt, makeVirtualPatient, PRESETS } from '../../src/phantom/index.ts'
import type { VirtualPatient } from '../../src/phantom/index.ts'
import { silent } from '../../src/progress.ts'
import { apply, indexFromMm, mmFromIndex, transformPoint, volume } from '../../src/volume/index.ts'
import type { Vec3, Volume } from '../../src/volume/index.ts'

let folder: string
let patient: VirtualPatient
const t1 = new Map<string, number[]>()
const t2 = new Map<string, number[]>()
const BAR_HU = 151
const KEPT = ['Spinal-Cord', 'Parotid-Lt', 'Parotid-Rt', 'Mandible', 'Brainstem', 'Tumour']
const options = { labels: new Map<number, string>(), structures: 'structures' }
const asked = () => ({
  cts: [join(folder, 'in', 'ct.nii.gz')],
  masks: options,
  output: join(folder, 'out'),
  sequences: ['t1', 't2'] as const,
  motion: 'small' as const,
  seed: 4,
})

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'larmor-from-ct-'))
  patient = makeVirtualPatient(6, {
    ...PRESETS.small,
    ctGrid: { ...PRESETS.small.ctGrid, size: [96, 96, 52], spacingMm: [3.2, 3.2, 4] },
    mrGrid: { ...PRESETS.small.mrGrid, size: [8, 8, 4] },
    sequences: [],
  })
  // A bar of a headrest behind the neck.
  for (let k = 10; k < 18; k++)
    for (let j = 82; j < 85; j++) for (let i = 30; i < 66; i++) patient.ct.values[i + 96 * (j + 96 * k)] = BAR_HU
  await mkdir(join(folder, 'in', 'structures'), { recursive: true })
  await writeNifti(join(folder, 'in', 'ct.nii.gz'), patient.ct)
  for (const name of KEPT) {
    const label = patient.structures.indexOf(name) + 1
    const mask = patient.labels.values.map((value) => (value === label ? 1 : 0))
    await writeNifti(join(folder, 'in', 'structures', `${name}.nii.gz`), volume(patient.labels.grid, mask))
  }
  await makeFromCt(asked(), silent)
  const out = join(folder, 'out', 'PHANTOM-001')
  const field = await readVectorField(join(out, 'truth', 'deformation.nii.gz'))
  const toMr = (p: Vec3): Vec3 =>
    transformPoint(
      {
        movingFromFixedMm: {
          linear: [
            [1, 0, 0],
            [0, 1, 0],
            [0, 0, 1],
          ],
          offset: [0, 0, 0],
        },
        deformation: field,
      },
      p,
    )
  for (const [name, by] of [
    ['t1', t1],
    ['t2', t2],
  ] as const)
    collect(await readNifti(join(out, `mr_${name}.nii.gz`)), toMr, by)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** MR values at the voxels of each structure, by the displacement that was saved as truth. */
function collect(mr: Volume, toMr: (p: Vec3) => Vec3, into: Map<string, number[]>): void {
  const { grid, values } = patient.labels
  const [toMm, toIndex] = [mmFromIndex(grid), indexFromMm(mr.grid)]
  for (let n = 0; n < values.length; n++) {
    const hu = patient.ct.values[n]!
    if (values[n] === 0 && hu !== BAR_HU) continue
    const name = values[n] === 0 ? 'headrest' : patient.structures[values[n]! - 1]!
    const tissue = name !== 'Body' ? name : hu < -85 && hu > -120 ? 'fat' : hu > 35 && hu < 75 ? 'muscle' : name
    const p = apply(toMm, [n % 96, Math.floor(n / 96) % 96, Math.floor(n / 9216)])
    const at = apply(toIndex, toMr(p)).map(Math.round) as [number, number, number]
    if (at.some((index, axis) => index < 0 || index >= mr.grid.size[axis]!)) continue
    const value = mr.values[at[0] + mr.grid.size[0] * (at[1] + mr.grid.size[1] * at[2])]!
    if (!into.has(tissue)) into.set(tissue, [])
    into.get(tissue)!.push(value)
  }
}

const median = (of: Map<string, number[]>, tissue: string): number =>
  of.get(tissue)!.toSorted((a, b) => a - b)[Math.floor(of.get(tissue)!.length / 2)]!

test('at the places that the saved displacement gives, fat and gland are bright on T1, cord is less so, teeth are dark', () => {
  const cord = median(t1, 'Spinal-Cord')
  // Coils are uneven by a fifth: only large contrasts are sure at two places.
  assert.ok(median(t1, 'fat') > 1.4 * cord && median(t1, 'Parotid-Lt') > 1.4 * cord)
  assert.ok(median(t1, 'Teeth') < 0.4 * cord)
})

test('a headrest that the CT shows is not in the MR', () => {
  assert.ok(t1.get('headrest')!.length > 200)
  assert.ok(median(t1, 'headrest') < 0.2 * median(t1, 'Spinal-Cord'))
})

test('a tumour that a mask names is brighter than muscle on T2, which CT hardly shows', () => {
  assert.ok(median(t2, 'Tumour') > 1.3 * median(t2, 'Vertebrae'))
  assert.ok(median(t2, 'Tumour') > 1.3 * median(t2, 'muscle'), 'muscles were not named')
})

test('the CT beside it is the CT that was given, and every invented file says PHANTOM', async () => {
  const ct = await readNifti(join(folder, 'out', 'PHANTOM-001', 'ct.nii.gz'))
  assert.deepEqual(Array.from(ct.values), Array.from(patient.ct.values))
  const truth = readFileSync(join(folder, 'out', 'PHANTOM-001', 'truth', 'truth.json'), 'utf8')
  assert.match(truth, /PHANTOM-001/)
})

test('a label image without names is refused, and so is a mask on another grid', async () => {
  await writeNifti(join(folder, 'in', 'labels.nii.gz'), patient.labels)
  await writeNifti(
    join(folder, 'in', 'other.nii.gz'),
    volume({ ...patient.labels.grid, originMm: [0, 0, 0] }, patient.labels.values),
  )
  const faultOf = async (structures: string, labels: Map<number, string>): Promise<string> => {
    const made = makeFromCt({ ...asked(), output: join(folder, 'none'), masks: { structures, labels } }, silent)
    const error: unknown = await made.then(
      () => undefined,
      (one: unknown) => one,
    )
    assert.ok(error instanceof LarmorError)
    return error.fault.kind
  }
  assert.equal(await faultOf('labels.nii.gz', new Map()), 'usage.wrong')
  assert.equal(await faultOf('other.nii.gz', new Map([[1, 'Body']])), 'geometry.inconsistent')
})
