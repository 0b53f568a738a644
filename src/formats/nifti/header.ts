/**
 * The 348 bytes before the voxels of a NIfTI-1 file (nifti1.h, Cox et al. 2004), checked field by field.
 *
 * sform is taken where there is one, qform else. A file whose two forms disagree is refused, as is one with
 * neither: where the voxels are in the patient is never guessed.
 */
import { LarmorError } from '../../errors.ts'
import type { FaultKind } from '../../errors.ts'
import type { Grid, Vec3 } from '../../volume/index.ts'
import { gridDistanceMm, mmFromIndex } from '../../volume/index.ts'
import { bytesPerElement } from '../voxels.ts'
import type { ElementType } from '../voxels.ts'
import { affineFromQform, gridFromRas, qformOf, swapRasLps } from './geometry.ts'

export const HEADER_BYTES = 348
/** What comes before the voxels in a file of ours: the header and four bytes that say "no extension". */
export const PREFIX_BYTES = 352
/** A header that asks for more than this is corrupt or hostile: 2 GiB is 25 times the largest planning CT in int16. */
const MAX_VOXEL_BYTES = 2 ** 31
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

/**
 * @param bytes  the first 348 bytes at least
 * @throws input.notNifti, input.unsupported, input.badValue, input.missingAttribute, geometry.sheared,
 *         geometry.inconsistent (sform and qform disagree)
 */
export function parseHeader(bytes: Uint8Array, where: string): NiftiHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const littleEndian = view.getInt32(0, true) === HEADER_BYTES
  if (!littleEndian && view.getInt32(0, false) !== HEADER_BYTES) throw notNifti(view, where)
  const magic = String.fromCharCode(...bytes.subarray(344, 347))
  if (magic === 'ni1') {
    throw refuse(
      where,
      'input.unsupported',
      'a header whose voxels are in another file (.hdr and .img)',
      'one .nii file',
    )
  }
  if (magic !== 'n+1') throw refuse(where, 'input.notNifti', 'no NIfTI-1 mark at byte 344', 'n+1')

  const at = reader(view, littleEndian)
  const type = TYPES[at.int16(70)]
  if (!type) throw refuse(where, 'input.unsupported', `data type ${at.int16(70)}`, Object.values(TYPES).join(', '))
  const size = sizeOf(at, where)
  const dataBytes = size[0] * size[1] * size[2] * bytesPerElement(type)
  if (dataBytes > MAX_VOXEL_BYTES) {
    throw refuse(
      where,
      'input.unsupported',
      `${size.join(' × ')} voxels, ${dataBytes} bytes`,
      `${MAX_VOXEL_BYTES} at most`,
    )
  }
  const dataOffset = at.float32(108)
  if (!Number.isInteger(dataOffset) || dataOffset < HEADER_BYTES || dataOffset > MAX_EXTENSION_BYTES)
    throw refuse(where, 'input.badValue', `voxels at byte ${dataOffset}`, `${HEADER_BYTES} to ${MAX_EXTENSION_BYTES}`)
  return { littleEndian, grid: gridOf(at, size, where), type, dataOffset, dataBytes, ...scalingOf(at) }
}

type Reader = { int16(at: number): number; uint8(at: number): number; float32(at: number): number }

function reader(view: DataView, littleEndian: boolean): Reader {
  return {
    int16: (at) => view.getInt16(at, littleEndian),
    uint8: (at) => view.getUint8(at),
    float32: (at) => view.getFloat32(at, littleEndian),
  }
}

function sizeOf(at: Reader, where: string): Vec3 {
  const dimensions = at.int16(40)
  const sizes = [1, 2, 3, 4, 5, 6, 7].map((n) => (n <= dimensions ? at.int16(40 + 2 * n) : 1))
  if (dimensions < 1 || dimensions > 7 || sizes.some((n) => n < 1))
    throw refuse(where, 'input.badValue', `dimensions ${dimensions}: ${sizes.join(' × ')}`, 'sizes of one or more')
  if (sizes.slice(3).some((n) => n !== 1))
    throw refuse(where, 'input.unsupported', `several volumes in one file (${sizes.join(' × ')})`, 'one volume')
  return [sizes[0]!, sizes[1]!, sizes[2]!]
}

/** nifti1.h: a slope of 0 means no scaling; nibabel writes NaN for the same. */
function scalingOf(at: Reader): { slope: number; intercept: number } {
  const [slope, intercept] = [at.float32(112), at.float32(116)]
  if (slope === 0 || !Number.isFinite(slope)) return { slope: 1, intercept: 0 }
  return { slope, intercept: Number.isFinite(intercept) ? intercept : 0 }
}

function gridOf(at: Reader, size: Vec3, where: string): Grid {
  const unit = MM_PER_UNIT[at.uint8(123) & 7]
  if (unit === undefined) throw refuse(where, 'input.badValue', `spatial unit ${at.uint8(123) & 7}`, 'm, mm or µm')
  const [qformCode, sformCode] = [at.int16(252), at.int16(254)]
  const sform = sformCode > 0 ? gridFromRas(sformAt(at, unit), size) : undefined
  const qform = qformCode > 0 ? gridFromRas(affineFromQform(qformAt(at, unit)), size) : undefined
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

function sformAt(at: Reader, unit: number) {
  const row = (byte: number) => [0, 4, 8, 12].map((n) => at.float32(byte + n) * unit)
  const rows = [row(280), row(296), row(312)] as const
  const column = (n: number): Vec3 => [rows[0][n]!, rows[1][n]!, rows[2][n]!]
  return { linear: [column(0), column(1), column(2)] as const, offset: column(3) }
}

function qformAt(at: Reader, unit: number) {
  const three = (byte: number): Vec3 => [at.float32(byte), at.float32(byte + 4), at.float32(byte + 8)]
  const [b, c, d] = three(256)
  const [x, y, z] = three(268)
  const [dx, dy, dz] = three(80)
  const qfac = at.float32(76) < 0 ? (-1 as const) : (1 as const) // nifti1.h: 0 counts as 1
  return {
    b,
    c,
    d,
    offset: [x * unit, y * unit, z * unit] as const,
    spacingMm: [dx * unit, dy * unit, dz * unit] as const,
    qfac,
  }
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
  const size = view.getInt32(0, true)
  if (size === 540 || view.getInt32(0, false) === 540)
    return refuse(where, 'input.unsupported', 'a NIfTI-2 header', 'NIfTI-1')
  return refuse(where, 'input.notNifti', `a header that says it has ${size} bytes`, `${HEADER_BYTES}`)
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
