/**
 * The face: on virtual patients, whose organs are known, and on real planning CTs, what is cut off is the skin of the face
 * with nose, lips and lids, and nothing of what a model is to learn; and where no face is found, nothing is claimed.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { readNifti } from '../../src/formats/index.ts'
import { makeVirtualPatient, PRESETS } from '../../src/phantom/index.ts'
import type { VirtualPatient } from '../../src/phantom/index.ts'
import { findFace, volume, withoutFace } from '../../src/volume/index.ts'
import type { Face, Grid, Volume } from '../../src/volume/index.ts'
import { sharedData } from '../shared-data.ts'

const AIR = -1000
const BODY_ABOVE = -300
const patients: { patient: VirtualPatient; face: Face }[] = []
beforeAll(() => {
  for (const seed of [1, 2]) {
    const patient = makeVirtualPatient(seed, { ...PRESETS.small, sequences: [] })
    patients.push({ patient, face: findFace(patient.ct) })
  }
}, 480_000)

/** How much of the structure is cut off, and how much there is. */
function cutOf({ patient, face }: (typeof patients)[number], structure: string): { cut: number; of: number } {
  const label = patient.structures.indexOf(structure) + 1
  assert.ok(label > 0, structure)
  let [cut, of] = [0, 0]
  patient.labels.values.forEach((value, at) => {
    if (value !== label) return
    of++
    cut += face.cut.values[at]!
  })
  return { cut, of }
}

test('brain, glands, cord, trachea and thyroid of virtual patients lose no voxel; skull, jaw and teeth less than 1 in 100', () => {
  for (const one of patients) {
    const organs = ['Brain', 'Brainstem', 'Spinal-Cord', 'Parotid-Lt', 'Parotid-Rt', 'Submandibular-Lt']
    for (const organ of [...organs, 'Submandibular-Rt', 'Thyroid', 'Tonsils', 'Optic-Nerve-Lt', 'Trachea'])
      assert.equal(cutOf(one, organ).cut, 0, organ)
    // The front of the larynx is cartilage under 5 mm of skin and fat where a neck is slender: no bone that stops the cut.
    for (const [part, most] of [
      ['Skull', 0.01],
      ['Mandible', 0.01],
      ['Teeth', 0.01],
      ['Larynx', 0.025],
    ] as const) {
      const { cut, of } = cutOf(one, part)
      assert.ok(cut <= of * most, `${part}: ${cut} of ${of}`)
    }
  }
})

/** First voxel of a column, from the front, that is denser than air; nj where there is none. */
function frontOf({ grid, values }: Volume, i: number, k: number): number {
  const [ni, nj] = grid.size
  let j = 0
  while (j < nj && values[i + ni * (j + nj * k)]! <= BODY_ABOVE) j++
  return j
}

/** Columns of the middle of the face: 70 mm wide, from 27 mm below to 63 mm above the middle of the teeth. */
function window({ patient: { labels, structures } }: (typeof patients)[number]) {
  const teeth = structures.indexOf('Teeth') + 1
  const [ni, nj] = labels.grid.size
  let [si, sk, n] = [0, 0, 0]
  labels.values.forEach((value, at) => {
    if (value !== teeth) return
    si += at % ni
    sk += Math.floor(at / (ni * nj))
    n++
  })
  const [mi, mk] = [si / n, sk / n]
  const [perI, perK] = [35 / labels.grid.spacingMm[0], 45 / labels.grid.spacingMm[2]]
  const columns: [i: number, k: number][] = []
  for (let k = Math.ceil(mk - perK * 0.6); k <= mk + perK * 1.4; k++)
    for (let i = Math.ceil(mi - perI); i <= mi + perI; i++) columns.push([i, k])
  return columns
}

test('in the middle of the face the surface lies 5 mm deeper everywhere, but where it is bone', () => {
  for (const one of patients) {
    const { patient, face } = one
    const after = withoutFace(patient.ct, face, AIR)
    const columns = window(one)
    let shallow = 0
    for (const [i, k] of columns) {
      const [before, now] = [frontOf(patient.ct, i, k), frontOf(after, i, k)]
      const [ni, nj] = after.grid.size
      const bone = now < nj && after.values[i + ni * (now + nj * k)]! > 250
      if (!bone && (now - before) * after.grid.spacingMm[1] < 5 - after.grid.spacingMm[1]) shallow++
    }
    assert.ok(columns.length > 900, `${columns.length} columns`)
    assert.equal(shallow, 0)
  }
})

test('what stood out from the cheeks by more than 10 mm, the nose, lies behind where they were, but for bone', () => {
  for (const one of patients) {
    const { patient, face } = one
    const { ct } = patient
    const after = withoutFace(ct, face, AIR)
    const perSide = Math.round(25 / ct.grid.spacingMm[0])
    const nose = window(one).filter(([i, k]) => {
      const beside = Math.min(frontOf(ct, i - perSide, k), frontOf(ct, i + perSide, k))
      return (beside - frontOf(ct, i, k)) * ct.grid.spacingMm[1] > 10
    })
    assert.ok(nose.length > 40, `${nose.length} columns of a nose`)
    const left = nose.filter(([i, k]) => {
      const beside = Math.min(frontOf(ct, i - perSide, k), frontOf(ct, i + perSide, k))
      const now = frontOf(after, i, k)
      return now < beside && after.values[i + after.grid.size[0] * (now + after.grid.size[1] * k)]! < 250
    })
    assert.ok(left.length < nose.length / 20, `${left.length} of ${nose.length} columns`)
  }
})

test('a plastic mask over the face goes with it: it is a cast of the face', () => {
  const { patient, face } = patients[0]!
  const values = patient.ct.values.slice()
  const { grid } = patient.ct
  const [ni, nj] = grid.size
  for (const [i, k] of window(patients[0]!)) {
    const front = frontOf(patient.ct, i, k)
    for (let j = front - 7; j < front - 4; j++) values[i + ni * (j + nj * k)] = 120
  }
  const masked = volume(grid, values)
  const found = findFace(masked)
  const after = withoutFace(masked, found, AIR)
  const left = window(patients[0]!).filter(([i, k]) => frontOf(after, i, k) < frontOf(patient.ct, i, k))
  assert.deepEqual(left, [])
  assert.ok(Math.abs(found.removedVoxels / face.removedVoxels - 1) < 0.5)
})

test('the same voxels of the patient are cut off however the image is stored', () => {
  const { patient, face } = patients[0]!
  const { grid, values } = patient.ct
  const [ni, nj, nk] = grid.size
  const turned = new Int16Array(values.length)
  const expected = new Uint8Array(values.length)
  // (i, j, k) becomes (k, i reversed, j reversed): as a sagittal stack may be stored.
  for (let k = 0; k < nk; k++)
    for (let j = 0; j < nj; j++)
      for (let i = 0; i < ni; i++) {
        const to = k + nk * (ni - 1 - i + ni * (nj - 1 - j))
        turned[to] = values[i + ni * (j + nj * k)]!
        expected[to] = face.cut.values[i + ni * (j + nj * k)]!
      }
  const [sx, sy, sz] = grid.spacingMm
  const as: Grid = {
    size: [nk, ni, nj],
    spacingMm: [sz, sx, sy],
    originMm: [grid.originMm[0] + (ni - 1) * sx, grid.originMm[1] + (nj - 1) * sy, grid.originMm[2]],
    direction: [
      [0, 0, 1],
      [-1, 0, 0],
      [0, -1, 0],
    ],
  }
  assert.deepEqual(findFace(volume(as, turned)).cut.values, expected)
})

test('where there is no nose there is no face, and that is said', () => {
  const grid: Grid = { ...patients[0]!.patient.ct.grid, size: [96, 96, 40], spacingMm: [3, 3, 3] }
  const values = new Int16Array(96 * 96 * 40).fill(AIR)
  for (let at = 0; at < values.length; at++)
    if (Math.hypot((at % 96) - 48, (Math.floor(at / 96) % 96) - 48) < 28) values[at] = 40
  expect(() => findFace(volume(grid, values))).toThrow(
    expect.objectContaining({ fault: expect.objectContaining({ kind: 'input.unsupported' }) }),
  )
})

const openkbp = sharedData('openkbp')

// Half of the set: those whose image is not cropped to the irradiated part of the head.
test.skipIf(openkbp === undefined)(
  'real planning CTs (skipped without ../shared/data) lose 1 to 3 % of the body, and nothing of brainstem, cord or glands',
  async () => {
    for (const name of ['pt_2', 'pt_24', 'pt_66', 'pt_126', 'pt_187']) {
      const ct = await readNifti(join(openkbp!, name, 'ct.nii.gz'))
      const organs = await readNifti(join(openkbp!, name, 'oars.nii.gz'))
      const face = findFace(ct)
      const share = face.removedVoxels / face.bodyVoxels
      assert.ok(share > 0.01 && share < 0.03, `${name}: ${share}`)
      const lost = new Map<number, number>()
      organs.values.forEach((label, at) => {
        if (label > 0 && face.cut.values[at] === 1) lost.set(label, (lost.get(label) ?? 0) + 1)
      })
      assert.deepEqual(
        [...lost.keys()].filter((label) => label !== 7),
        [],
        name,
      ) // 7: the mandible's outline, below
      assert.ok((lost.get(7) ?? 0) <= 15, `${name}: ${lost.get(7)} voxels of the mandible's outline`)
    }
  },
)
