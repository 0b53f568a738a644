/**
 * Decoders compiled to WebAssembly: each is loaded when the first frame of its kind is met.
 *
 * A module that threw may hold a broken heap, so it is thrown away and the next frame gets a new one.
 */
export type WasmDecoder = {
  getEncodedBuffer(length: number): Uint8Array
  getDecodedBuffer(): Uint8Array
  decode(): void
  getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number; isSigned?: boolean }
  delete(): void
}
export type WasmModule<Name extends string> = { [name in Name]: new () => WasmDecoder }
export type CreateModule<Name extends string> = (options: object) => Promise<WasmModule<Name>>

/** Without these the decoders print warnings to the terminal. A new object each: the module is built on top of it. */
const quiet = (): object => ({ print: () => {}, printErr: () => {} })

const LOAD = {
  jpeg2000: async () => newest('J2KDecoder', (await import('@cornerstonejs/codec-openjpeg/decodewasmjs')).default),
  jpegLs: async () => newest('JpegLSDecoder', (await import('@cornerstonejs/codec-charls/decodewasmjs')).default),
  htj2k: async () => newest('HTJ2KDecoder', (await import('@cornerstonejs/codec-openjph')).default),
  jpegBaseline: async () =>
    newest('JPEGDecoder', (await import('@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs')).default),
} as const
export type WasmCodec = keyof typeof LOAD

async function newest<Name extends string>(name: Name, create: CreateModule<Name>): Promise<new () => WasmDecoder> {
  return (await create(quiet()))[name]
}

const loaded = new Map<WasmCodec, Promise<new () => WasmDecoder>>()

/**
 * The samples as little-endian words, one byte each up to eight bits, else two; a copy of its own.
 * @throws whatever the decoder throws: an Error, a number (a C++ exception) or a RuntimeError
 */
export async function decodeWithWasm(codec: WasmCodec, codestream: Uint8Array): Promise<Uint8Array | Uint16Array> {
  const ready = loaded.get(codec) ?? LOAD[codec]()
  loaded.set(codec, ready)
  const decoder = new (await ready)()
  try {
    decoder.getEncodedBuffer(codestream.length).set(codestream)
    decoder.decode()
    const bytes = decoder.getDecodedBuffer().slice()
    const wide = decoder.getFrameInfo().bitsPerSample > 8
    decoder.delete()
    return wide ? new Uint16Array(bytes.buffer, 0, bytes.length >> 1) : bytes
  } catch (error) {
    loaded.delete(codec)
    throw error
  }
}
