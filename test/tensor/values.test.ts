import { expect, test } from 'vitest'
import * as t from '../../src/tensor/index.ts'
import { faultOf } from './fault-of.ts'

test.each([
  ['float32', [1.5, -2, 3]],
  ['float64', [0.1, -2, 1e300]],
  ['int32', [1, -2, 2 ** 31 - 1]],
  ['int16', [1, -2, 32767]],
  ['int8', [1, -2, 127]],
  ['uint8', [1, 2, 255]],
  ['bool', [1, 0, 1]],
  ['int64', [1, -2, 2 ** 52]],
] as const)('values of %s go in and come out as they were', (dtype, values) => {
  expect(Array.from(t.tensor(values, [3], dtype).data(), Number)).toEqual([...values])
})

test('a typed array of another kind is converted, not reinterpreted', () => {
  expect(t.tensor(Float64Array.of(0.5, 1.5)).dtype).toBe('float32')
  expect(Array.from(t.tensor(Int16Array.of(-1024, 3071)).values('float32'))).toEqual([-1024, 3071])
  expect(t.tensor([1, 2.5], [2], 'bfloat16').dtype).toBe('bfloat16')
  expect(Array.from(t.to(t.tensor([1, 2.5], [2], 'float16'), { dtype: 'float32' }).values('float32'))).toEqual([1, 2.5])
})

test('half precision comes out as its bits: 1 is 0x3c00 in float16, 0x3f80 in bfloat16', () => {
  expect(t.tensor([1], [1], 'float16').values('float16')[0]).toBe(0x3c00)
  expect(t.tensor([1], [1], 'bfloat16').values('bfloat16')[0]).toBe(0x3f80)
})

test('a view is read in C order, into an array that is there already', () => {
  const x = t.permute(t.tensor([1, 2, 3, 4, 5, 6], [2, 3]), [1, 0])
  expect(x.data()).toEqual(Float32Array.of(1, 4, 2, 5, 3, 6))
  const into = new Float32Array(8)
  x.readInto(into.subarray(1, 7))
  expect(Array.from(into)).toEqual([0, 1, 4, 2, 5, 3, 6, 0])
})

test('what was read is a copy: neither changes with the other', () => {
  const source = Float32Array.of(1, 2)
  const x = t.tensor(source)
  source[0] = 9
  const read = x.data()
  t.aten.add_(x, 1)
  expect(read).toEqual(Float32Array.of(1, 2))
})

test('a number of values that does not fit the shape is refused with both sizes', () => {
  expect(faultOf(() => t.tensor([1, 2, 3], [2, 2])).found).toBe('the typed array has 12 bytes, the shape needs 16')
  expect(faultOf(() => t.ones([3]).readInto(new Float32Array(2))).found).toMatch(/has 8 bytes.*needs 12/)
  expect(faultOf(() => t.ones([3]).values('int16'))).toMatchObject({ found: 'float32', expected: 'int16' })
})

test('empty tensors and scalars are tensors like any other', () => {
  expect(t.tensor([], [0, 3]).data()).toHaveLength(0)
  expect(t.tensor([7], []).item()).toBe(7)
  expect(t.cat([t.tensor([], [0, 2]), t.ones([1, 2])], 0).shape).toEqual([1, 2])
})

test('the typed functions do what their names say', () => {
  const x = t.tensor([1, 2, 3, 4], [2, 2])
  const read = (y: t.Tensor): number[] => Array.from(y.data(), Number)
  expect(read(t.sub(10, x))).toEqual([9, 8, 7, 6])
  expect(read(t.sub(x, x))).toEqual([0, 0, 0, 0])
  expect(read(t.div(12, x))).toEqual([12, 6, 4, 3])
  expect(read(t.pow(x, 2))).toEqual([1, 4, 9, 16])
  expect(read(t.clamp(x, 2, undefined))).toEqual([2, 2, 3, 4])
  expect(read(t.maximum(x, 2.5))).toEqual([2.5, 2.5, 3, 4])
  expect(read(t.where(t.greater(x, 2), x, t.zerosLike(x)))).toEqual([0, 0, 3, 4])
  expect(read(t.sum(x, [0]))).toEqual([4, 6])
  expect(t.mean(x).item()).toBe(2.5)
  expect(read(t.variance(x, [0, 1], 0))).toEqual([1.25])
  expect(t.norm(t.tensor([3, 4])).item()).toBe(5)
  expect(read(t.roll(x, [1], [1]))).toEqual([2, 1, 4, 3])
  expect(read(t.gather(x, 1, t.tensor([1, 0], [2, 1], 'int64')))).toEqual([2, 3])
  expect(read(t.linspace(0, 1, 3))).toEqual([0, 0.5, 1])
  expect(read(t.arange(0, 6, 2))).toEqual([0, 2, 4])
  expect(read(t.pad(x, [1, 0, 0, 0], 'constant', 9))).toEqual([9, 1, 2, 9, 3, 4])
  expect(t.split(x, [1, 1], 0)).toHaveLength(2)
})

test('dropout keeps the expected value, and the same draw comes from the same seed', () => {
  const x = t.ones([10_000])
  const dropped = t.dropout(x, 0.3, t.generator(5))
  expect(t.mean(dropped).item()).toBeCloseTo(1, 1)
  const kept = Array.from(dropped.values('float32')).filter((v) => v !== 0)
  expect(new Set(kept)).toEqual(new Set([Math.fround(1 / Math.fround(0.7))]))
  expect(kept.length / 10_000).toBeCloseTo(0.7, 1)
  expect(dropped.data()).toEqual(t.dropout(x, 0.3, t.generator(5)).data())
})

test('a generator put back to a saved state gives the same numbers again, and two do not disturb one another', () => {
  const [a, b] = [t.generator(7), t.generator(7)]
  t.randn([5], { generator: a })
  const state = t.generatorState(a)
  const next = t.randn([33], { generator: a }).data()
  t.setGeneratorState(b, state)
  expect(t.randn([33], { generator: b }).data()).toEqual(next)
  expect(t.randn([33], { generator: b }).data()).not.toEqual(next)
})

test('the number of threads is set and told', () => {
  const before = t.threads()
  t.setThreads(1)
  expect(t.threads()).toBe(1)
  t.setThreads(before)
})

test('a GPU that is not there is refused before anything is put on it', () => {
  if (t.libtorchInfo().hasCuda) expect(t.ones([1], { device: 'cuda' }).device).toBe('cuda:0')
  else expect(faultOf(() => t.requireDevice('cuda')).kind).toBe('machine.noCuda')
})
