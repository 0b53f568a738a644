import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as t from '../../src/tensor/index.ts'
import { faultOf } from './fault-of.ts'

const folder = mkdtempSync(join(tmpdir(), 'larmor-safetensors-'))
const path = (name: string): string => join(folder, name)

/** A file made by hand after the specification: length, header, data. */
function bytesOf(header: string, data: readonly number[]): Buffer {
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, Buffer.from(header), Buffer.from(data)])
}

test('what is written is, byte for byte, the file that the specification describes', () => {
  const written = path('golden.safetensors')
  t.writeSafetensors(
    written,
    { mask: t.tensor([1, 0, 1], [3], 'bool'), w: t.tensor([1, -2], [1, 2]) },
    { format: 'pt' },
  )
  // 158 characters and two spaces; the float32 lie before the bools, 1 is 0x3f800000 and −2 is 0xc0000000.
  const header =
    '{"__metadata__":{"format":"pt"},' +
    '"mask":{"dtype":"BOOL","shape":[3],"data_offsets":[8,11]},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}'
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8)
  expect(readFileSync(written)).toEqual(bytesOf(padded, [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 1, 0, 1]))
  expect(readdirSync(folder)).toEqual(['golden.safetensors'])
})

test('a file made by hand is read, also where its header is not padded and a tensor not aligned', () => {
  const header =
    '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"I16","shape":[2],"data_offsets":[1,5]}}'
  writeFileSync(path('hand.safetensors'), bytesOf(header, [7, 1, 0, 0xff, 0xff]))
  const { tensors, metadata } = t.readSafetensors(path('hand.safetensors'))
  expect([...tensors.keys()]).toEqual(['a', 'b'])
  expect(tensors.get('a')!.values('uint8')).toEqual(Uint8Array.of(7))
  expect(tensors.get('b')!.values('int16')).toEqual(Int16Array.of(1, -1))
  expect(metadata).toEqual({})
})

test('every dtype, shape and name comes back as it went in, in the same order', () => {
  const dtypes = [
    'uint8',
    'float64',
    'float32',
    'float16',
    'bfloat16',
    'int64',
    'int32',
    'int16',
    'int8',
    'bool',
  ] as const
  const given = new Map(dtypes.map((dtype) => [`layer.${dtype}`, t.tensor([1, 0, 1, 1, 0, 1], [2, 3], dtype)]))
  given.set('scalar', t.tensor([3.5], []))
  given.set('empty', t.tensor([], [0, 4]))
  given.set('view', t.permute(t.tensor([1, 2, 3, 4, 5, 6], [2, 3]), [1, 0]))
  t.writeSafetensors(path('all.safetensors'), given, { step: '12' })
  const { tensors, metadata } = t.readSafetensors(path('all.safetensors'))
  expect(metadata).toEqual({ step: '12' })
  expect([...tensors.keys()]).toEqual([...given.keys()])
  for (const [name, values] of given) {
    expect(tensors.get(name)!.dtype).toBe(values.dtype)
    expect(tensors.get(name)!.shape).toEqual(values.shape)
    expect(tensors.get(name)!.data()).toEqual(values.data())
  }
})

test('tensors of a file can be changed in memory without changing the file, and the file replaced under them', () => {
  const file = path('mapped.safetensors')
  t.writeSafetensors(file, { w: t.ones([1000]) })
  const before = readFileSync(file)
  const w = t.readSafetensors(file).tensors.get('w')!
  t.aten.add_(w, 1)
  expect(readFileSync(file)).toEqual(before)
  t.writeSafetensors(file, { w: t.zeros([1000]) })
  expect(t.sum(w).item()).toBe(2000)
  expect(t.sum(t.readSafetensors(file).tensors.get('w')!).item()).toBe(0)
})

test('a mapped file is its bytes', () => {
  writeFileSync(path('bytes.bin'), Uint8Array.of(0, 0, 0x80, 0x3f, 5))
  const bytes = t.mappedFile(path('bytes.bin'))
  expect(bytes.values('uint8')).toEqual(Uint8Array.of(0, 0, 0x80, 0x3f, 5))
  expect(t.aten['view.dtype'](t.narrow(bytes, 0, 0, 4), 'float32').item()).toBe(1)
})

test('files that are missing, cut short or damaged are refused, each by its own kind', () => {
  const file = path('cut.safetensors')
  t.writeSafetensors(file, { w: t.ones([100]) })
  truncateSync(file, 200)
  expect(faultOf(() => t.readSafetensors(file)).kind).toBe('input.truncated')
  truncateSync(file, 5)
  expect(faultOf(() => t.readSafetensors(file)).kind).toBe('input.truncated')
  expect(faultOf(() => t.readSafetensors(path('none'))).kind).toBe('input.notFound')
  const damaged = (header: string, data: number[]): string => {
    writeFileSync(path('damaged'), bytesOf(header, data))
    return faultOf(() => t.readSafetensors(path('damaged'))).kind
  }
  expect(damaged('not json', [])).toBe('input.corrupt')
  expect(damaged('{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,1]}}', [1])).toBe('input.corrupt')
  expect(damaged('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', [0, 0, 0, 0])).toBe('input.corrupt')
  expect(damaged('{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', [0, 0])).toBe('input.corrupt')
  expect(damaged('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', [0, 0])).toBe('input.corrupt')
})

test('a folder that cannot be written to is a fault, and leaves nothing', () => {
  // Nobody, not even root, may make a folder in /sys.
  expect(faultOf(() => t.writeSafetensors('/sys/larmor/x', { w: t.ones([1]) })).kind).toBe('machine.noPermission')
})

const python = spawnSync('python3', ['-c', 'import safetensors, numpy'])
test.skipIf(python.status !== 0)('Python reads what we write (skipped where it has no safetensors)', () => {
  t.writeSafetensors(path('py.safetensors'), { w: t.tensor([1, 2, 3, 4], [2, 2]), n: t.tensor([5], [1], 'int64') })
  const lines =
    'import sys; from safetensors.numpy import load_file; f = load_file(sys.argv[1]); print(f["w"].tolist(), f["n"].tolist())'
  const read = spawnSync('python3', ['-c', lines, path('py.safetensors')], { encoding: 'utf8' })
  expect(read.stdout.trim()).toBe('[[1.0, 2.0], [3.0, 4.0]] [5]')
})
