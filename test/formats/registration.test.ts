/**
 * Registration objects: what the standard's own equations make of our attributes (read by dcmjs), what we make of another
 * program's objects (plastimatch), and no error by dciodvfy. Always points in mm.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import {
  findSeries,
  newUid,
  patientAndStudyOf,
  readRegistration,
  registeredSeriesOf,
  writeDicomSeries,
  writeRegistration,
  writeVectorField,
} from '../../src/formats/index.ts'
import type { DicomSeries, RegistrationToWrite } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import type { Grid, Transform, Vec3 } from '../../src/volume/index.ts'
import {
  add,
  apply,
  cross,
  mmFromIndex,
  norm,
  scale,
  subtract,
  totalDisplacement,
  transformPoint,
  transformPoints,
  volume,
  voxelCount,
} from '../../src/volume/index.ts'
import { fieldOf, obliqueGrid, turned, uprightGrid } from '../volume/fields.ts'
import { apart, times } from './matrices.ts'
import { installed } from './made.ts'
import { readWithDcmjs } from './second-reader.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-registration-'))
afterAll(() => rmSync(root, { recursive: true }))
const at = (name: string): string => join(root, name)

const movingFromFixedMm = turned(12, [5, -7, 3])
const wave = ([x, y, z]: Vec3): Vec3 => [3 * Math.sin(y / 20), 2 * Math.cos(x / 25), Math.sin((x + z) / 15)]
const rigid: Transform = { movingFromFixedMm }
const deformed: Transform = { movingFromFixedMm, deformation: fieldOf(obliqueGrid([14, 15, 12], [5, 4, 6]), wave) }
const points: Vec3[] = [
  [0, 0, 0],
  [20, -8, 11],
  [-17, 13, -21],
  [3, 24, 6],
]
let [ct, mr]: (DicomSeries | undefined)[] = []
let toWrite: Omit<RegistrationToWrite, 'transform'>

beforeAll(async () => {
  for (const modality of ['CT', 'MR'] as const) {
    const grid = uprightGrid([12, 12, 8], [4, 4, 4])
    const patient = { id: 'PHANTOM-1', name: 'PHANTOM^ONE' }
    await writeDicomSeries(at(modality), {
      volume: volume(grid, new Float32Array(voxelCount(grid))),
      modality,
      patient,
      studyUid: newUid('study', modality),
      seriesUid: newUid('series', modality),
      frameOfReferenceUid: newUid('frame', modality),
      seriesNumber: 1,
      description: modality,
      patientPosition: 'HFS',
      extra: { StudyDate: '20240102', StudyTime: '101112', StudyID: '1', BodyPartExamined: 'HEADNECK' },
    })
  }
  const { series } = await findSeries([at('CT'), at('MR')], silent)
  ct = series.find((one) => one.modality === 'CT')
  mr = series.find((one) => one.modality === 'MR')
  toWrite = {
    fixed: registeredSeriesOf(ct!),
    moving: registeredSeriesOf(mr!),
    patientAndStudy: patientAndStudyOf(ct!),
    description: 'MR onto CT',
    createdAt: new Date('2025-03-04T05:06:07Z'),
  }
})

/** What dcmjs gives of one, as far as these tests look. */
type ReadBack = {
  FrameOfReferenceUID: string
  PatientID: string
  StudyInstanceUID: string
  RegistrationSequence: {
    FrameOfReferenceUID: string
    MatrixRegistrationSequence: [{ MatrixSequence: [MatrixItem] }]
  }[]
  DeformableRegistrationSequence: {
    SourceFrameOfReferenceUID: string
    PreDeformationMatrixRegistrationSequence?: [MatrixItem]
    PostDeformationMatrixRegistrationSequence: [MatrixItem]
    DeformableRegistrationGridSequence: [GridItem]
  }[]
  ReferencedSeriesSequence?: SeriesItem[]
  StudiesContainingOtherReferencedInstancesSequence: {
    StudyInstanceUID: string
    ReferencedSeriesSequence: [SeriesItem]
  }[]
}
type MatrixItem = { FrameOfReferenceTransformationMatrix: number[] }
type GridItem = {
  ImagePositionPatient: number[]
  ImageOrientationPatient: number[]
  GridDimensions: [number, number, number]
  GridResolution: [number, number, number]
  VectorGridData: unknown
}
type Reference = { ReferencedSOPInstanceUID: string }
type SeriesItem = { SeriesInstanceUID: string; ReferencedInstanceSequence: Reference[] }

const readBack = (name: string): ReadBack => readWithDcmjs(readFileSync(at(name))) as ReadBack
test('spatial: by the standard’s equation the MR’s matrix takes a point of the MR to the CT, the CT’s keeps it', async () => {
  await writeRegistration(at('rigid.dcm'), { ...toWrite, transform: rigid })
  const dataSet = readBack('rigid.dcm')
  assert.equal(dataSet.FrameOfReferenceUID, ct!.frameOfReferenceUid)
  const items = dataSet.RegistrationSequence
  const matrixFor = (uid: string | undefined): number[] => {
    const item = items.find((one) => one.FrameOfReferenceUID === uid)!
    return item.MatrixRegistrationSequence[0].MatrixSequence[0].FrameOfReferenceTransformationMatrix
  }
  const inMr = transformPoints(rigid, points)
  assert.ok(
    apart(
      inMr.map((y) => times(matrixFor(mr!.frameOfReferenceUid), y)),
      points,
    ) < 1e-9,
  )
  assert.ok(
    apart(
      points.map((x) => times(matrixFor(ct!.frameOfReferenceUid), x)),
      points,
    ) === 0,
  )
})

test('deformable: by the standard’s equation each point of the grid in the CT goes to where the transform takes it in the MR', async () => {
  await writeRegistration(at('deformed.dcm'), { ...toWrite, transform: deformed })
  const dataSet = readBack('deformed.dcm')
  assert.equal(dataSet.FrameOfReferenceUID, ct!.frameOfReferenceUid)
  const item = dataSet.DeformableRegistrationSequence.find(
    (one) => one.SourceFrameOfReferenceUID === mr!.frameOfReferenceUid,
  )!
  assert.equal(item.PreDeformationMatrixRegistrationSequence, undefined)
  const post = item.PostDeformationMatrixRegistrationSequence[0].FrameOfReferenceTransformationMatrix
  const grid = item.DeformableRegistrationGridSequence[0]
  const start = grid.ImagePositionPatient.map(Number) as unknown as Vec3
  const cosines = grid.ImageOrientationPatient.map(Number)
  const [xd, yd, zd] = grid.GridDimensions
  const [xr, yr, zr] = grid.GridResolution
  const vectors = vectorsOf(grid.VectorGridData)
  assert.equal(vectors.length, 3 * xd * yd * zd)
  const axis = (n: number): Vec3 => [cosines[n]!, cosines[n + 1]!, cosines[n + 2]!]
  const [row, column] = [axis(0), axis(3)]
  const depth = cross(row, column)
  for (const [i, j, k] of [
    [0, 0, 0],
    [xd - 1, 2, 3],
    [7, yd - 1, 5],
    [4, 6, zd - 1],
  ] as const) {
    const x = add(add(start, scale(row, xr * i)), add(scale(column, yr * j), scale(depth, zr * k)))
    const n = 3 * (i + xd * (j + yd * k))
    const moved = add(x, [vectors[n]!, vectors[n + 1]!, vectors[n + 2]!])
    assert.ok(norm(subtract(times(post, moved), transformPoint(deformed, x))) < 1e-5, `${i} ${j} ${k}`)
  }
})

function vectorsOf(data: unknown): Float32Array {
  const [bytes] = (Array.isArray(data) ? data : [data]) as (ArrayBuffer | Uint8Array)[]
  if (bytes instanceof ArrayBuffer) return new Float32Array(bytes)
  return new Float32Array(new Uint8Array(bytes as Uint8Array).buffer)
}

test.each<[string, Transform]>([
  ['spatial', rigid],
  ['deformable', deformed],
  ['deformable', { movingFromFixedMm, deformation: fieldOf(leftHanded(uprightGrid([5, 6, 7], [9, 8, 8])), wave) }],
  [
    'spatial',
    {
      movingFromFixedMm: {
        linear: [
          [1.1, 0.02, 0],
          [0, 0.9, 0.1],
          [0, 0, 1],
        ],
        offset: [1, 2, 3],
      },
    },
  ],
])('a %s object comes back as the same map of the same frames', async (kind, transform) => {
  await writeRegistration(at('back.dcm'), { ...toWrite, transform })
  const read = await readRegistration(at('back.dcm'))
  assert.equal(read.kind, kind)
  assert.equal(read.fixedFrameOfReferenceUid, ct!.frameOfReferenceUid)
  assert.equal(read.movingFrameOfReferenceUid, mr!.frameOfReferenceUid)
  assert.ok(apart(transformPoints(read.transform, points), transformPoints(transform, points)) < 1e-5)
})

function leftHanded(grid: Grid): Grid {
  const [i, j, k] = grid.direction
  return {
    ...grid,
    originMm: apply(mmFromIndex(grid), [0, 0, grid.size[2] - 1]),
    direction: [i, j, [-k[0], -k[1], -k[2]]],
  }
}

test('the references name every image of both series, in the study that each belongs to', async () => {
  await writeRegistration(at('references.dcm'), { ...toWrite, transform: rigid })
  const dataSet = readBack('references.dcm')
  const uids = (items: Reference[]): string[] => items.map((one) => one.ReferencedSOPInstanceUID).toSorted()
  const own = (series: DicomSeries | undefined): string[] =>
    registeredSeriesOf(series!)
      .images.map((one) => one.sopInstanceUid)
      .toSorted()
  const [here] = dataSet.ReferencedSeriesSequence!
  assert.equal(here!.SeriesInstanceUID, ct!.seriesUid)
  assert.deepEqual(uids(here!.ReferencedInstanceSequence), own(ct))
  const [elsewhere] = dataSet.StudiesContainingOtherReferencedInstancesSequence
  assert.equal(elsewhere!.StudyInstanceUID, mr!.studyUid)
  assert.deepEqual(uids(elsewhere!.ReferencedSeriesSequence[0].ReferencedInstanceSequence), own(mr))
  assert.equal(own(ct).length, 8)
  assert.equal(dataSet.PatientID, 'PHANTOM-1')
  assert.equal(dataSet.StudyInstanceUID, ct!.studyUid)
})

test('an object without known images stands on the frames of reference alone', async () => {
  const alone = {
    ...toWrite,
    patientAndStudy: { PatientID: 'p001' },
    fixed: { ...toWrite.fixed, images: [] },
    moving: { ...toWrite.moving, images: [] },
  }
  await writeRegistration(at('alone.dcm'), { ...alone, transform: deformed })
  const { transform } = await readRegistration(at('alone.dcm'))
  assert.ok(apart(transformPoints(transform, points), transformPoints(deformed, points)) < 1e-5)
  assert.equal(readBack('alone.dcm').ReferencedSeriesSequence, undefined)
})

test.skipIf(!installed('dciodvfy')).each(['rigid', 'deformed', 'alone'])(
  'dciodvfy (skipped where it is not installed) finds no error: %s',
  async (name) => {
    const images =
      name === 'alone'
        ? {
            fixed: { ...toWrite.fixed, images: [] },
            moving: { ...toWrite.moving, images: [] },
            patientAndStudy: { PatientID: 'p001' },
          }
        : {}
    await writeRegistration(at('checked.dcm'), {
      ...toWrite,
      ...images,
      transform: name === 'rigid' ? rigid : deformed,
    })
    const { stderr } = spawnSync('dciodvfy', [at('checked.dcm')], { encoding: 'utf8' })
    assert.deepEqual(
      stderr.split('\n').filter((line) => line.startsWith('Error')),
      [],
    )
    assert.match(stderr, name === 'rigid' ? /^SpatialRegistration$/m : /^DeformableSpatialRegistration$/m)
  },
)

test.skipIf(!installed('plastimatch'))(
  'what plastimatch (skipped where it is not installed) writes of the same maps leads to the same places',
  async () => {
    const [l, t] = [movingFromFixedMm.linear, movingFromFixedMm.offset]
    const rows = [0, 1, 2].flatMap((n) => l.map((column) => column[n as 0 | 1 | 2]))
    const itk = `#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\nParameters: ${[...rows, ...t].join(' ')}\nFixedParameters: 0 0 0\n`
    writeFileSync(at('affine.txt'), itk)
    await writeVectorField(at('field.nii.gz'), totalDisplacement(deformed, deformed.deformation!.grid))
    for (const [input, transform, kind, within] of [
      ['affine.txt', rigid, 'spatial', 1e-4],
      ['field.nii.gz', deformed, 'deformable', 1e-3],
    ] as const) {
      const series = ['--fixed-rcs', at('CT'), '--moving-rcs', at('MR')]
      execFileSync('plastimatch', ['xf-convert', '--input', at(input), '--output-dicom', at(kind), ...series], {
        stdio: 'ignore',
      })
      const read = await readRegistration(join(at(kind), readdirSync(at(kind))[0]!))
      assert.equal(read.kind, kind)
      assert.equal(read.fixedFrameOfReferenceUid, ct!.frameOfReferenceUid)
      const off = apart(transformPoints(read.transform, points), transformPoints(transform, points))
      assert.ok(off < within, `${kind}: ${off} mm`)
    }
  },
)
