/**
 * NRRD volumes, attached (.nrrd) and detached (.nhdr with its data beside it), raw and gzip, as 3D Slicer and ITK
 * write them.
 *
 * Source  https://teem.sourceforge.net/nrrd/format.html.
 * Frame   the header names its own space; left-posterior-superior is ours, the two others are turned at the door.
 */
import { basename, dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { LarmorError } from '../../errors.ts'
import type { FaultKind } from '../../errors.ts'
import { writeChunksAtomic } from '../../files.ts'
import { scale, volume, voxelCount } from '../../volume/index.ts'
import type { Grid, Vec3, Volume } from '../../volume/index.ts'
import { gridProblem } from '../limits.ts'
import { gridFromRas, swapRasLps } from '../nifti/geometry.ts'
import { fieldOf, MAX_DEFLATE_RATIO, readStart, readVoxels } from '../voxel-stream.ts'
import { bytesPerElement, elementsOf, elementTypeOf, inPieces } from '../voxels.ts'
import type { ElementType } from '../voxels.ts'

const TYPES: Readonly<Record<string, ElementType>> = Object.fromEntries(
  Object.entries({
    int8: 'int8, int8_t, signed char',
    uint8: 'uint8, uint8_t, uchar, unsigned char',
    int16: 'int16, int16_t, short, short int, signed short, signed short int',
    uint16: 'uint16, uint16_t, ushort, unsigned short, unsigned short int',
    int32: 'int32, int32_t, int, signed int',
    float32: 'float',
    float64: 'double',
  }).flatMap(([type, names]) => names.split(', ').map((name) => [name, type as ElementType])),
)
/** What takes the space of the file to LPS: the sign of each axis. */
const LPS_FROM: Readonly<Record<string, Vec3>> = {
  'left-posterior-superior': [1, 1, 1],
  lps: [1, 1, 1],
  'right-anterior-superior': [-1, -1, 1],
  ras: [-1, -1, 1],
  'left-anterior-superior': [1, -1, 1],
  las: [1, -1, 1],
}
/** A header is text of some hundred bytes; those of segmentations with their colours and tags stay below this. */
const MAX_HEADER_BYTES = 2 ** 20

type Header = { fields: ReadonlyMap<string, string>; end: number }

/**
 * @throws input.notFound, input.notNrrd, input.unsupported, input.badValue, input.missingAttribute, input.truncated,
 *         input.corrupt, geometry.sheared
 */
export async function readNrrd(path: string): Promise<Volume> {
  const start = await readStart(path, MAX_HEADER_BYTES)
  if (!start) throw refuse(path, 'input.notFound', `no ${basename(path)}`, 'a file that can be read')
  const header = headerOf(start.head, start.size, path)
  const type = typeOf(header, path)
  const grid = gridOf(header, path)
  const problem = gridProblem(grid, bytesPerElement(type))
  if (problem) throw refuse(path, problem.kind, problem.found, problem.expected)
  refuseSkips(header, path)
  const bytes = await voxelBytes(header, voxelCount(grid) * bytesPerElement(type), path)
  return volume(grid, elementsOf(bytes, type, isLittle(header, type, path)))
}

/** Writes a volume atomically, attached and gzipped, in LPS, with its own element type. */
export async function writeNrrd(path: string, { grid, values }: Volume): Promise<void> {
  const vector = (v: Vec3): string => `(${v.join(',')})`
  const text = [
    'NRRD0004',
    'content: volume',
    `type: ${elementTypeOf(values).replace('float32', 'float').replace('float64', 'double')}`,
    'dimension: 3',
    'space: left-posterior-superior',
    `sizes: ${grid.size.join(' ')}`,
    `space directions: ${grid.direction.map((axis, n) => vector(scale(axis, grid.spacingMm[n]!))).join(' ')}`,
    'kinds: domain domain domain',
    'endian: little',
    'encoding: gzip',
    `space origin: ${vector(grid.originMm)}`,
    '\n',
  ].join('\n')
  // Level 1: the higher ones cost twice the time for a tenth less.
  const packed = Readable.from(inPieces(values), { objectMode: false }).pipe(createGzip({ level: 1 }))
  await writeChunksAtomic(path, chunks(text, packed))
}

async function* chunks(text: string, packed: AsyncIterable<Uint8Array>): AsyncGenerator<string | Uint8Array> {
  yield text
  yield* packed
}

/** Only single bytes have no order. */
function isLittle({ fields }: Header, type: ElementType, path: string): boolean {
  const endian = fields.get('endian')?.toLowerCase()
  if (endian === 'little' || bytesPerElement(type) === 1) return true
  if (endian === 'big') return false
  throw refuse(path, 'input.missingAttribute', `endian ${endian ?? 'not given'}`, 'little or big')
}

/** Behind the header, or in the file beside it that the header names. */
async function voxelBytes(header: Header, length: number, path: string): Promise<Uint8Array<ArrayBuffer>> {
  const name = header.fields.get('data file') ?? header.fields.get('datafile')
  const [file, start] = name === undefined ? [path, header.end] : [besides(path, name), 0]
  const packing = packingOf(header, path)
  const info = await readStart(file, 0)
  if (!info) throw refuse(path, 'input.notFound', `no ${basename(file)}`, 'a file that can be read')
  const most = packing === 'raw' ? info.size - start : (info.size - start) * MAX_DEFLATE_RATIO
  if (most < length) throw refuse(path, 'input.truncated', `${info.size - start} bytes for voxels`, `${length} bytes`)
  const voxels = await readVoxels(file, start, length, packing)
  if ('bytes' in voxels) return voxels.bytes
  throw refuse(path, voxels.problem, voxels.found, `${length} bytes of voxels`, voxels.cause)
}

function packingOf({ fields }: Header, path: string): 'raw' | 'gzip' {
  const encoding = fields.get('encoding')?.toLowerCase()
  if (encoding === 'raw') return 'raw'
  if (encoding === 'gzip' || encoding === 'gz') return 'gzip'
  throw refuse(path, 'input.unsupported', `encoding ${encoding ?? 'not given'}`, 'raw or gzip')
}

/** A data file is looked for beside its header and nowhere else: a header may not read what it likes. */
function besides(path: string, name: string): string {
  if (/^LIST\b/i.test(name) || /%\d*d/.test(name))
    throw refuse(path, 'input.unsupported', 'voxels in several files', 'one data file')
  if (basename(name) !== name || name === '' || name.startsWith('.') || name.includes('\0'))
    throw refuse(path, 'input.badValue', 'a data file in another folder', 'the name of a file beside the header')
  return join(dirname(path), name)
}

/** Lines 'field: value' up to an empty one; 'key:=value' pairs and comments are passed over. */
function headerOf(head: Buffer, size: number, path: string): Header {
  const text = head.toString('latin1')
  if (!/^NRRD000[1-5]\r?\n/.test(text)) throw refuse(path, 'input.notNrrd', 'no NRRD mark', 'NRRD0001 to NRRD0005')
  const blank = /\r?\n\r?\n/.exec(text)
  const detached = blank === null && size <= MAX_HEADER_BYTES
  if (!blank && !detached) throw refuse(path, 'input.notNrrd', 'a header without an end', 'an empty line')
  const end = blank ? blank.index + blank[0].length : head.length
  const fields = new Map<string, string>()
  for (const line of text.slice(0, end).split('\n').slice(1)) {
    const field = line.startsWith('#') ? undefined : fieldOf(line, ': ')
    if (field && !field[0].includes(':')) fields.set(field[0].toLowerCase(), field[1])
  }
  return { fields, end }
}

function typeOf({ fields }: Header, path: string): ElementType {
  const name = fields.get('type')
  const type = name === undefined ? undefined : TYPES[name.toLowerCase()]
  if (type) return type
  throw refuse(path, 'input.unsupported', `type ${name ?? 'not given'}`, 'integers of 8 to 32 bits, float or double')
}

function gridOf({ fields }: Header, path: string): Grid {
  if (fields.get('dimension') !== '3')
    throw refuse(path, 'input.unsupported', `${fields.get('dimension') ?? 'no'} dimensions`, '3')
  const size = numbersIn(fields.get('sizes') ?? '')
  if (size.length !== 3 || !size.every((n) => Number.isInteger(n) && n > 0))
    throw refuse(path, 'input.badValue', `sizes ${fields.get('sizes')}`, 'three sizes of one or more')
  const signs = LPS_FROM[(fields.get('space') ?? '').toLowerCase()]
  if (!signs)
    throw refuse(path, 'input.missingAttribute', `space ${fields.get('space') ?? 'not given'}`, 'one of LPS, RAS, LAS')
  const vectors = [...(fields.get('space directions') ?? '').matchAll(/\(([^)]*)\)/g)].map(([, v]) => numbersIn(v!))
  const origin = numbersIn((fields.get('space origin') ?? '').replace(/[()]/g, ' '))
  const all = [...vectors, origin]
  if (vectors.length !== 3 || all.some((v) => v.length !== 3 || !v.every(Number.isFinite)))
    throw refuse(path, 'input.missingAttribute', 'no usable space directions or origin', 'three vectors and a point')
  const [i, j, k, offset] = all.map((v) => v.map((mm, n) => mm * signs[n]!) as unknown as Vec3)
  const grid = gridFromRas(swapRasLps({ linear: [i!, j!, k!], offset: offset! }), size as unknown as Vec3)
  if (grid === 'sheared') throw refuse(path, 'geometry.sheared', 'axes that lean', 'axes at right angles')
  return grid ?? badDirections(path)
}

function badDirections(path: string): never {
  throw refuse(path, 'input.badValue', 'a space direction of no length', 'three axes in millimetres')
}

/** Nobody in the field writes headers of another program before the voxels, so these two are refused. */
function refuseSkips({ fields }: Header, path: string): void {
  const skip = (name: string): number => Number(fields.get(name) ?? fields.get(name.replace(' ', '')) ?? 0)
  if (skip('line skip') !== 0 || skip('byte skip') !== 0)
    throw refuse(path, 'input.unsupported', 'lines or bytes to skip', 'voxels right after the header')
}

function numbersIn(text: string): number[] {
  return text
    .split(/[\s,]+/)
    .filter((word) => word !== '')
    .map(Number)
}

function refuse(where: string, kind: FaultKind, found: string, expected: string, cause?: unknown): LarmorError {
  const fix = 'Write the file again with the program that made it, as a 3-D .nrrd with a patient space.'
  const message = 'The NRRD file cannot be read.'
  return new LarmorError({ kind, message, where, found, expected, fix }, cause)
}
