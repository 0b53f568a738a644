/** NIfTI, MetaImage and NRRD made to do harm: affines that are none, bombs, headers that name other files. */
import { gzipSync } from 'node:zlib'
import type { Random } from '../../src/random.ts'
import type { Files } from './seeds.ts'

const one = (name: string, bytes: Buffer): Files => new Map([[name, bytes]])
const MEBIBYTE = 2 ** 20
export const STRANGE = [NaN, Infinity, -Infinity, 1e38, -1e38, 1e-40, 0, 1e12, 1e-12]

/** A NIfTI-1 header of `size` whose voxels are zeros, gzipped, `share` of them there. */
export function gzipBomb(random: Random): Files {
  const size = [
    [1024, 1024, 512],
    [2048, 2048, 1024],
    [5, 4, 3],
    [32767, 32767, 2],
  ][random.below(4)]!
  const header = niftiHeader(size)
  const voxels = Buffer.alloc(
    Math.min(400 * MEBIBYTE, size.reduce((a, b) => a * b) * 2 + random.below(2) * 300 * MEBIBYTE),
  )
  return one('bomb.nii.gz', gzipSync(Buffer.concat([header, voxels]), { level: 1 }))
}
function niftiHeader(size: readonly number[], change: (header: Buffer) => void = () => {}): Buffer {
  const header = Buffer.alloc(352)
  header.writeInt32LE(348, 0)
  ;[3, ...size, 1, 1, 1, 1].forEach((n, at) => header.writeUInt16LE(n, 40 + 2 * at))
  header.writeInt16LE(4, 70)
  header.writeInt16LE(16, 72)
  ;[1, 0.5, 0.75, 2.5].forEach((mm, at) => header.writeFloatLE(mm, 76 + 4 * at))
  header.writeFloatLE(352, 108)
  header.writeInt16LE(1, 254)
  ;[0.5, 0, 0, 1, 0, 0.75, 0, 2, 0, 0, 2.5, 3].forEach((mm, at) => header.writeFloatLE(mm, 280 + 4 * at))
  header.write('n+1\0', 344, 'latin1')
  change(header)
  return header
}
export function niftiAffine(random: Random): Files {
  const header = niftiHeader([5, 4, 3], (bytes) => {
    for (let n = 1 + random.below(6); n > 0; n--) {
      const at = [76, 256, 280, 112][random.below(4)]! + 4 * random.below(12)
      if (at < 340) bytes.writeFloatLE(STRANGE[random.below(STRANGE.length)]!, at)
    }
    bytes.writeInt16LE(random.below(3), 252)
    bytes.writeInt16LE(random.below(3), 254)
  })
  return one('affine.nii', Buffer.concat([header, Buffer.alloc(120)]))
}

const NAMES = [
  '/etc/passwd',
  '../../../../etc/passwd',
  '../x.raw',
  'LIST',
  'v%02d.raw 1 2 1',
  '.',
  '..',
  '',
  'v.mhd',
  '/dev/zero',
  'v.raw\0',
  'a/b.raw',
]
export function textHeader(random: Random): Files {
  const [pick, number] = [
    (list: readonly string[]) => list[random.below(list.length)]!,
    () => STRANGE[random.below(STRANGE.length)]!,
  ]
  const size = pick([
    '5 4 3',
    '5 4 -3',
    '1e9 1e9 1e9',
    '65536 65536 65536',
    '5 4',
    '5 4 3 2',
    'NaN 4 3',
    '2000 2000 200',
    '0 0 0',
  ])
  const blanks = ' '.repeat([0, 0, 60_000, 900_000][random.below(4)]!)
  const maybe = (share: number, value: string): string => (random.uniform() < share ? `${number()}` : value)
  const voxels: [string, Buffer] = ['v.raw', Buffer.alloc(240)]
  if (random.uniform() < 0.5) {
    const text = `ObjectType = Image\nNDims = 3\nBinaryData = True\nTransformMatrix = ${maybe(0.3, '1')} 0 0 0 1 0 0 0 1\nComment = x${blanks}x
Offset = ${maybe(0.3, '0')} 0 0\nElementSpacing = ${maybe(0.3, '1')} 1 1\nDimSize = ${size}\nElementType = MET_SHORT\nElementDataFile = ${pick(NAMES)}\n`
    return new Map([['v.mhd', Buffer.from(text)], voxels])
  }
  const text = `NRRD0004\ntype: short\ndimension: 3\nspace: lps\nsizes: ${size}\nspace directions: (${maybe(0.3, '1')},0,0) (0,1,0) (0,0,1)
content: x${blanks}x\nencoding: ${pick(['raw', 'gzip', 'bz2', 'hex'])}\nendian: little\nspace origin: (${maybe(0.3, '0')},0,0)\ndata file: ${pick(NAMES)}\n`
  return new Map([['v.nhdr', Buffer.from(text)], voxels])
}
export function packedBomb(random: Random): Files {
  const zeros = gzipSync(Buffer.alloc(300 * MEBIBYTE), { level: 1 })
  const size = ['5 4 3', '1024 1024 512', '1024 1024 100'][random.below(3)]!
  const nrrd = `NRRD0004\ntype: short\ndimension: 3\nspace: lps\nsizes: ${size}\nspace directions: (1,0,0) (0,1,0) (0,0,1)\nencoding: gzip\nendian: little\nspace origin: (0,0,0)\n\n`
  if (random.uniform() < 0.5) return one('b.nrrd', Buffer.concat([Buffer.from(nrrd), zeros]))
  const mha = `ObjectType = Image\nNDims = 3\nBinaryData = True\nCompressedData = True\nTransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nElementSpacing = 1 1 1\nDimSize = ${size}\nElementType = MET_SHORT\nElementDataFile = LOCAL\n`
  return one('b.mha', Buffer.concat([Buffer.from(mha), zeros]))
}
