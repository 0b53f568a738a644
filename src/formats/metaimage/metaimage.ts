/**
 * MetaImage with header and voxels in one file (.mha), or the voxels in a file beside it (.mhd), raw or
 * zlib-compressed, as ITK and SimpleITK write it. Ours are written as .mha.
 *
 * Source  https://itk.org/Wiki/ITK/MetaIO/Documentation. ITK's millimetres are LPS already.
 * Layout  TransformMatrix lists the directions of the i, j and k axes one after the other.
 */
import { basename, dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { createDeflate } from 'node:zlib'
import { LarmorError } from '../../errors.ts'
import type { FaultKind } from '../../errors.ts'
import { writeChunksAtomic } from '../../files.ts'
import { dot, norm, volume, voxelCount } from '../../volume/index.ts'
import type { Grid, Mat3, Vec3, Volume } from '../../volume/index.ts'
import { gridProblem } from '../limits.ts'
import { fieldOf, MAX_DEFLATE_RATIO, readStart, readVoxels } from '../voxel-stream.ts'
import { bytesPerElement, elementsOf, elementTypeOf, inPieces, unlessAborted } from '../voxels.ts'
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
/** Cosine between two axes that still counts as a right angle. */
const LARGEST_LEAN = 2e-4

type Header = { fields: ReadonlyMap<string, string>; dataOffset: number }

/**
 * @throws input.notFound, input.notMetaImage, input.unsupported, input.badValue, input.missingAttribute,
 *         input.truncated, input.corrupt, geometry.sheared
 */
export async function readMetaImage(path: string): Promise<Volume> {
  const start = await readStart(path, MAX_HEADER_BYTES)
  if (!start) throw refuse(path, 'input.notFound', 'nothing that can be read', 'a MetaImage file')
  const header = headerOf(start.head, path)
  checkKind(header, path)
  const type = typeOf(header, path)
  const grid = gridOf(header, path)
  const problem = gridProblem(grid, bytesPerElement(type))
  if (problem) throw refuse(path, problem.kind, problem.found, problem.expected)
  const bytes = await voxelBytes(header, voxelCount(grid) * bytesPerElement(type), path)
  const big = isTrue(header, 'BinaryDataByteOrderMSB') || isTrue(header, 'ElementByteOrderMSB')
  return volume(grid, elementsOf(bytes, type, !big))
}

/** Writes a volume atomically, zlib-compressed, with its own element type. */
export async function writeMetaImage(
  path: string,
  { grid, values }: Volume,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const type = elementTypeOf(values)
  const metaType = Object.keys(TYPES).find((name) => TYPES[name] === type)
  // The header says how long the packed bytes are, so they are made first; they are a third of the volume or so.
  const packed: Uint8Array[] = []
  const deflate = Readable.from(inPieces(values), { objectMode: false }).pipe(createDeflate({ level: 1 }))
  for await (const chunk of unlessAborted(deflate, options.signal, path)) packed.push(chunk)
  const text = [
    'ObjectType = Image',
    'NDims = 3',
    'BinaryData = True',
    'BinaryDataByteOrderMSB = False',
    'CompressedData = True',
    `CompressedDataSize = ${packed.reduce((sum, { length }) => sum + length, 0)}`,
    `TransformMatrix = ${grid.direction.flat().join(' ')}`,
    `Offset = ${grid.originMm.join(' ')}`,
    'CenterOfRotation = 0 0 0',
    `ElementSpacing = ${grid.spacingMm.join(' ')}`,
    `DimSize = ${grid.size.join(' ')}`,
    `ElementType = ${metaType}`,
    'ElementDataFile = LOCAL\n',
  ]
  await writeChunksAtomic(path, [text.join('\n'), ...packed])
}

/** ElementDataFile is the last line (it ends the header by definition); the voxels follow at once. */
function headerOf(head: Buffer, path: string): Header {
  const text = head.toString('latin1')
  const fields = new Map<string, string>()
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf('\n', at)
    const end = newline < 0 ? text.length : newline + 1
    const field = fieldOf(text.slice(at, end), '=')
    at = end
    if (field) fields.set(...field)
    if (field?.[0] !== 'ElementDataFile') continue
    if (['ObjectType', 'NDims', 'Comment'].some((name) => fields.has(name))) return { fields, dataOffset: at }
    break
  }
  const lines = 'lines from ObjectType or NDims to ElementDataFile'
  throw refuse(path, 'input.notMetaImage', 'no MetaImage header', lines)
}

/** Behind the header, or in the file beside it that the header names; nowhere else: a header may not read what it likes. */
async function voxelBytes(header: Header, length: number, path: string): Promise<Uint8Array<ArrayBuffer>> {
  const name = header.fields.get('ElementDataFile')!
  const own = name === 'LOCAL'
  const file = own ? path : besides(path, name)
  const start = own ? header.dataOffset : 0
  const info = await readStart(file, 0)
  if (!info) throw refuse(path, 'input.notFound', `no file ${name} beside it`, 'the file with the voxels')
  const packing = isTrue(header, 'CompressedData') ? 'zlib' : 'raw'
  const most = packing === 'raw' ? info.size - start : (info.size - start) * MAX_DEFLATE_RATIO
  if (most < length) throw refuse(path, 'input.truncated', `${info.size - start} bytes for voxels`, `${length} bytes`)
  const voxels = await readVoxels(file, start, length, packing)
  if ('bytes' in voxels) return voxels.bytes
  throw refuse(path, voxels.problem, voxels.found, `${length} bytes of voxels`, voxels.cause)
}

function besides(path: string, name: string): string {
  if (/^LIST\b/i.test(name) || /%\d*d/.test(name))
    throw refuse(path, 'input.unsupported', 'voxels in several files', 'one data file')
  if (basename(name) !== name || name === '' || name.startsWith('.') || name.includes('\0'))
    throw refuse(path, 'input.badValue', 'a data file in another folder', 'the name of a file beside the header')
  return join(dirname(path), name)
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
