/**
 * MetaImage with header and voxels in one file (.mha), or the voxels in a file beside it (.mhd), raw or
 * zlib-compressed, as ITK and SimpleITK write it. Ours are written as .mha.
 *
 * Source  https://itk.org/Wiki/ITK/MetaIO/Documentation. ITK's millimetres are LPS already.
 * Layout  TransformMatrix lists the directions of the i, j and k axes one after the other.
 */
import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { deflateSync, inflateSync } from 'node:zlib'
import { LarmorError } from '../../errors.ts'
import type { FaultKind } from '../../errors.ts'
import { writeChunksAtomic } from '../../files.ts'
import { dot, norm, volume } from '../../volume/index.ts'
import type { Grid, Mat3, Vec3, Volume } from '../../volume/index.ts'
import { bytesOf, bytesPerElement, elementsOf, elementTypeOf } from '../voxels.ts'
import type { ElementType } from '../voxels.ts'

const TYPES: Record<string, ElementType> = {
  MET_CHAR: 'int8',
  MET_UCHAR: 'uint8',
  MET_SHORT: 'int16',
  MET_USHORT: 'uint16',
  MET_INT: 'int32',
  MET_FLOAT: 'float32',
  MET_DOUBLE: 'float64',
}
/** The header is text of some hundred bytes; a file without its last line within this is another format. */
const MAX_HEADER_BYTES = 2 ** 16
/** As for NIfTI: 2 GiB is 25 times the largest planning CT in int16. */
const MAX_VOXEL_BYTES = 2 ** 31
/** Cosine between two axes that still counts as a right angle. */
const LARGEST_LEAN = 2e-4

type Header = { fields: ReadonlyMap<string, string>; dataOffset: number }

/**
 * @throws input.notFound, input.notMetaImage, input.unsupported, input.badValue, input.missingAttribute,
 *         input.truncated, input.corrupt, geometry.sheared
 */
export async function readMetaImage(path: string): Promise<Volume> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw refuse(path, 'input.notFound', 'nothing that can be read', 'a MetaImage file', cause)
  })
  const header = headerOf(bytes, path)
  checkKind(header, path)
  const grid = gridOf(header, path)
  const type = typeOf(header, path)
  const length = grid.size[0] * grid.size[1] * grid.size[2] * bytesPerElement(type)
  if (length > MAX_VOXEL_BYTES) throw refuse(path, 'input.unsupported', `${length} bytes`, `${MAX_VOXEL_BYTES} at most`)
  const stored = await voxelBytes(bytes, header, path)
  const data = isTrue(header, 'CompressedData') ? inflate(stored, length, path) : stored
  if (data.length < length) throw refuse(path, 'input.truncated', `${data.length} bytes of voxels`, `${length} bytes`)
  const own = new Uint8Array(data.subarray(0, length)) // a buffer of its own: the file's offset need not be aligned
  return volume(
    grid,
    elementsOf(own, type, !isTrue(header, 'BinaryDataByteOrderMSB') && !isTrue(header, 'ElementByteOrderMSB')),
  )
}

/** Writes a volume atomically, zlib-compressed, with its own element type. */
export async function writeMetaImage(path: string, { grid, values }: Volume): Promise<void> {
  const type = elementTypeOf(values)
  const metaType = Object.keys(TYPES).find((name) => TYPES[name] === type)
  const data = deflateSync(bytesOf(values), { level: 1 })
  const text = [
    'ObjectType = Image',
    'NDims = 3',
    'BinaryData = True',
    'BinaryDataByteOrderMSB = False',
    'CompressedData = True',
    `CompressedDataSize = ${data.length}`,
    `TransformMatrix = ${grid.direction.flat().join(' ')}`,
    `Offset = ${grid.originMm.join(' ')}`,
    'CenterOfRotation = 0 0 0',
    `ElementSpacing = ${grid.spacingMm.join(' ')}`,
    `DimSize = ${grid.size.join(' ')}`,
    `ElementType = ${metaType}`,
    'ElementDataFile = LOCAL\n',
  ]
  await writeChunksAtomic(path, [text.join('\n'), data])
}

/** ElementDataFile is the last line (it ends the header by definition); the voxels follow at once. */
function headerOf(bytes: Buffer, path: string): Header {
  const text = bytes.toString('latin1', 0, Math.min(bytes.length, MAX_HEADER_BYTES))
  const last = /^ElementDataFile\s*=[^\n]*\n/m.exec(text)
  if (!last || !/^(ObjectType|NDims|Comment)\s*=/.test(text))
    throw refuse(path, 'input.notMetaImage', 'no MetaImage header', 'lines from ObjectType or NDims to ElementDataFile')
  const dataOffset = last.index + last[0].length
  const fields = new Map<string, string>()
  for (const line of text.slice(0, dataOffset).split('\n')) {
    const [, key, value] = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (key !== undefined && value !== undefined) fields.set(key, value)
  }
  return { fields, dataOffset }
}

/** Behind the header, or in the file beside it that the header names; nowhere else: a header may not read what it likes. */
async function voxelBytes(bytes: Buffer, { fields, dataOffset }: Header, path: string): Promise<Buffer> {
  const name = fields.get('ElementDataFile')!
  if (name === 'LOCAL') return bytes.subarray(dataOffset)
  if (/^LIST\b/i.test(name) || /%\d*d/.test(name))
    throw refuse(path, 'input.unsupported', 'voxels in several files', 'one data file')
  if (basename(name) !== name || name === '' || name.startsWith('.'))
    throw refuse(path, 'input.badValue', 'a data file in another folder', 'the name of a file beside the header')
  return readFile(join(dirname(path), name)).catch((cause: unknown) => {
    throw refuse(path, 'input.notFound', `no file ${name} beside it`, 'the file with the voxels', cause)
  })
}

function checkKind({ fields }: Header, path: string): void {
  if (fields.get('BinaryData')?.toLowerCase() === 'false')
    throw refuse(path, 'input.unsupported', 'voxels as text', 'BinaryData = True')
  if (fields.has('HeaderSize') && fields.get('HeaderSize') !== '0')
    throw refuse(path, 'input.unsupported', `HeaderSize ${fields.get('HeaderSize')}`, 'voxels right after the header')
  const channels = fields.get('ElementNumberOfChannels') ?? '1'
  if (channels !== '1') throw refuse(path, 'input.unsupported', `${channels} channels`, 'one value a voxel')
}

function gridOf(header: Header, path: string): Grid {
  const dimensions = numbers(header, path, 1, 'NDims')[0]
  if (dimensions !== 3) throw refuse(path, 'input.unsupported', `${dimensions} dimensions`, '3')
  const size = numbers(header, path, 3, 'DimSize')
  const spacing = numbers(header, path, 3, 'ElementSpacing')
  const m = numbers(header, path, 9, 'TransformMatrix', 'Rotation', 'Orientation')
  const origin = numbers(header, path, 3, 'Offset', 'Position', 'Origin')
  if (!size.every((n) => Number.isInteger(n) && n > 0))
    throw refuse(path, 'input.badValue', `DimSize ${size.join(' ')}`, 'sizes of one or more')
  if (!spacing.every((mm) => mm > 0))
    throw refuse(path, 'input.badValue', `ElementSpacing ${spacing.join(' ')}`, 'positive distances')
  const direction: Mat3 = [three(m.slice(0, 3)), three(m.slice(3, 6)), three(m.slice(6))]
  const [i, j, k] = direction
  if (direction.some((axis) => Math.abs(norm(axis) - 1) > 1e-3))
    throw refuse(path, 'input.badValue', `TransformMatrix ${m.join(' ')}`, 'unit vectors')
  if (Math.max(Math.abs(dot(i, j)), Math.abs(dot(i, k)), Math.abs(dot(j, k))) > LARGEST_LEAN)
    throw refuse(path, 'geometry.sheared', `TransformMatrix ${m.join(' ')}`, 'axes at right angles')
  return { size: three(size), spacingMm: three(spacing), originMm: three(origin), direction }
}

function typeOf({ fields }: Header, path: string): ElementType {
  const name = fields.get('ElementType')
  const type = name === undefined ? undefined : TYPES[name]
  if (!type)
    throw refuse(path, 'input.unsupported', `element type ${name ?? 'not given'}`, Object.keys(TYPES).join(', '))
  return type
}

/** The field goes by several names; the first that is there counts. */
function numbers({ fields }: Header, path: string, count: number, ...names: readonly string[]): number[] {
  const name = names.find((one) => fields.has(one))
  if (name === undefined) throw refuse(path, 'input.missingAttribute', `no ${names.join(' or ')}`, `${count} numbers`)
  const values = fields.get(name)!.split(/\s+/).map(Number)
  if (values.length !== count || !values.every(Number.isFinite))
    throw refuse(path, 'input.badValue', `${name} = ${fields.get(name)}`, `${count} numbers`)
  return values
}

function three(values: readonly number[]): Vec3 {
  return [values[0]!, values[1]!, values[2]!]
}

function isTrue({ fields }: Header, name: string): boolean {
  return fields.get(name)?.toLowerCase() === 'true'
}

function inflate(bytes: Uint8Array, length: number, path: string): Uint8Array {
  try {
    return inflateSync(bytes, { maxOutputLength: Math.max(1, length) })
  } catch (cause) {
    const short = cause instanceof Error && 'code' in cause && cause.code === 'Z_BUF_ERROR'
    const found = cause instanceof Error ? cause.message : 'bytes that do not unpack'
    throw refuse(path, short ? 'input.truncated' : 'input.corrupt', found, `${length} bytes of voxels`, cause)
  }
}

function refuse(where: string, kind: FaultKind, found: string, expected: string, cause?: unknown): LarmorError {
  return new LarmorError(
    {
      kind,
      message: 'The MetaImage file cannot be read.',
      where,
      found,
      expected,
      fix: 'Write the file again with the program that made it, as one .mha file with a single 3-D volume.',
    },
    cause,
  )
}
