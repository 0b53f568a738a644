/**
 * The header of a NIfTI-1 file (348 bytes; nifti1.h, Cox et al. 2004) or NIfTI-2 file (540; nifti2.h, 2011), checked
 * field by field. Ours are written as NIfTI-1.
 *
 * sform is taken where there is one, qform else. A file whose two forms disagree is refused, as is one with
 * neither: where the voxels are in the patient is never guessed.
 */
import { LarmorError } from '../../errors.ts'
import type { FaultKind } from '../../errors.ts'
import type { Grid, Vec3 } from '../../volume/index.ts'
import { gridDistanceMm, mmFromIndex, voxelCount } from '../../volume/index.ts'
import { gridProblem } from '../limits.ts'
import { bytesPerElement, rescaledType } from '../voxels.ts'
import type { ElementType } from '../voxels.ts'
import { affineFromQform, gridFromRas, qformOf, swapRasLps } from './geometry.ts'

export const HEADER_BYTES = 348
const NIFTI2_BYTES = 540
/** What comes before the voxels in a file of ours: the header and four bytes that say "no extension". */
export const PREFIX_BYTES = 352
/** Extensions (text, a DICOM header) may stand before the voxels; more than this is not a header any more. */
const MAX_EXTENSION_BYTES = 2 ** 24
/** Near half a turn, float32 leaves a quaternion 2e-4 rad of freedom: 0.06 mm at 300 mm. More is another place. */
const FORMS_AGREE_MM = 0.1

export type NiftiHeader = {
  littleEndian: boolean
  grid: Grid
  type: ElementType
  dataOffset: number
  dataBytes: number
  /** value = stored · slope + intercept; 1 and 0 where the file has no scaling. */
  slope: number
  intercept: number
  /** What the values mean (nifti1.h, NIFTI_INTENT_*), and the name that some programs add; 0 and '' where nothing is said. */
  intent: { code: number; name: string }
}

const TYPES: Record<number, ElementType> = {
  2: 'uint8',
  4: 'int16',
  8: 'int32',
  16: 'float32',
  64: 'float64',
  256: 'int8',
  512: 'uint16',
}
const MM_PER_UNIT: Record<number, number> = { 0: 1, 1: 1000, 2: 1, 3: 0.001 } // unknown, m, mm, µm; unknown is mm in practice

/** 348 for NIfTI-1, 540 for NIfTI-2, by the first number of the header; 348 while that is not there yet. */
export function headerBytes(head: Uint8Array): number {
  if (head.length < 4) return HEADER_BYTES
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  return [view.getInt32(0, true), view.getInt32(0, false)].includes(NIFTI2_BYTES) ? NIFTI2_BYTES : HEADER_BYTES
}

/**
 * @param bytes       the first 348 bytes at least, of a NIfTI-2 file 540
 * @param components  numbers a voxel: 3 for a vector field, in the fifth dimension
 * @throws input.notNifti, input.unsupported, input.badValue, input.missingAttribute, geometry.sheared,
 *         geometry.inconsistent (sform and qform disagree)
 */
export function parseHeader(bytes: Uint8Array, where: string, components: 1 | 3 = 1): NiftiHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = headerBytes(bytes)
  const littleEndian = view.getInt32(0, true) === length
  if (!littleEndian && view.getInt32(0, false) !== length) throw notNifti(view, where)
  checkMagic(bytes, length === NIFTI2_BYTES ? 'n+2' : 'n+1', length === NIFTI2_BYTES ? 4 : 344, where)
  const fields = length === NIFTI2_BYTES ? fields2(view, littleEndian) : fields1(view, littleEndian)

  const type = TYPES[fields.dataType]
  if (!type) throw refuse(where, 'input.unsupported', `data type ${fields.dataType}`, Object.values(TYPES).join(', '))
  const size = sizeOf(fields.dim, components, where)
  const { dataOffset, intent } = fields
  if (!Number.isInteger(dataOffset) || dataOffset < length || dataOffset > MAX_EXTENSION_BYTES)
    throw refuse(where, 'input.badValue', `voxels at byte ${dataOffset}`, `${length} to ${MAX_EXTENSION_BYTES}`)
  const scaling = scalingOf(fields, where)
  const grid = gridOf(fields, size, where)
  const problem = gridProblem(grid, components * bytesPerElement(rescaledType(type, scaling.slope, scaling.intercept)))
  if (problem) throw refuse(where, problem.kind, problem.found, problem.expected)
  const dataBytes = voxelCount(grid) * components * bytesPerElement(type)
  return { littleEndian, grid, type, dataOffset, dataBytes, intent, ...scaling }
}

function checkMagic(bytes: Uint8Array, expected: 'n+1' | 'n+2', at: number, where: string): void {
  const magic = String.fromCharCode(...bytes.subarray(at, at + 3))
  if (magic === expected) return
  if (/^ni[12]$/.test(magic))
    throw refuse(
      where,
      'input.unsupported',
      'a header whose voxels are in another file (.hdr and .img)',
      'one .nii file',
    )
  throw refuse(where, 'input.notNifti', `no NIfTI mark at byte ${at}`, expected)
}

/** What both versions say, at other places and in other widths (nifti1.h, nifti2.h). */
type Fields = {
  dim: readonly number[]
  dataType: number
  dataOffset: number
  slope: number
  intercept: number
  intent: { code: number; name: string }
  unit: number
  qformCode: number
  sformCode: number
  /** pixdim[0] (the handedness) to pixdim[3]. */
  pixdim: readonly number[]
  /** b, c, d, then the offset x, y, z. */
  qform: readonly number[]
  /** Three rows of four. */
  sform: readonly number[]
}

function fields1(view: DataView, little: boolean): Fields {
  const int16 = (at: number): number => view.getInt16(at, little)
  const floats = (at: number, count: number): number[] =>
    Array.from({ length: count }, (_, n) => view.getFloat32(at + 4 * n, little))
  return {
    dim: Array.from({ length: 8 }, (_, n) => int16(40 + 2 * n)),
    dataType: int16(70),
    pixdim: floats(76, 4),
    dataOffset: floats(108, 1)[0]!,
    slope: floats(112, 1)[0]!,
    intercept: floats(116, 1)[0]!,
    intent: { code: int16(68), name: nameAt(view, 328) },
    unit: view.getUint8(123),
    qformCode: int16(252),
    sformCode: int16(254),
    qform: floats(256, 6),
    sform: floats(280, 12),
  }
}

function fields2(view: DataView, little: boolean): Fields {
  const int64 = (at: number): number => Number(view.getBigInt64(at, little))
  const doubles = (at: number, count: number): number[] =>
    Array.from({ length: count }, (_, n) => view.getFloat64(at + 8 * n, little))
  return {
    dim: Array.from({ length: 8 }, (_, n) => int64(16 + 8 * n)),
    dataType: view.getInt16(12, little),
    pixdim: doubles(104, 4),
    dataOffset: int64(168),
    slope: doubles(176, 1)[0]!,
    intercept: doubles(184, 1)[0]!,
    intent: { code: view.getInt32(504, little), name: nameAt(view, 508) },
    unit: view.getInt32(500, little),
    qformCode: view.getInt32(344, little),
    sformCode: view.getInt32(348, little),
    qform: doubles(352, 6),
    sform: doubles(400, 12),
  }
}

function nameAt(view: DataView, at: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, 16)
  return String.fromCharCode(...bytes).replace(/\0.*$/s, '')
}

function sizeOf([dimensions, ...dim]: readonly number[], components: 1 | 3, where: string): Vec3 {
  const sizes = dim.map((n, axis) => (axis < dimensions! ? n : 1))
  if (dimensions! < 1 || dimensions! > 7 || sizes.some((n) => n < 1))
    throw refuse(where, 'input.badValue', `dimensions ${dimensions}: ${sizes.join(' × ')}`, 'sizes of one or more')
  const beyond = sizes.slice(3)
  if (components === 3 && beyond.join() !== '1,3,1,1')
    throw refuse(where, 'input.badValue', sizes.join(' × '), 'one vector of three numbers a voxel: i × j × k × 1 × 3')
  if (components === 1 && beyond.some((n) => n !== 1))
    throw refuse(where, 'input.unsupported', `several volumes in one file (${sizes.join(' × ')})`, 'one volume')
  return [sizes[0]!, sizes[1]!, sizes[2]!]
}

/** nifti1.h: a slope of 0 means no scaling; nibabel writes NaN for the same. */
function scalingOf({ slope, intercept }: Fields, where: string): { slope: number; intercept: number } {
  if (slope === 0 || Number.isNaN(slope)) return { slope: 1, intercept: 0 }
  if (Number.isFinite(slope) && Number.isFinite(intercept)) return { slope, intercept }
  throw refuse(where, 'input.badValue', `slope ${slope}, intercept ${intercept}`, 'two numbers')
}

function gridOf(fields: Fields, size: Vec3, where: string): Grid {
  const unit = MM_PER_UNIT[fields.unit & 7]
  if (unit === undefined) throw refuse(where, 'input.badValue', `spatial unit ${fields.unit & 7}`, 'm, mm or µm')
  const { qformCode, sformCode } = fields
  const sform = sformCode > 0 ? gridFromRas(sformOf(fields.sform, unit), size) : undefined
  // nifti1.h: pixdim is positive; what a negative one means differs from reader to reader.
  const positive = fields.pixdim.slice(1).every((mm) => mm > 0)
  const qform = qformCode > 0 && positive ? gridFromRas(affineFromQform(qformFrom(fields, unit)), size) : undefined
  if (sformCode <= 0 && qformCode <= 0) {
    throw refuse(where, 'input.missingAttribute', 'neither sform nor qform', 'one that says where the voxels are')
  }
  if (sform === 'sheared') throw refuse(where, 'geometry.sheared', 'an sform whose axes lean', 'axes at right angles')
  const grid = sformCode > 0 ? sform : qform
  if (grid === undefined || grid === 'sheared') {
    throw refuse(where, 'input.badValue', 'an orientation with an axis of no length', 'three axes in millimetres')
  }
  if (sformCode > 0 && qformCode > 0) checkFormsAgree(grid, qform, where)
  return grid
}

function checkFormsAgree(sform: Grid, qform: Grid | 'sheared' | undefined, where: string): void {
  const apartMm = qform === undefined || qform === 'sheared' ? Infinity : gridDistanceMm(sform, qform)
  if (apartMm <= FORMS_AGREE_MM) return
  throw refuse(
    where,
    'geometry.inconsistent',
    `sform and qform ${apartMm.toFixed(2)} mm apart`,
    `at most ${FORMS_AGREE_MM} mm`,
    'Find out which one is right and set the code of the other one to 0.',
  )
}

function sformOf(rows: readonly number[], unit: number) {
  const column = (n: number): Vec3 => [rows[n]! * unit, rows[4 + n]! * unit, rows[8 + n]! * unit]
  return { linear: [column(0), column(1), column(2)] as const, offset: column(3) }
}

function qformFrom({ qform, pixdim }: Fields, unit: number) {
  const [b, c, d, x, y, z] = qform as [number, number, number, number, number, number]
  const [handed, dx, dy, dz] = pixdim as [number, number, number, number]
  const qfac = handed < 0 ? (-1 as const) : (1 as const) // nifti1.h: 0 counts as 1
  const offset = [x * unit, y * unit, z * unit] as const
  return { b, c, d, offset, spacingMm: [dx * unit, dy * unit, dz * unit] as const, qfac }
}

/** The 352 bytes before the voxels: both forms, millimetres, no scaling. @throws Error  a description over 79 bytes */
export function encodeHeader(grid: Grid, type: ElementType, description: string): Uint8Array {
  const bytes = new Uint8Array(PREFIX_BYTES)
  const view = new DataView(bytes.buffer)
  const text = new TextEncoder().encode(description)
  if (text.length > 79) throw new Error(`a NIfTI description of ${text.length} bytes: 79 fit`)
  const int16 = (at: number, ...values: number[]) => values.forEach((v, n) => view.setInt16(at + 2 * n, v, true))
  const float32 = (at: number, ...values: number[]) => values.forEach((v, n) => view.setFloat32(at + 4 * n, v, true))
  const { linear, offset } = swapRasLps(mmFromIndex(grid))
  const q = qformOf(grid)
  const code = Object.keys(TYPES).find((n) => TYPES[Number(n)] === type)

  view.setInt32(0, HEADER_BYTES, true)
  int16(40, 3, ...grid.size, 1, 1, 1, 1)
  int16(70, Number(code), 8 * bytesPerElement(type))
  float32(76, q.qfac, ...grid.spacingMm, 1, 1, 1, 1)
  float32(108, PREFIX_BYTES, 1, 0)
  view.setUint8(123, 2) // millimetres
  bytes.set(text, 148)
  int16(252, 1, 1) // both forms are scanner coordinates
  float32(256, q.b, q.c, q.d, ...q.offset)
  for (const row of [0, 1, 2] as const)
    float32(280 + 16 * row, linear[0][row], linear[1][row], linear[2][row], offset[row])
  bytes.set(new TextEncoder().encode('n+1'), 344)
  return bytes
}

function notNifti(view: DataView, where: string): LarmorError {
  const found = `a header that says it has ${view.getInt32(0, true)} bytes`
  return refuse(where, 'input.notNifti', found, `${HEADER_BYTES} or ${NIFTI2_BYTES}`)
}

function refuse(where: string, kind: FaultKind, found: string, expected: string, fix?: string): LarmorError {
  return new LarmorError({
    kind,
    message: 'The NIfTI header cannot be used.',
    where,
    found,
    expected,
    fix: fix ?? 'Write the file again with the program that made it, as a single-file NIfTI-1 volume.',
  })
}
