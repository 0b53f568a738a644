/** `larmor warp` on a pair whose map is known: an MR made so that each of its points says which point of the CT it is. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import {
  findSeries,
  newUid,
  readNifti,
  readStructureSet,
  sliceUid,
  writeDicomSeries,
  writeNifti,
  writeStructureSet,
  writeVectorField,
} from '../../src/formats/index.ts'
import { writePointsRas, readPointsRas, saveDicomRegistration, sourceOfSeries } from '../../src/registration/index.ts'
import { silent } from '../../src/progress.ts'
import type { Grid, Mask, Transform, Vec3, Volume } from '../../src/volume/index.ts'
import {
  apply,
  mmFromIndex,
  norm,
  subtract,
  totalDisplacement,
  transformPoint,
  transformPoints,
  volume,
  voxelCount,
} from '../../src/volume/index.ts'
import { fieldOf, turned, uprightGrid } from '../volume/fields.ts'
import { installed } from '../formats/made.ts'
import { larmor } from './larmor.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-warp-'))
afterAll(() => rmSync(root, { recursive: true }))
const at = (...names: string[]): string => join(root, ...names)

const ctGrid = uprightGrid([30, 28, 20], [3, 3, 4])
const mrGrid: Grid = { ...uprightGrid([40, 40, 36], [3, 3, 3]), originMm: [-48, -65, -40] }
const fade = (x: Vec3): Vec3 => {
  const f = Math.exp(-((x[0] ** 2 + x[1] ** 2 + x[2] ** 2) / 22 ** 2))
  return [5 * f, -4 * f, 3 * f]
}
const transform: Transform = {
  movingFromFixedMm: turned(15, [8, -6, 10]),
  deformation: fieldOf(uprightGrid([32, 32, 32], [4, 4, 4]), fade),
}
/** A linear function of the place in the MR, which interpolation keeps. */
const mrAt = ([x, y, z]: Vec3): number => 1000 + 4 * x - 3 * y + 5 * z
const centreInCt: Vec3 = [10, -8, 6]

function imageOf(grid: Grid, value: (mm: Vec3) => number): Volume<Float32Array> {
  const values = new Float32Array(voxelCount(grid))
  eachVoxel(grid, (mm, n) => (values[n] = value(mm)))
  return volume(grid, values)
}
function eachVoxel(grid: Grid, visit: (mm: Vec3, n: number) => void): void {
  const toMm = mmFromIndex(grid)
  let n = 0
  for (let k = 0; k < grid.size[2]; k++)
    for (let j = 0; j < grid.size[1]; j++) for (let i = 0; i < grid.size[0]; i++) visit(apply(toMm, [i, j, k]), n++)
}

async function series(modality: 'CT' | 'MR', image: Volume): Promise<void> {
  await writeDicomSeries(at(modality), {
    volume: image,
    modality,
    patient: { id: 'PHANTOM-1', name: 'PHANTOM^ONE' },
    studyUid: newUid('study'),
    seriesUid: newUid('series', modality),
    frameOfReferenceUid: newUid('frame', modality),
    seriesNumber: 1,
    description: modality,
    patientPosition: 'HFS',
  })
}

beforeAll(async () => {
  await series(
    'CT',
    imageOf(ctGrid, () => 40),
  )
  await series('MR', imageOf(mrGrid, mrAt))
  const found = await findSeries([at('CT'), at('MR')], silent)
  const [ct, mr] = ['CT', 'MR'].map((modality) => found.series.find((one) => one.modality === modality)!) as [
    never,
    never,
  ]
  await saveDicomRegistration(root, 'mr', transform, sourceOfSeries(ct, mr)!, new Date())
  await writeVectorField(at('field.nii.gz'), totalDisplacement(transform, uprightGrid([34, 34, 34], [4, 4, 4])))
  // A ball about the place in the MR that is `centreInCt` in the CT.
  const centre = transformPoint(transform, centreInCt)
  const ball = imageOf(mrGrid, (y) => (norm(subtract(y, centre)) < 14 ? 1 : 0))
  const mask: Mask = volume(mrGrid, Uint8Array.from(ball.values))
  await writeNifti(at('ball.nii.gz'), mask)
  const seriesUid = newUid('series', 'MR')
  await writeStructureSet(at('structures.dcm'), {
    regions: [{ name: 'Ball: left/right', type: 'ORGAN', mask }],
    image: {
      grid: mrGrid,
      modality: 'MR',
      studyUid: newUid('study'),
      seriesUid,
      frameOfReferenceUid: newUid('frame', 'MR'),
      sopInstanceUids: Array.from({ length: mrGrid.size[2] }, (_, k) => sliceUid(seriesUid, k)),
    },
    patient: { id: 'PHANTOM-1', name: 'PHANTOM^ONE' },
    seriesUid: newUid('structures'),
    seriesNumber: 3,
    label: 'BALL',
    description: 'a ball',
    algorithm: 'MANUAL',
  })
})

const warp = (output: string, ...words: string[]) => larmor(['warp', ...words, '--output', at(output), '--json'])

function checkOnCt({ grid, values }: Volume, toleranceOfUnits: number): void {
  assert.deepEqual(grid.size, ctGrid.size)
  let seen = 0
  eachVoxel(ctGrid, (x, n) => {
    const y = transformPoint(transform, x)
    const inside = y.every(
      (mm, axis) => mm > mrGrid.originMm[axis]! && mm < mrGrid.originMm[axis]! + 3 * (mrGrid.size[axis]! - 1),
    )
    if (!inside) return
    seen++
    assert.ok(Math.abs(values[n]! - mrAt(y)) < toleranceOfUnits, `${values[n]} for ${mrAt(y)}`)
  })
  assert.ok(seen > 0.8 * values.length)
}

test.each([
  ['a DICOM object', 'deformable_mr.dcm', 'MR'],
  ['a displacement field', 'field.nii.gz', 'MR'],
])('the MR comes onto the CT’s grid by %s, each value from where the map leads', async (_, registration, source) => {
  const { code, stderr } = await warp(
    `by-${registration}`,
    at(source),
    '--transform',
    at(registration),
    '--onto',
    at('CT'),
  )
  assert.equal(code, 0, stderr)
  checkOnCt(await readNifti(at(`by-${registration}`, 'MR.nii.gz')), 0.6)
})

test('points of the CT go to the MR with --inverse, and come back without', async () => {
  const points: Vec3[] = [
    [0, 0, 0],
    [12, -9, 4],
    [-20, 15, -11],
  ]
  await writePointsRas(at('ct.csv'), points)
  const there = await warp('there', at('ct.csv'), '--transform', at('deformable_mr.dcm'), '--inverse')
  assert.equal(there.code, 0, there.stderr)
  const inMr = await readPointsRas(at('there', 'ct.csv'))
  const expected = transformPoints(transform, points)
  inMr.forEach((y, n) => assert.ok(norm(subtract(y, expected[n]!)) < 2e-4))
  assert.equal((await warp('back', at('there', 'ct.csv'), '--transform', at('deformable_mr.dcm'))).code, 0)
  const back = await readPointsRas(at('back', 'ct.csv'))
  back.forEach((x, n) => assert.ok(norm(subtract(x, points[n]!)) < 1e-3))
})

test('a mask stays 0 and 1, and its middle lands where the map says', async () => {
  const { code } = await warp(
    'mask',
    at('ball.nii.gz'),
    '--transform',
    at('deformable_mr.dcm'),
    '--onto',
    at('CT'),
    '--nearest',
  )
  assert.equal(code, 0)
  const mask = await readNifti(at('mask', 'ball.nii.gz'))
  assert.ok(mask.values instanceof Uint8Array)
  assert.deepEqual(
    [...new Set(mask.values)].toSorted((a, b) => a - b),
    [0, 1],
  )
  checkBall(mask)
})

/** Of the mask of the MR's ball on the CT: where its voxels end in the MR. */
function checkBall(mask: Volume): void {
  const centre = transformPoint(transform, centreInCt)
  eachVoxel(mask.grid, (x, n) => {
    const distance = norm(subtract(transformPoint(transform, x), centre))
    if (distance < 14 - 3.2) assert.equal(mask.values[n], 1, `${distance} mm from the middle`)
    if (distance > 14 + 3.2) assert.equal(mask.values[n], 0, `${distance} mm from the middle`)
  })
}

test('a structure set becomes masks and a new structure set on the CT', async () => {
  const { code, stdout } = await warp(
    'regions',
    at('structures.dcm'),
    '--transform',
    at('deformable_mr.dcm'),
    '--onto',
    at('CT'),
  )
  assert.equal(code, 0, stdout)
  const { files } = JSON.parse(stdout) as { files: { file: string; kind: string }[] }
  assert.deepEqual(
    files.map(({ file, kind }) => [file, kind]),
    [
      ['structures/Ball_left_right.nii.gz', 'region'],
      ['structures.dcm', 'structures'],
    ],
  )
  checkBall(await readNifti(at('regions', 'structures', 'Ball_left_right.nii.gz')))
  const { structureSets } = await findSeries([at('regions', 'structures.dcm')], silent)
  const set = readStructureSet(structureSets[0]!)
  assert.deepEqual(set.frameOfReferenceUids, [newUid('frame', 'CT')])
  assert.deepEqual(set.referencedSeriesUids, [newUid('series', 'CT')])
  assert.equal(set.rois[0]!.name, 'Ball: left/right')
  const points = set.rois[0]!.contours.flatMap((contour) => contour.pointsMm)
  const centre = transformPoint(transform, centreInCt)
  for (const x of points) {
    const distance = norm(subtract(transformPoint(transform, x), centre))
    assert.ok(distance < 14 + 3.2, `${distance} mm`)
  }
})

test.skipIf(!installed('dciodvfy'))(
  'dciodvfy (skipped where it is not installed) finds no error in a structure set that was brought over',
  async () => {
    await warp('checked', at('structures.dcm'), '--transform', at('rigid_mr.dcm'), '--onto', at('CT'))
    const { stderr } = spawnSync('dciodvfy', [at('checked', 'structures.dcm')], { encoding: 'utf8' })
    assert.deepEqual(
      stderr.split('\n').filter((line) => line.startsWith('Error')),
      [],
    )
    assert.match(stderr, /RTStructureSet/)
  },
)

test('an image comes back to the MR with --inverse', async () => {
  await writeNifti(
    at('ct-ramp.nii.gz'),
    imageOf(ctGrid, ([x, y, z]) => 2 * x + y - z),
  )
  const { code } = await warp(
    'to-mr',
    at('ct-ramp.nii.gz'),
    '--transform',
    at('deformable_mr.dcm'),
    '--inverse',
    '--onto',
    at('MR'),
    '--outside',
    '-999',
  )
  assert.equal(code, 0)
  const onMr = await readNifti(at('to-mr', 'ct-ramp.nii.gz'))
  assert.deepEqual(onMr.grid.size, mrGrid.size)
  // Where the CT's point x lies in the MR, the MR's grid has the CT's value of x, but for the inverse field's own voxels.
  for (const x of [
    [0, 0, 0],
    [10, 5, -8],
    [-12, 14, 9],
  ] as Vec3[]) {
    const y = transformPoint(transform, x)
    const [i, j, k] = y.map((mm, axis) => Math.round((mm - mrGrid.originMm[axis]!) / 3)) as [number, number, number]
    const off = [0, 1, 2].map((axis) => Math.abs((y[axis]! - mrGrid.originMm[axis]!) / 3 - [i, j, k][axis]!) * 3)
    const reach = 2 * (off[0]! + off[1]! + off[2]!) * 1.5 + 0.5
    const value = onMr.values[i + 40 * (j + 40 * k)]!
    assert.ok(Math.abs(value - (2 * x[0] + x[1] - x[2])) < reach, `${value}`)
  }
  assert.ok(onMr.values.includes(-999))
})

test('an image of the other side is refused, with the word that turns the direction', async () => {
  const { code, stdout } = await warp('side', at('CT'), '--transform', at('deformable_mr.dcm'), '--onto', at('MR'))
  assert.equal(code, 3)
  const { refused } = JSON.parse(stdout) as { refused: { kind: string; fix: string }[] }
  assert.equal(refused[0]!.kind, 'input.wrongFrame')
  assert.match(refused[0]!.fix, /--inverse/)
  assert.ok(!existsSync(at('side')))
})

test('one of two inputs that cannot be read leaves the other, and exit code 5', async () => {
  writeFileSync(at('broken.nii.gz'), 'no image')
  const { code, stdout } = await warp(
    'some',
    at('broken.nii.gz'),
    at('ball.nii.gz'),
    '--transform',
    at('rigid_mr.dcm'),
    '--onto',
    at('CT'),
  )
  assert.equal(code, 5)
  const { files, refused } = JSON.parse(stdout) as { files: unknown[]; refused: unknown[] }
  assert.equal(files.length, 1)
  assert.equal(refused.length, 1)
  assert.deepEqual(readdirSync(at('some')), ['ball.nii.gz'])
})

test('where no input can be brought over each one’s fault is told, and no folder is left', async () => {
  writeFileSync(at('broken.nii.gz'), 'no image')
  writeFileSync(at('letters.csv'), 'x,y,z\n1,two,3\n')
  const { code, stdout } = await warp(
    'nothing',
    at('broken.nii.gz'),
    at('letters.csv'),
    '--transform',
    at('field.nii.gz'),
    '--onto',
    at('CT'),
  )
  assert.equal(code, 3)
  const { files, refused } = JSON.parse(stdout) as { files: unknown[]; refused: { where: string }[] }
  assert.deepEqual(files, [])
  assert.deepEqual(
    refused.map(({ where }) => /broken|letters/.exec(where)?.[0]),
    ['broken', 'letters'],
  )
  assert.ok(!existsSync(at('nothing')))
})

test('a cohort in the place of a registration is refused with the folders that are meant', async () => {
  for (const id of ['p001', 'p002']) {
    mkdirSync(at('cohort', 'patients', id, 'registration'), { recursive: true })
    writeFileSync(at('cohort', 'patients', id, 'registration', 'registration.json'), '{}')
  }
  for (const given of [at('cohort'), at('cohort', 'patients', 'p001')]) {
    const { code, stdout } = await warp('of-cohort', at('ct.csv'), '--transform', given)
    assert.equal(code, 3)
    const { refused } = JSON.parse(stdout) as { refused: { kind: string; fix: string }[] }
    assert.equal(refused[0]!.kind, 'input.notFound')
    assert.ok(refused[0]!.fix.includes(at('cohort', 'patients', 'p001', 'registration')), refused[0]!.fix)
  }
})

test.each([
  ['a filled output folder', 2, 'usage.outputExists', ['MR', '--transform', 'deformable_mr.dcm', '--onto', 'CT'], 'CT'],
  ['an image without --onto', 2, 'usage.wrong', ['MR', '--transform', 'deformable_mr.dcm'], 'none'],
  [
    'a registration that is not there',
    3,
    'input.notFound',
    ['MR', '--transform', 'nothing.dcm', '--onto', 'CT'],
    'none',
  ],
  ['an image as registration', 3, 'input.badValue', ['MR', '--transform', 'ball.nii.gz', '--onto', 'CT'], 'none'],
  [
    'a value that a mask cannot hold',
    2,
    'usage.wrong',
    ['ball.nii.gz', '--nearest', '--outside', '-5', '--transform', 'field.nii.gz', '--onto', 'CT'],
    'none',
  ],
])('refuses %s, and leaves nothing behind', async (_, exitCode, kind, words, output) => {
  const before = existsSync(at(output)) ? readdirSync(at(output)) : undefined
  const paths = words.map((word) => (/^(MR|CT)$|\.(dcm|gz)$/.test(word) ? at(word) : word))
  const { code, stdout } = await warp(output, ...paths)
  assert.equal(code, exitCode, stdout)
  assert.equal((JSON.parse(stdout) as { refused: { kind: string }[] }).refused[0]!.kind, kind)
  assert.deepEqual(existsSync(at(output)) ? readdirSync(at(output)) : undefined, before)
})
