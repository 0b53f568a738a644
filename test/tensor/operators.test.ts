import { expect, test } from 'vitest'
import {
  aten,
  autocast,
  generator,
  hasOperator,
  listen,
  noGrad,
  operator,
  scope,
  tensor,
} from '../../src/tensor/index.ts'
import { faultOf } from './fault-of.ts'
import type { OperatorCall, Tensor } from '../../src/tensor/index.ts'

const x = tensor([1, 2, 3, 4], [2, 2]).keep()
const numbers = (t: Tensor): number[] => Array.from(t.data(), Number)

test('each kind of argument reaches its operator', () => {
  expect(numbers(aten.add(x, x))).toEqual([2, 4, 6, 8]) // Tensor
  expect(numbers(aten['add.Scalar'](x, 1.5))).toEqual([2.5, 3.5, 4.5, 5.5]) // Scalar
  expect(numbers(aten.add(x, x, { alpha: 2 }))).toEqual([3, 6, 9, 12]) // by name
  expect(numbers(aten.mul(x, 2))).toEqual([2, 4, 6, 8]) // a number where a tensor is meant
  expect(aten.cat([x, x], 1).shape).toEqual([2, 4]) // Tensor[]
  expect(numbers(aten['index.Tensor'](x, [null, tensor([0], [1], 'int64')]))).toEqual([1, 3]) // Tensor?[]
  expect(aten.reshape(x, [-1]).shape).toEqual([4]) // SymInt[]
  expect(aten.avg_pool2d(aten.reshape(x, [1, 1, 2, 2]), 2).shape).toEqual([1, 1, 1, 1]) // int[2] from one number
  expect(aten['upsample_bilinear2d.vec'](aten.zeros([1, 1, 4, 4]), null, false, [2, 2]).shape).toEqual([1, 1, 8, 8]) // float[]?
  expect(aten.zeros([2, 3], { dtype: 'float64', device: 'cpu' }).dtype).toBe('float64') // ScalarType?, Device?
  expect(aten.contiguous(aten.zeros([1, 4, 5, 5]), { memory_format: 'channels_last' }).shape).toEqual([1, 4, 5, 5])
  expect(aten.gelu(x, { approximate: 'tanh' }).shape).toEqual([2, 2]) // str
  expect(aten['randn.generator']([3], { generator: generator(1), dtype: 'float32' }).shape).toEqual([3]) // Generator?
  expect(numbers(aten.full([1], 2n ** 60n, { dtype: 'int64' }))).toEqual([2 ** 60]) // bigint
})

test('several lists of tensors in one call, short and long ones, reach their operator in order', () => {
  for (const count of [1, 3, 500, 2]) {
    const firsts = Array.from({ length: count }, (_, i) => tensor([i]))
    const seconds = firsts.map((_, i) => tensor([1000 * i]))
    const sums = aten['_foreach_add.List']<Tensor[]>(firsts, seconds)
    expect(sums.map((sum) => sum.item())).toEqual(firsts.map((_, i) => 1001 * i))
  }
})

test('each kind of result comes back', () => {
  const [values, indices] = aten['max.dim']<[Tensor, Tensor]>(x, 0)
  expect(numbers(values)).toEqual([3, 4])
  expect(indices.dtype).toBe('int64')
  expect(aten['split.Tensor']<Tensor[]>(aten.arange(10), 4)).toHaveLength(3)
  expect(aten.equal<boolean>(x, x)).toBe(true)
  expect(aten['size.int']<number>(x, 0)).toBe(2)
  expect(aten['size.int']<number>(aten.expand(x, [2, 2]), 1)).toBe(2)
})

test('a whole number keeps its sign and range, a number that is none stays a double', () => {
  expect(Object.is(aten.full([1], -0, { dtype: 'float32' }).item(), -0)).toBe(true)
  expect(aten.full([1], Infinity, { dtype: 'float32' }).item()).toBe(Infinity)
  expect(aten.full([1], 1e300, { dtype: 'float64' }).item()).toBe(1e300)
})

test('a number does not change the dtype of a tensor that it meets', () => {
  expect(aten.mul(tensor([1, 2], [2], 'float16'), 2.5).dtype).toBe('float16')
  expect(aten.mul(tensor([1, 2], [2], 'int16'), 2).dtype).toBe('int16')
})

test('in place changes the tensor itself, and an out tensor is written to', () => {
  const y = tensor([1, 2])
  aten.add_(y, 1)
  expect(numbers(y)).toEqual([2, 3])
  const out = aten.zeros([2])
  operator('add.out')(y, y, { out })
  expect(numbers(out)).toEqual([4, 6])
})

test('wrong shapes: the error names the operator, both shapes and both dtypes', () => {
  const fault = faultOf(() => aten.matmul(x, aten.zeros([3, 3], { dtype: 'float64' })))
  expect(fault.kind).toBe('native.torch')
  expect(fault.where).toBe('aten::matmul(self=float32[2, 2], other=float64[3, 3])')
})

test('wrong dtypes: the error names the operator and both dtypes', () => {
  const weight = tensor([1], [1, 1, 1, 1], 'float64')
  const fault = faultOf(() => aten.conv2d(aten.reshape(x, [1, 1, 2, 2]), weight))
  expect(fault.kind).toBe('native.torch')
  expect(fault.where).toContain('aten::conv2d(input=float32[1, 1, 2, 2], weight=float64[1, 1, 1, 1])')
})

test('a wrong kind of argument: the error names the operator and the parameter', () => {
  expect(faultOf(() => aten.conv2d(x, 'no'))).toMatchObject({
    kind: 'native.argument',
    where: 'aten::conv2d(input=float32[2, 2], weight=a string)',
    found: 'argument weight: expected a tensor, got a string',
  })
  expect(faultOf(() => aten.add()).found).toBe('argument self: it is required')
  expect(faultOf(() => aten.reshape(x, [1.5])).found).toMatch(/argument shape: expected a whole number, got 1\.5/)
  expect(faultOf(() => aten.zeros([1], { dtype: 'float' })).found).toBe("argument dtype: expected a dtype, got 'float'")
  expect(faultOf(() => aten.zeros([1], { device: 'tpu' })).found).toMatch(/argument device: expected a device/)
  expect(faultOf(() => aten.relu(x, x)).found).toBe('2 arguments for 1 parameters')
  expect(faultOf(() => aten.relu(x, { slope: 1 }))).toMatchObject({ where: 'aten::relu', found: "'slope'" })
  expect(faultOf(() => aten.relu(generator(1))).found).toMatch(/expected a tensor, got a generator/)
  // Inside, a tensor is a number: it must not pass for one, nor a number for it.
  expect(faultOf(() => aten.sum(x, x)).found).toMatch(/expected .*, got a tensor or generator/)
  expect(faultOf(() => aten.reshape(x, [x, 2])).kind).toBe('native.argument')
  expect(faultOf(() => aten.cat([x, 1], 0)).kind).toBe('native.argument')
  // A list of tensors is one, too: its length.
  expect(faultOf(() => aten.relu([x, x])).found).toMatch(/argument self: expected a tensor or generator, got a list/)
  expect(faultOf(() => aten.reshape(x, [x])).found).toMatch(/argument shape: got a list of tensors/)
  expect(faultOf(() => aten.cat([x, null], 0)).found).toMatch(/argument tensors: expected a tensor, got none/)
  expect(faultOf(() => aten.cat([generator(1)], 0)).found).toMatch(
    /argument tensors: expected a tensor, got a generator/,
  )
  expect(faultOf(() => aten['_foreach_add.List']([null, x], [x])).where).toMatch(
    /self=a tensor.*, other=\[float32\[2, 2\]\]/,
  )
  expect(faultOf(() => aten['_foreach_add.List']([x], [x, x])).where).toBe(
    'aten::_foreach_add.List(self=[float32[2, 2]], other=[float32[2, 2], float32[2, 2]])',
  )
})

test('an operator that is not there is refused with its name', () => {
  expect(faultOf(() => operator('nope')(x)).found).toBe("no operator 'nope'")
  expect(hasOperator('conv2d')).toBe(true)
  expect(hasOperator('nope')).toBe(false)
})

test('more memory than there is ends as machine.outOfMemory, not as an abort', () => {
  const fault = faultOf(() => aten.zeros([2 ** 40, 64]))
  expect(fault.kind).toBe('machine.outOfMemory')
  expect(fault.where).toContain('aten::zeros(size=[1099511627776, 64]')
})

test('a freed tensor is refused, whether its scope ended or it was disposed of', () => {
  const leaked: Tensor[] = []
  scope(() => {
    leaked.push(aten.add(x, 1))
  })
  expect(faultOf(() => aten.add(leaked[0], 1)).found).toMatch(/argument self: it was freed/)
  const disposed = aten.add(x, 1)
  disposed.dispose()
  disposed.dispose()
  expect(faultOf(() => disposed.shape)).toMatchObject({ kind: 'native.argument' })
})

test('listening hears every operator in order, with its arguments by name and the defaults filled in', () => {
  const calls: OperatorCall[] = []
  const y = listen(
    (call) => calls.push(call),
    () => aten.relu(aten.conv2d(aten.reshape(x, [1, 1, 2, 2]), tensor([1], [1, 1, 1, 1]), null, { stride: 2 })),
  )
  expect(calls.map((call) => call.name)).toEqual(['reshape', 'conv2d', 'relu'])
  expect(calls[1]!.arguments).toMatchObject({ bias: null, stride: 2, dilation: [1, 1], groups: 1 })
  expect(calls[1]!.arguments['padding']).toEqual([0, 0])
  expect(calls[2]!.arguments['self']).toBe(calls[1]!.result)
  expect(calls[2]!.result).toBe(y)
  aten.relu(x)
  expect(calls).toHaveLength(3)
})

test('autocast computes products in bfloat16 inside, float32 after, and an inner one gives way to the outer', () => {
  autocast('cpu', 'bfloat16', () => {
    expect(aten.matmul(x, x).dtype).toBe('bfloat16')
    autocast('cpu', 'bfloat16', () => {})
    expect(aten.matmul(x, x).dtype).toBe('bfloat16')
  })
  expect(aten.matmul(x, x).dtype).toBe('float32')
  expect(() =>
    autocast('cpu', 'bfloat16', () => {
      throw new Error('amid')
    }),
  ).toThrow('amid')
  expect(aten.matmul(x, x).dtype).toBe('float32')
})

test('without gradients nothing is recorded, and recording is on again after an error', () => {
  const w = tensor([1, 2]).requireGrad()
  expect(noGrad(() => aten.mul(w, w)).requiresGrad).toBe(false)
  expect(() =>
    noGrad(() => {
      throw new Error('amid')
    }),
  ).toThrow('amid')
  expect(aten.mul(w, w).requiresGrad).toBe(true)
})
