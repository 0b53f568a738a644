/** The series of the bench: a real one, the same compressed in several ways, and one of 600 slices made by a formula. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newUid, readImage, writeDicomSeries } from '../../src/formats/index.ts'
import type { CtVolume, Grid } from '../../src/volume/index.ts'
import { volume, voxelCount } from '../../src/volume/index.ts'
import { CODECS, encodedWith } from '../../test/fuzz/made-codestreams.ts'
import type { CodecName } from '../../test/fuzz/made-codestreams.ts'
import { item, SEQUENCE_END } from '../../test/fuzz/made-dicom.ts'
import { elementBytes, uint } from '../../test/formats/dicom-made.ts'
import { sharedData } from '../../test/shared-data.ts'

/** The largest real CT at hand (103 slices of 512²), unpacked into `folder`; undefined where it is not there. */
export function realSeries(folder: string): string | undefined {
  const set = sharedData('pork-ct-mr')
  if (set === undefined) return undefined
  mkdirSync(folder, { recursive: true })
  execFileSync('tar', ['xJf', join(set, 'ct-dicom.tar.xz'), '-C', folder])
  return existsSync(join(folder, 'ct')) ? join(folder, 'ct') : undefined
}

/** A head of water in air, with some noise so that it does not compress better than a patient. */
export async function writeMadeSeries(folder: string, slices: number): Promise<string> {
  const grid: Grid = {
    size: [512, 512, slices],
    spacingMm: [0.6, 0.6, 0.6],
    originMm: [-153, -153, 0],
    direction: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
  }
  const values = new Int16Array(voxelCount(grid))
  for (let n = 0; n < values.length; n++) {
    const [i, j] = [n % 512, Math.floor(n / 512) % 512]
    const inside = Math.hypot(i - 256, j - 256) < 180
    values[n] = (inside ? 30 : -1000) + ((Math.imul(n, 2654435761) >>> 27) - 16)
  }
  await written(folder, volume(grid, values))
  return folder
}

/** Explicit VR little endian: what the compressed twins are made from, and the same pixels as theirs. */
export async function writePlainTwin(source: string, folder: string): Promise<string> {
  await written(folder, (await readImage(source)).volume as CtVolume)
  return folder
}

async function written(folder: string, ct: CtVolume): Promise<void> {
  await writeDicomSeries(folder, {
    volume: ct,
    modality: 'CT',
    patient: { id: 'BENCH', name: 'BENCH' },
    studyUid: newUid('bench', folder),
    seriesUid: newUid('bench', folder, 'ct'),
    frameOfReferenceUid: newUid('bench', folder, 'frame'),
    seriesNumber: 1,
    description: 'bench',
    patientPosition: 'HFS',
  })
}

const PIXEL_DATA = Buffer.from([0xe0, 0x7f, 0x10, 0x00, 0x4f, 0x57, 0, 0]) // (7fe0,0010) OW

/** The same files with their pixel data as one fragment each. */
export async function writeCompressedTwin(plain: string, folder: string, name: CodecName): Promise<string> {
  const { syntaxUid } = CODECS.find((codec) => codec.name === name)!
  mkdirSync(folder)
  for (const file of readdirSync(plain)) {
    const bytes = readFileSync(join(plain, file))
    const at = bytes.lastIndexOf(PIXEL_DATA, bytes.length - 512 * 512 * 2)
    const samples = new Uint16Array(
      bytes.buffer.slice(bytes.byteOffset + at + 12, bytes.byteOffset + at + 12 + 2 * 512 * 512),
    )
    const frame = Buffer.from(await encodedWith(name, samples, 512, 16))
    const even = Buffer.concat([frame, Buffer.alloc(frame.length % 2)])
    const pixels = Buffer.concat([PIXEL_DATA.subarray(0, 4), Buffer.from('OB\0\0'), uint(0xffffffff, 4)])
    const head = withSyntax(bytes.subarray(0, at), syntaxUid)
    writeFileSync(join(folder, file), Buffer.concat([head, pixels, item(Buffer.alloc(0)), item(even), SEQUENCE_END]))
  }
  return folder
}

/** Another transfer syntax, and the length of the meta information that follows from it. */
function withSyntax(head: Buffer, syntaxUid: string): Buffer {
  const at = head.indexOf(Buffer.from([2, 0, 0x10, 0, 0x55, 0x49]))
  const old = 8 + head.readUInt16LE(at + 6)
  const syntax = elementBytes([0x00020010, 'UI', syntaxUid], 'explicit')
  const out = Buffer.concat([head.subarray(0, at), syntax, head.subarray(at + old)])
  const length = head.indexOf(Buffer.from([2, 0, 0, 0, 0x55, 0x4c])) + 8
  out.writeUInt32LE(head.readUInt32LE(length) + syntax.length - old, length)
  return out
}
