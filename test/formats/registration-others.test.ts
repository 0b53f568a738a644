/** Registration objects as other programs may write them, and those that are refused. Points in mm. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { readRegistration } from '../../src/formats/index.ts'
import { elementsFrom, encodeObject } from '../../src/formats/dicom/encode.ts'
import type { Attributes } from '../../src/formats/dicom/encode.ts'
import { SOP_CLASS } from '../../src/formats/dicom/tags.ts'
import type { Affine, Vec3 } from '../../src/volume/index.ts'
import { invert, norm, subtract, transformPoint, transformPoints } from '../../src/volume/index.ts'
import { turned } from '../volume/fields.ts'
import { apart, times } from './matrices.ts'
import { faultOf } from './made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-registration-'))
afterAll(() => rmSync(root, { recursive: true }))
const at = (name: string): string => join(root, name)

const movingFromFixedMm = turned(12, [5, -7, 3])
const points: Vec3[] = [
  [0, 0, 0],
  [20, -8, 11],
  [-17, 13, -21],
]
test('a matrix before the deformation moves where the vectors point, not where they stand', async () => {
  // y = post (pre x + Δ(x)), Δ constant: with pre a quarter turn about z, post a shift.
  const pre = [0, -1, 0, 10, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
  const post = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, -30, 0, 0, 0, 1]
  put('pre.dcm', deformableObject({ pre, post, vector: [1, 2, 3] }))
  const { transform } = await readRegistration(at('pre.dcm'))
  for (const x of points) {
    const [a, b, c] = times(pre, x)
    assert.ok(norm(subtract(transformPoint(transform, x), times(post, [a + 1, b + 2, c + 3]))) < 1e-5)
  }
})

test('vectors that are not numbers mean that nothing is known there, and stay so', async () => {
  put('nan.dcm', deformableObject({ vector: [NaN, NaN, NaN] }))
  const { transform } = await readRegistration(at('nan.dcm'))
  assert.ok(transformPoint(transform, [0, 0, 0]).every(Number.isNaN))
})

test('two images that lie in one frame of reference and need no moving are registered by the identity', async () => {
  const item: Attributes = {
    FrameOfReferenceUID: '1.2',
    MatrixRegistrationSequence: [
      {
        RegistrationTypeCodeSequence: [],
        MatrixSequence: [
          {
            FrameOfReferenceTransformationMatrix: rowsOf({
              linear: [
                [1, 0, 0],
                [0, 1, 0],
                [0, 0, 1],
              ],
              offset: [0, 0, 0],
            }),
            FrameOfReferenceTransformationMatrixType: 'RIGID',
          },
        ],
      },
    ],
  }
  put('same.dcm', {
    SOPClassUID: SOP_CLASS.spatialRegistration,
    FrameOfReferenceUID: '1.2',
    RegistrationSequence: [item, item],
  })
  const { transform } = await readRegistration(at('same.dcm'))
  assert.deepEqual(transformPoint(transform, [3, 4, 5]), [3, 4, 5])
})

test('of several sources the one that was asked for is read', async () => {
  const matrices = [movingFromFixedMm, turned(30, [1, 1, 1])]
  const item = (uid: string, affine: Affine): Attributes => ({
    FrameOfReferenceUID: uid,
    MatrixRegistrationSequence: [
      {
        RegistrationTypeCodeSequence: [],
        MatrixSequence: [
          {
            FrameOfReferenceTransformationMatrix: rowsOf(invert(affine)),
            FrameOfReferenceTransformationMatrixType: 'RIGID',
          },
        ],
      },
    ],
  })
  put('two.dcm', {
    SOPClassUID: SOP_CLASS.spatialRegistration,
    FrameOfReferenceUID: '1.2',
    RegistrationSequence: [item('1.3', matrices[0]!), item('1.4', matrices[1]!)],
  })
  assert.equal((await faultOf(readRegistration(at('two.dcm')))).kind, 'input.unsupported')
  const { transform } = await readRegistration(at('two.dcm'), '1.4')
  assert.ok(
    apart(transformPoints(transform, points), transformPoints({ movingFromFixedMm: matrices[1]! }, points)) < 1e-6,
  )
})

test.each<[string, string, () => Attributes]>([
  [
    'another kind of object',
    'input.unsupported',
    () => ({ ...deformableObject({}), SOPClassUID: SOP_CLASS.rtStructureSet }),
  ],
  [
    'no source at all',
    'input.unsupported',
    () => ({ SOPClassUID: SOP_CLASS.spatialRegistration, FrameOfReferenceUID: '1.2' }),
  ],
  [
    'a matrix that flattens',
    'input.badValue',
    () => deformableObject({ post: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] }),
  ],
  [
    'a matrix with perspective',
    'input.badValue',
    () => deformableObject({ post: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0.1, 0, 1] }),
  ],
  ['fewer vectors than voxels', 'input.badValue', () => deformableObject({ dimensions: [3, 3, 4] })],
  ['a grid of nothing', 'input.badValue', () => deformableObject({ dimensions: [3, 0, 3] })],
  ['a grid too large for any patient', 'input.unsupported', () => deformableObject({ dimensions: [4000, 4000, 4000] })],
  ['axes that lean', 'input.badValue', () => deformableObject({ orientation: [1, 0, 0, 0.5, 0.5, 0] })],
])('refuses %s', async (_, kind, object) => {
  put('bad.dcm', object())
  assert.equal((await faultOf(readRegistration(at('bad.dcm')))).kind, kind)
})

type Made = { pre?: number[]; post?: number[]; vector?: Vec3; dimensions?: number[]; orientation?: number[] }

function deformableObject({
  pre,
  post,
  vector = [0, 0, 0],
  dimensions = [3, 3, 3],
  orientation = [1, 0, 0, 0, 1, 0],
}: Made): Attributes {
  const matrix = (rows: number[]): Attributes[] => [
    { FrameOfReferenceTransformationMatrix: rows, FrameOfReferenceTransformationMatrixType: 'RIGID' },
  ]
  const vectors = new Float32Array(81).map((__, n) => vector[(n % 3) as 0 | 1 | 2])
  return {
    SOPClassUID: SOP_CLASS.deformableRegistration,
    FrameOfReferenceUID: '1.2.3',
    DeformableRegistrationSequence: [
      {
        SourceFrameOfReferenceUID: '1.2.4',
        ...(pre ? { PreDeformationMatrixRegistrationSequence: matrix(pre) } : {}),
        ...(post ? { PostDeformationMatrixRegistrationSequence: matrix(post) } : {}),
        DeformableRegistrationGridSequence: [
          {
            ImagePositionPatient: [-50, -50, -50],
            ImageOrientationPatient: orientation,
            GridDimensions: dimensions,
            GridResolution: [50, 50, 50],
            VectorGridData: new Uint8Array(vectors.buffer),
          },
        ],
      },
    ],
  }
}

function put(name: string, attributes: Attributes): void {
  writeFileSync(at(name), encodeObject(elementsFrom({ SOPInstanceUID: '1.2.9', ...attributes })))
}

function rowsOf({ linear: [x, y, z], offset }: Affine): number[] {
  return [...([0, 1, 2] as const).flatMap((n) => [x[n], y[n], z[n], offset[n]]), 0, 0, 0, 1]
}
