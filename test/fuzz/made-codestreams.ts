/** Small compressed frames to damage: four by the encoders that come with the decoders, RLE and JPEG Lossless by hand. */

export type CodecName = 'rle' | 'jpegLossless' | 'jpegBaseline' | 'jpegLs' | 'jpeg2000' | 'htj2k'
export const CODECS: readonly { name: CodecName; syntaxUid: string; bits: 8 | 16 }[] = [
  { name: 'rle', syntaxUid: '1.2.840.10008.1.2.5', bits: 16 },
  { name: 'jpegLossless', syntaxUid: '1.2.840.10008.1.2.4.70', bits: 16 },
  { name: 'jpegBaseline', syntaxUid: '1.2.840.10008.1.2.4.50', bits: 8 },
  { name: 'jpegLs', syntaxUid: '1.2.840.10008.1.2.4.80', bits: 16 },
  { name: 'jpeg2000', syntaxUid: '1.2.840.10008.1.2.4.90', bits: 16 },
  { name: 'htj2k', syntaxUid: '1.2.840.10008.1.2.4.201', bits: 16 },
]

type Encoder = {
  getDecodedBuffer(frame: object): Uint8Array
  getEncodedBuffer(): Uint8Array
  encode(): void
  setProgressive?(progressive: boolean): void
}
type EncoderModule = Record<string, new () => Encoder>
/** Module paths as values, since these builds have no types. */
const ENCODERS: Partial<Record<CodecName, readonly [path: string, name: string]>> = {
  jpegBaseline: ['@cornerstonejs/codec-libjpeg-turbo-8bit/wasmjs', 'JPEGEncoder'],
  jpegLs: ['@cornerstonejs/codec-charls/wasmjs', 'JpegLSEncoder'],
  jpeg2000: ['@cornerstonejs/codec-openjpeg/wasmjs', 'J2KEncoder'],
  htj2k: ['@cornerstonejs/codec-openjph', 'HTJ2KEncoder'],
}

/** A square frame, compressed without loss (JPEG Baseline: with). */
export async function encodedWith(
  codec: CodecName,
  samples: Uint16Array,
  side: number,
  bits: 8 | 16,
): Promise<Uint8Array> {
  if (codec === 'rle') return rleFrame(samples)
  if (codec === 'jpegLossless') return jpegLosslessFrame(samples, side)
  const [path, name] = ENCODERS[codec]!
  const loaded = (await import(path)) as { default: (options: object) => Promise<EncoderModule> }
  const module = await loaded.default({ print: () => {}, printErr: () => {} })
  const encoder = new module[name]!()
  const frame = {
    width: side,
    height: side,
    bitsPerSample: bits,
    componentCount: 1,
    isSigned: false,
    isUsingColorTransform: false,
  }
  const into = encoder.getDecodedBuffer(frame)
  into.set(bits === 8 ? Uint8Array.from(samples) : new Uint8Array(samples.buffer))
  encoder.setProgressive?.(false) // JPEG Baseline has one scan
  encoder.encode()
  return Uint8Array.from(encoder.getEncodedBuffer())
}

/** PS3.5 annex G, every byte by copies of up to 128: larger than need be, and right. */
export function rleFrame(samples: Uint16Array): Uint8Array {
  const segments = [8, 0].map((shift) => copies(Uint8Array.from(samples, (value) => value >> shift)))
  const header = Buffer.alloc(64)
  header.writeUInt32LE(segments.length, 0)
  let at = 64
  for (const [n, segment] of segments.entries()) {
    header.writeUInt32LE(at, 4 + 4 * n)
    at += segment.length
  }
  return Buffer.concat([header, ...segments])
}

function copies(bytes: Uint8Array): Buffer {
  const parts: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += 128) {
    const piece = bytes.subarray(at, at + 128)
    parts.push(Uint8Array.of(piece.length - 1), piece)
  }
  return Buffer.concat([...parts, Buffer.alloc(parts.reduce((sum, part) => sum + part.length, 0) % 2, 0x80)])
}

/** T.81 annex H with predictor 1, 16 bits, and a table in which the code of category n is n in eight bits. */
function jpegLosslessFrame(samples: Uint16Array, side: number): Uint8Array {
  const table = [0xff, 0xc4, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, ...Array(17).keys()]
  const frame = [0xff, 0xc3, 0, 11, 16, side >> 8, side & 255, side >> 8, side & 255, 1, 1, 0x11, 0]
  const scan = [0xff, 0xda, 0, 8, 1, 1, 0, 1, 0, 0]
  const bits = bitWriter()
  for (const [n, value] of samples.entries()) {
    const predicted = n === 0 ? 32768 : n % side === 0 ? samples[n - side]! : samples[n - 1]!
    const difference = ((value - predicted) << 16) >> 16
    const category = difference === 0 ? 0 : 32 - Math.clz32(Math.abs(difference))
    bits.put(category, 8)
    if (category > 0 && category < 16)
      bits.put(difference > 0 ? difference : difference + (1 << category) - 1, category)
  }
  return Uint8Array.from([0xff, 0xd8, ...table, ...frame, ...scan, ...bits.bytes(), 0xff, 0xd9])
}

function bitWriter(): { put(value: number, count: number): void; bytes(): number[] } {
  const out: number[] = []
  let [held, filled] = [0, 0]
  const put = (value: number, count: number): void => {
    for (let n = count - 1; n >= 0; n--) {
      held = (held << 1) | ((value >> n) & 1)
      if (++filled < 8) continue
      out.push(held)
      if (held === 0xff) out.push(0)
      ;[held, filled] = [0, 0]
    }
  }
  const bytes = (): number[] => {
    if (filled > 0) put(0xff, 8 - filled)
    return out
  }
  return { put, bytes }
}
