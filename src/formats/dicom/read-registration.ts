/**
 * Reads Spatial Registration and Deformable Spatial Registration objects, our own and others', as a transform from the
 * registered frame of reference (fixed) to a source's (moving). See write-registration.ts for the directions.
 *
 *   spatial     x = M · y per item, so the transform is M⁻¹
 *   deformable  y = post · (pre · x + Δ(x)) = (post · pre) · (x + u(x)), u = pre⁻¹ applied to Δ without its shift
 */
import { stat } from 'node:fs/promises'
import {
  compose,
  cross,
  deformation,
  dot,
  identityAffine,
  invert,
  multiply,
  norm,
  subtract,
  voxelCount,
} from '../../volume/index.ts'
import type { Affine, Deformation, Grid, Transform, Vec3 } from '../../volume/index.ts'
import { gridProblem } from '../limits.ts'
import { badValue, missing, requiredNumbers, requiredText, textOf } from './attributes.ts'
import { dicomFault } from './fault.ts'
import { openDicomFile } from './file.ts'
import { itemsOf } from './frame.ts'
import type { DataSet } from './parse.ts'
import { SOP_CLASS, TAGS } from './tags.ts'
import type { TagName } from './tags.ts'

export type ReadRegistration = {
  readonly kind: 'spatial' | 'deformable'
  readonly transform: Transform
  readonly fixedFrameOfReferenceUid: string
  /** Undefined where the object names images alone. */
  readonly movingFrameOfReferenceUid: string | undefined
}
type Item = { frameOfReferenceUid: string | undefined; transform: Transform; isIdentity: boolean }

/** The file's header is what holds the vectors; one that is larger is refused, not cut off. */
const MAX_FILE_BYTES = 2 ** 27

/**
 * @param movingFrameOfReferenceUid  which source, where an object registers several
 * @throws input.unsupported       no registration object; several sources and none chosen; several matrices in one item
 * @throws input.badValue          a matrix that cannot be inverted or does not end in 0 0 0 1, a grid that is none
 * @throws input.missingAttribute  and what `openDicomFile` throws
 */
export async function readRegistration(path: string, movingFrameOfReferenceUid?: string): Promise<ReadRegistration> {
  const { size } = await stat(path)
  if (size > MAX_FILE_BYTES) throw unsupported(path, `${size} bytes`, `${MAX_FILE_BYTES} at most`)
  const file = await openDicomFile(path)
  if (!file) throw unsupported(path, 'no DICOM file', 'a registration object')
  const { dataSet } = file
  const kind = kindOf(textOf(dataSet, 'SOPClassUID'))
  if (!kind)
    throw unsupported(
      path,
      `a DICOM object of class ${textOf(dataSet, 'SOPClassUID') ?? 'unknown'}`,
      'a Spatial or Deformable Spatial Registration',
    )
  const items =
    kind === 'spatial'
      ? itemsOf(dataSet, 'RegistrationSequence').map((item) => spatialItem(item, path))
      : itemsOf(dataSet, 'DeformableRegistrationSequence').map((item) => deformableItem(item, path))
  const fixedFrameOfReferenceUid = requiredText(dataSet, 'FrameOfReferenceUID', path)
  const chosen = chooseMoving(items, fixedFrameOfReferenceUid, movingFrameOfReferenceUid, path)
  return {
    kind,
    transform: chosen.transform,
    fixedFrameOfReferenceUid,
    movingFrameOfReferenceUid: chosen.frameOfReferenceUid,
  }
}

function kindOf(sopClassUid: string | undefined): ReadRegistration['kind'] | undefined {
  if (sopClassUid === SOP_CLASS.spatialRegistration) return 'spatial'
  return sopClassUid === SOP_CLASS.deformableRegistration ? 'deformable' : undefined
}

/** The registered frame stands among the items too, as identity: it is none to choose from. */
function chooseMoving(items: readonly Item[], fixedUid: string, movingUid: string | undefined, path: string): Item {
  const others = items.filter((item) => item.frameOfReferenceUid !== fixedUid || !item.isIdentity)
  const fitting = movingUid === undefined ? others : others.filter((item) => item.frameOfReferenceUid === movingUid)
  if (fitting.length === 1) return fitting[0]!
  // Both images lie as they are: the same frame of reference, and nothing to move.
  if (items.length > 0 && others.length === 0 && (movingUid ?? fixedUid) === fixedUid) return items[0]!
  const frames = others.map(({ frameOfReferenceUid }) => frameOfReferenceUid ?? 'one without frame of reference')
  throw unsupported(
    path,
    `${others.length} registered sources (${frames.join(', ')})`,
    movingUid === undefined ? 'one' : `one with the frame of reference ${movingUid}`,
  )
}

function spatialItem(item: DataSet, path: string): Item {
  const [registration] = itemsOf(item, 'MatrixRegistrationSequence')
  if (!registration) return missing('MatrixRegistrationSequence', path)
  const fixedFromMoving = matrixOf(itemsOf(registration, 'MatrixSequence'), path)
  return {
    frameOfReferenceUid: textOf(item, 'FrameOfReferenceUID'),
    transform: { movingFromFixedMm: invert(fixedFromMoving) },
    isIdentity: isIdentity(fixedFromMoving),
  }
}

function deformableItem(item: DataSet, path: string): Item {
  const matrixIn = (name: TagName): Affine => {
    const items = itemsOf(item, name)
    return items.length === 0 ? identityAffine : matrixOf(items, path)
  }
  const pre = matrixIn('PreDeformationMatrixRegistrationSequence')
  const movingFromFixedMm = compose(matrixIn('PostDeformationMatrixRegistrationSequence'), pre)
  const [grid] = itemsOf(item, 'DeformableRegistrationGridSequence')
  const field = grid && fieldOf(grid, invert(pre), path)
  return {
    frameOfReferenceUid: textOf(item, 'SourceFrameOfReferenceUID'),
    transform: field ? { movingFromFixedMm, deformation: field } : { movingFromFixedMm },
    isIdentity: !field && isIdentity(movingFromFixedMm),
  }
}

/** One matrix; of several, only where all but one are the identity: their order is told in two ways. */
function matrixOf(items: readonly DataSet[], path: string): Affine {
  const matrices = items.map((item) => oneMatrix(item, path))
  if (matrices.length === 0) return missing('FrameOfReferenceTransformationMatrix', path)
  const real = matrices.filter((matrix) => !isIdentity(matrix))
  if (real.length > 1) throw unsupported(path, `${real.length} matrices for one source`, 'one')
  return real[0] ?? identityAffine
}

function oneMatrix(item: DataSet, path: string): Affine {
  const name = 'FrameOfReferenceTransformationMatrix'
  const m = requiredNumbers(item, name, 16, path)
  const column = (n: number): Vec3 => [m[n]!, m[4 + n]!, m[8 + n]!]
  if (m.slice(12).some((value, n) => Math.abs(value - (n === 3 ? 1 : 0)) > 1e-6))
    badValue(name, path, `a last row of ${m.slice(12).join(' ')}`, '0 0 0 1')
  const affine: Affine = { linear: [column(0), column(1), column(2)], offset: column(3) }
  const [x, y, z] = affine.linear
  const determinant = dot(x, cross(y, z))
  if (!(Math.abs(determinant) > 1e-3 && Math.abs(determinant) < 1e3))
    badValue(name, path, `a determinant of ${determinant}`, 'a matrix that keeps volume, about')
  return affine
}

/** To what a decimal string of 16 characters keeps. */
function isIdentity({ linear, offset }: Affine): boolean {
  const off = [
    ...linear.map((column, n) => norm(subtract(column, identityAffine.linear[n as 0 | 1 | 2]))),
    norm(offset),
  ]
  return off.every((size) => size < 1e-6)
}

function fieldOf(item: DataSet, preInverse: Affine, path: string): Deformation {
  const grid = gridOf(item, path)
  const bytes = item.elements.get(TAGS.VectorGridData[0])?.bytes
  if (!bytes || bytes.length === 0) return missing('VectorGridData', path)
  const count = voxelCount(grid)
  if (bytes.length !== 12 * count)
    badValue('VectorGridData', path, `${bytes.length} bytes`, `${12 * count} for a grid of ${grid.size.join(' × ')}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const vectors = new Float32Array(3 * count)
  for (let at = 0; at < count; at++) {
    const one = (c: number): number => view.getFloat32(12 * at + 4 * c, item.littleEndian)
    // Not a number means that nothing is known there (C.20.3.1.3): it stays so, and images have no data there.
    const u = multiply(preInverse.linear, [one(0), one(1), one(2)])
    for (const c of [0, 1, 2] as const) vectors[at + c * count] = u[c]
  }
  return deformation(grid, vectors)
}

function gridOf(item: DataSet, path: string): Grid {
  const [x, y, z] = requiredNumbers(item, 'ImagePositionPatient', 3, path)
  const cosines = requiredNumbers(item, 'ImageOrientationPatient', 6, path)
  const size = requiredNumbers(item, 'GridDimensions', 3, path) as unknown as Vec3
  const spacingMm = requiredNumbers(item, 'GridResolution', 3, path) as unknown as Vec3
  const [i, j]: [Vec3, Vec3] = [cosines.slice(0, 3) as unknown as Vec3, cosines.slice(3) as unknown as Vec3]
  if (Math.abs(norm(i) - 1) > 1e-3 || Math.abs(norm(j) - 1) > 1e-3 || Math.abs(dot(i, j)) > 1e-3)
    badValue('ImageOrientationPatient', path, cosines.join(' '), 'two unit vectors at right angles')
  if (size.some((n) => n < 1)) badValue('GridDimensions', path, size.join(' × '), 'one voxel at least')
  const grid: Grid = { size, spacingMm, originMm: [x!, y!, z!], direction: [i, j, cross(i, j)] }
  const problem = gridProblem(grid, 12)
  if (problem)
    throw dicomFault(problem.kind, 'The grid of a registration cannot be used.', path, problem.found, problem.expected)
  return grid
}

function unsupported(where: string, found: string, expected: string) {
  return dicomFault('input.unsupported', 'The registration object cannot be used.', where, found, expected, {
    fix: 'Export one registration object of one image pair, or name the source with --moving-frame.',
  })
}
