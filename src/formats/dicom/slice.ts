/**
 * What one frame of a CT or MR image says of its place and its values (PS3.3 C.7.6.2, C.7.6.3, C.8.2, C.11.1).
 *
 * Units  positions and spacings in millimetres, patient LPS.
 */
import type { Vec3 } from '../../volume/index.ts'
import { cross, dot, norm, scale } from '../../volume/index.ts'
import { MAX_COORDINATE_MM } from '../limits.ts'
import { badValue, missing, numberOf, numbersOf, requiredNumbers, requiredText, textOf, textsOf } from './attributes.ts'
import { dicomFault } from './fault.ts'
import type { DicomFile } from './file.ts'
import type { Frame } from './frame.ts'
import type { DataSet } from './parse.ts'
import { transferSyntax } from './syntax.ts'

/** What it takes to find and decode the pixels of a frame. */
export type FramePixels = { frame: Frame; rows: number; columns: number; stored: StoredFormat }

export type Slice = FramePixels & {
  sopInstanceUid: string
  positionMm: Vec3
  /** Direction in which the column index grows, and the row index. */
  rowCosine: Vec3
  columnCosine: Vec3
  /** Between rows first, then between columns, as DICOM has it. */
  pixelSpacingMm: readonly [number, number]
  slope: number
  intercept: number
  /** Stored values of pixels outside the reconstruction, first and last. */
  padding: readonly [number, number] | undefined
}
export type StoredFormat = { bitsAllocated: 8 | 16; bitsStored: number; signed: boolean; littleEndian: boolean }

/** Cosines are written with six digits or so: further from unit length or a right angle they mean something else. */
const COSINE_TOLERANCE = 1e-3

/**
 * @throws input.unsupported       no decoder for its transfer syntax, classic multi-frame, mosaic, colour
 * @throws input.missingAttribute  no spacing, position, orientation, size; no rescale in a CT
 * @throws input.badValue, input.truncated (pixel data shorter than the matrix)
 */
export function readSlice(frame: Frame, modality: 'CT' | 'MR'): Slice {
  const { file, dataSet } = frame
  const path = frame.of === 1 ? file.path : `${file.path}, frame ${frame.index + 1}`
  refuseOtherKinds(frame, path)
  const [row, column] = orientationOf(dataSet, path)
  const [betweenRows, betweenColumns] = requiredNumbers(dataSet, 'PixelSpacing', 2, path) as [number, number]
  if (!(betweenRows > 0 && betweenColumns > 0))
    badValue('PixelSpacing', path, `${betweenRows} × ${betweenColumns} mm`, 'positive distances')
  const pixels = framePixels(frame, path)
  return {
    ...pixels,
    sopInstanceUid: requiredText(dataSet, 'SOPInstanceUID', path),
    positionMm: positionOf(dataSet, path),
    rowCosine: row,
    columnCosine: column,
    pixelSpacingMm: [betweenRows, betweenColumns],
    ...rescaleOf(dataSet, modality, path),
    padding: paddingOf(dataSet, pixels.stored, path),
  }
}

/**
 * @throws input.unsupported  no decoder for its transfer syntax
 * @throws input.missingAttribute, input.badValue, input.truncated, input.corrupt (not what the transfer syntax says)
 */
export function framePixels(frame: Frame, path: string): FramePixels {
  const { dataSet, file } = frame
  const { codec, name } = transferSyntax(file.transferSyntaxUid)
  if (codec === 'unreadable') throw noDecoder(path, `${name} (${file.transferSyntaxUid})`)
  const rows = matrixSize(dataSet, 'Rows', path)
  const columns = matrixSize(dataSet, 'Columns', path)
  const stored = storedFormat(dataSet, path)
  checkPixelLength(file, frame.of * rows * columns * (stored.bitsAllocated / 8))
  return { frame, rows, columns, stored }
}

function refuseOtherKinds({ dataSet }: Frame, path: string): void {
  const unsupported = (found: string, expected: string) =>
    dicomFault('input.unsupported', 'This kind of image cannot be read.', path, found, expected)
  const frames = numberOf(dataSet, 'NumberOfFrames', path)
  if (frames !== undefined && frames !== 1) throw unsupported(`${frames} frames in one file`, 'one file a slice')
  const imageType = textsOf(dataSet, 'ImageType')
  const tiled = imageType.find((word) => word === 'MOSAIC' || word === 'VFRAME')
  if (tiled) throw unsupported(`many slices tiled in one sheet (${tiled})`, 'one file a slice')
  const photometric = requiredText(dataSet, 'PhotometricInterpretation', path)
  if (photometric !== 'MONOCHROME2') throw unsupported(`photometric interpretation ${photometric}`, 'MONOCHROME2')
  const samples = numberOf(dataSet, 'SamplesPerPixel', path)
  if (samples !== undefined && samples !== 1) throw unsupported(`${samples} samples a pixel`, '1')
}

function positionOf(dataSet: DataSet, path: string): Vec3 {
  const [x, y, z] = requiredNumbers(dataSet, 'ImagePositionPatient', 3, path) as [number, number, number]
  const farMm = Math.max(Math.abs(x), Math.abs(y), Math.abs(z))
  if (farMm <= MAX_COORDINATE_MM) return [x, y, z]
  return badValue('ImagePositionPatient', path, `${farMm} mm`, `at most ${MAX_COORDINATE_MM} mm from the origin`)
}

function orientationOf(dataSet: DataSet, path: string): [row: Vec3, column: Vec3] {
  const cosines = requiredNumbers(dataSet, 'ImageOrientationPatient', 6, path)
  const row = cosines.slice(0, 3) as unknown as Vec3
  const column = cosines.slice(3) as unknown as Vec3
  const off = Math.max(Math.abs(norm(row) - 1), Math.abs(norm(column) - 1), Math.abs(dot(row, column)))
  if (!(off <= COSINE_TOLERANCE))
    badValue('ImageOrientationPatient', path, cosines.join(', '), 'two unit vectors at a right angle')
  const unitRow = scale(row, 1 / norm(row))
  const normal = cross(unitRow, column)
  return [unitRow, cross(scale(normal, 1 / norm(normal)), unitRow)]
}

function matrixSize(dataSet: DataSet, name: 'Rows' | 'Columns', path: string): number {
  const size = numberOf(dataSet, name, path) ?? missing(name, path)
  return size > 0 ? size : badValue(name, path, `${size}`, '1 or more')
}

function storedFormat(dataSet: DataSet, path: string): StoredFormat {
  const bitsAllocated = numberOf(dataSet, 'BitsAllocated', path) ?? missing('BitsAllocated', path)
  const bitsStored = numberOf(dataSet, 'BitsStored', path) ?? missing('BitsStored', path)
  const highBit = numberOf(dataSet, 'HighBit', path) ?? missing('HighBit', path)
  const representation = numberOf(dataSet, 'PixelRepresentation', path) ?? missing('PixelRepresentation', path)
  if (bitsAllocated !== 8 && bitsAllocated !== 16) badValue('BitsAllocated', path, `${bitsAllocated}`, '8 or 16')
  if (bitsStored < 1 || bitsStored > bitsAllocated)
    badValue('BitsStored', path, `${bitsStored}`, `1 to ${bitsAllocated}`)
  if (highBit !== bitsStored - 1)
    badValue('HighBit', path, `${highBit}`, `${bitsStored - 1}, below which all bits are stored`)
  if (representation > 1) badValue('PixelRepresentation', path, `${representation}`, '0 or 1')
  return { bitsAllocated, bitsStored, signed: representation === 1, littleEndian: dataSet.littleEndian }
}

function checkPixelLength({ pixelData, path, transferSyntaxUid }: DicomFile, expected: number): void {
  if (!pixelData)
    throw dicomFault(
      'input.missingAttribute',
      'The object has no pixel data.',
      path,
      'no PixelData (7fe0,0010)',
      `${expected} bytes`,
    )
  const found = pixelData.length
  const compressed = transferSyntax(transferSyntaxUid).codec !== 'none'
  if ((found === undefined) !== compressed)
    throw dicomFault(
      'input.corrupt',
      'The pixel data are not what the transfer syntax says.',
      path,
      found === undefined ? 'encapsulated fragments' : `${found} bytes without fragments`,
      transferSyntax(transferSyntaxUid).name,
    )
  if (found !== undefined && found < expected)
    throw dicomFault(
      'input.truncated',
      'The pixel data are too short.',
      path,
      `${found} bytes`,
      `${expected} bytes for the matrix`,
    )
}

/** MR has no Modality LUT of its own: absent means the stored values themselves. A CT without it has no HU. */
function rescaleOf(dataSet: DataSet, modality: 'CT' | 'MR', path: string): { slope: number; intercept: number } {
  const slope = numberOf(dataSet, 'RescaleSlope', path)
  const intercept = numberOf(dataSet, 'RescaleIntercept', path)
  if (slope === 0) badValue('RescaleSlope', path, '0', 'another number')
  if (modality === 'MR') return { slope: slope ?? 1, intercept: intercept ?? 0 }
  const type = textOf(dataSet, 'RescaleType')
  if (type !== undefined && type !== 'HU') badValue('RescaleType', path, type, 'HU')
  return { slope: slope ?? missing('RescaleSlope', path), intercept: intercept ?? missing('RescaleIntercept', path) }
}

/** PS3.3 C.7.5.1.1.2: one value, or a range up to the limit; signed as the pixels are, whatever VR the file used. */
function paddingOf(dataSet: DataSet, { signed }: StoredFormat, path: string): readonly [number, number] | undefined {
  const asPixel = (value: number): number => (signed ? (value << 16) >> 16 : value & 0xffff)
  const [value] = numbersOf(dataSet, 'PixelPaddingValue', path) ?? []
  const [limit] = numbersOf(dataSet, 'PixelPaddingRangeLimit', path) ?? []
  if (value === undefined) return undefined
  const ends = [asPixel(value), asPixel(limit ?? value)] as const
  return ends[0] <= ends[1] ? ends : [ends[1], ends[0]]
}

function noDecoder(path: string, found: string) {
  return dicomFault(
    'input.unsupported',
    'This compression cannot be read.',
    path,
    found,
    'uncompressed, RLE, JPEG Baseline (8 bit), JPEG Lossless, JPEG-LS, JPEG 2000 or HTJ2K',
    { fix: 'Have the archive send the series uncompressed (Explicit VR Little Endian).' },
  )
}
