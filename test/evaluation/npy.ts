/** Reads NumPy's format 1.0, C order, little-endian float32 or uint8: what the metric vectors are stored in. */
import { readFileSync } from 'node:fs'

export type NpyArray = { shape: number[]; values: Float32Array | Uint8Array }

export function readNpy(path: string): NpyArray {
  const bytes = readFileSync(path)
  const headerLength = bytes.readUInt16LE(8)
  const header = bytes.toString('latin1', 10, 10 + headerLength)
  const shape = [...header.match(/'shape': \(([^)]*)\)/)![1]!.matchAll(/\d+/g)].map(Number)
  const data = Uint8Array.from(bytes.subarray(10 + headerLength))
  if (header.includes("'<f4'")) return { shape, values: new Float32Array(data.buffer) }
  if (header.includes("'|u1'")) return { shape, values: data }
  throw new Error(`an array type that this reader does not know: ${header}`)
}
