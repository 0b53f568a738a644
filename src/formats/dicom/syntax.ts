/** Transfer syntaxes (PS3.5 section 10, PS3.6 annex A): which are read, by which decoder, and which lose something. */
import type { WasmCodec } from './codecs/wasm.ts'

export const SYNTAX = {
  implicitLittle: '1.2.840.10008.1.2',
  explicitLittle: '1.2.840.10008.1.2.1',
  deflated: '1.2.840.10008.1.2.1.99',
  explicitBig: '1.2.840.10008.1.2.2',
} as const

export type Codec = 'none' | 'rle' | 'jpegLossless' | WasmCodec
export type TransferSyntax = {
  name: string
  /** 'unreadable' where there is no decoder: 12-bit JPEG, the retired processes, video. */
  codec: Codec | 'unreadable'
  /** Whether the pixel values differ from those that the scanner made. */
  lossy: boolean
}

const JPEG = '1.2.840.10008.1.2.4'
const SYNTAXES: Readonly<Record<string, TransferSyntax>> = {
  [SYNTAX.implicitLittle]: { name: 'Implicit VR Little Endian', codec: 'none', lossy: false },
  [SYNTAX.explicitLittle]: { name: 'Explicit VR Little Endian', codec: 'none', lossy: false },
  [SYNTAX.deflated]: { name: 'Deflated Explicit VR Little Endian', codec: 'none', lossy: false },
  [SYNTAX.explicitBig]: { name: 'Explicit VR Big Endian', codec: 'none', lossy: false },
  '1.2.840.10008.1.2.5': { name: 'RLE Lossless', codec: 'rle', lossy: false },
  [`${JPEG}.50`]: { name: 'JPEG Baseline', codec: 'jpegBaseline', lossy: true },
  [`${JPEG}.51`]: { name: 'JPEG Extended (12 bit)', codec: 'unreadable', lossy: true },
  [`${JPEG}.53`]: { name: 'JPEG Spectral Selection (retired)', codec: 'unreadable', lossy: true },
  [`${JPEG}.55`]: { name: 'JPEG Full Progression (retired)', codec: 'unreadable', lossy: true },
  [`${JPEG}.57`]: { name: 'JPEG Lossless', codec: 'jpegLossless', lossy: false },
  [`${JPEG}.70`]: { name: 'JPEG Lossless, Selection Value 1', codec: 'jpegLossless', lossy: false },
  [`${JPEG}.80`]: { name: 'JPEG-LS Lossless', codec: 'jpegLs', lossy: false },
  [`${JPEG}.81`]: { name: 'JPEG-LS Near-Lossless', codec: 'jpegLs', lossy: true },
  [`${JPEG}.90`]: { name: 'JPEG 2000 Lossless', codec: 'jpeg2000', lossy: false },
  [`${JPEG}.91`]: { name: 'JPEG 2000', codec: 'jpeg2000', lossy: true },
  [`${JPEG}.201`]: { name: 'HTJ2K Lossless', codec: 'htj2k', lossy: false },
  [`${JPEG}.202`]: { name: 'HTJ2K Lossless RPCL', codec: 'htj2k', lossy: false },
  [`${JPEG}.203`]: { name: 'HTJ2K', codec: 'htj2k', lossy: true },
}

/** An unknown one is unreadable and is called by its UID. */
export function transferSyntax(uid: string): TransferSyntax {
  return SYNTAXES[uid] ?? { name: 'an unknown transfer syntax', codec: 'unreadable', lossy: false }
}
