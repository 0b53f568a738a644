/**
 * Typed functions for the operators that the project uses: arithmetic, reductions, shapes, indexing.
 * `y` may be a number wherever it is said so; then nothing is promoted. Shapes broadcast as in PyTorch.
 */
import { operator } from './operators.ts'
import type { DType, Shape } from './tensor.ts'
import { Tensor } from './tensor.ts'

/** The operator for two tensors, or that for a tensor and a number. */
function binary(withTensor: string, withNumber: string): (x: Tensor, y: Tensor | number) => Tensor {
  const [tensorOperator, numberOperator] = [operator(withTensor), operator(withNumber)]
  return (x, y) => (typeof y === 'number' ? numberOperator(x, y) : tensorOperator(x, y))
}

function unary(name: string): (x: Tensor) => Tensor {
  const op = operator(name)
  return (x) => op(x)
}

export const add = binary('add.Tensor', 'add.Scalar')
export const mul = binary('mul.Tensor', 'mul.Scalar')
export const pow = binary('pow.Tensor_Tensor', 'pow.Tensor_Scalar')

const subTensor = binary('sub.Tensor', 'sub.Scalar')
const subFrom = operator('rsub.Scalar')
/** x − y; either may be a number, not both. */
export function sub(x: Tensor | number, y: Tensor): Tensor
export function sub(x: Tensor, y: Tensor | number): Tensor
export function sub(x: Tensor | number, y: Tensor | number): Tensor {
  return x instanceof Tensor ? subTensor(x, y) : subFrom(y, x)
}

const divTensor = binary('div.Tensor', 'div.Scalar')
/** x / y; either may be a number, not both. */
export function div(x: Tensor | number, y: Tensor): Tensor
export function div(x: Tensor, y: Tensor | number): Tensor
export function div(x: Tensor | number, y: Tensor | number): Tensor {
  return x instanceof Tensor ? divTensor(x, y) : mul(reciprocal(y as Tensor), x)
}

export const neg = unary('neg')
export const reciprocal = unary('reciprocal')
export const abs = unary('abs')
export const square = unary('square')
export const sqrt = unary('sqrt')
export const rsqrt = unary('rsqrt')
export const exp = unary('exp')
export const log = unary('log')
export const log1p = unary('log1p')
export const sin = unary('sin')
export const cos = unary('cos')
export const floor = unary('floor')
export const round = unary('round')
export const sign = unary('sign')
export const tanh = unary('tanh')
export const relu = unary('relu')
export const silu = unary('silu')
export const sigmoid = unary('sigmoid')
export const softplus = unary('softplus')
export const gelu = unary('gelu')

const leakyReluOperator = operator('leaky_relu')
/** x where it is positive, slope · x elsewhere. */
export const leakyRelu = (x: Tensor, slope: number): Tensor => leakyReluOperator(x, slope)
const softmaxOperator = operator('softmax.int')
export const softmax = (x: Tensor, axis: number): Tensor => softmaxOperator(x, axis)
const logSoftmaxOperator = operator('log_softmax.int')
export const logSoftmax = (x: Tensor, axis: number): Tensor => logSoftmaxOperator(x, axis)

const clampOperator = operator('clamp')
/** Between low and high; undefined leaves that side open. */
export const clamp = (x: Tensor, low: number | undefined, high: number | undefined): Tensor =>
  clampOperator(x, low ?? null, high ?? null)
export const maximum = binary('maximum', 'clamp_min')
export const minimum = binary('minimum', 'clamp_max')

export const equals = binary('eq.Tensor', 'eq.Scalar')
export const less = binary('lt.Tensor', 'lt.Scalar')
export const greater = binary('gt.Tensor', 'gt.Scalar')
const whereOperator = operator('where.self')
/** x where the condition (bool) holds, y elsewhere. */
export const where = (condition: Tensor, x: Tensor, y: Tensor): Tensor => whereOperator(condition, x, y)
export const isFinite = unary('isfinite')
export const all = unary('all')
export const any = unary('any')

export const matmul = (x: Tensor, y: Tensor): Tensor => matmulOperator(x, y)
const matmulOperator = operator('matmul')

/** Over all elements, or over these axes. */
function reduction(whole: string, along: string): (x: Tensor, axes?: readonly number[], keepAxes?: boolean) => Tensor {
  const [wholeOperator, alongOperator] = [operator(whole), operator(along)]
  return (x, axes, keepAxes = false) => (axes ? alongOperator(x, axes, keepAxes) : wholeOperator(x))
}
export const sum = reduction('sum', 'sum.dim_IntList')
export const mean = reduction('mean', 'mean.dim')
const varOperator = operator('var.correction')
/** Σ(x − mean)² / (n − correction) over these axes. */
export const variance = (x: Tensor, axes: readonly number[], correction: 0 | 1, keepAxes = false): Tensor =>
  varOperator(x, axes, { correction, keepdim: keepAxes })
const amaxOperator = operator('amax')
const aminOperator = operator('amin')
/** The largest over these axes, [] for all. */
export const amax = (x: Tensor, axes: readonly number[] = [], keepAxes = false): Tensor =>
  amaxOperator(x, axes, keepAxes)
export const amin = (x: Tensor, axes: readonly number[] = [], keepAxes = false): Tensor =>
  aminOperator(x, axes, keepAxes)
const argmaxOperator = operator('argmax')
export const argmax = (x: Tensor, axis: number): Tensor => argmaxOperator(x, axis)
const cumsumOperator = operator('cumsum')
export const cumsum = (x: Tensor, axis: number): Tensor => cumsumOperator(x, axis)
const normOperator = operator('linalg_vector_norm')
/** The square root of the sum of squares of all elements. */
export const norm = (x: Tensor): Tensor => normOperator(x)

const catOperator = operator('cat')
export const cat = (parts: readonly Tensor[], axis: number): Tensor => catOperator(parts, axis)
const stackOperator = operator('stack')
export const stack = (parts: readonly Tensor[], axis: number): Tensor => stackOperator(parts, axis)
const splitOperator = operator('split_with_sizes')
export const split = (x: Tensor, sizes: readonly number[], axis: number): Tensor[] =>
  splitOperator<Tensor[]>(x, sizes, axis)
const reshapeOperator = operator('reshape')
/** −1 stands for what is left over. */
export const reshape = (x: Tensor, shape: Shape): Tensor => reshapeOperator(x, shape)
const permuteOperator = operator('permute')
export const permute = (x: Tensor, axes: readonly number[]): Tensor => permuteOperator(x, axes)
const transposeOperator = operator('transpose.int')
export const transpose = (x: Tensor, a: number, b: number): Tensor => transposeOperator(x, a, b)
const expandOperator = operator('expand')
/** A view in which axes of size 1 are repeated; −1 leaves an axis as it is. */
export const expand = (x: Tensor, shape: Shape): Tensor => expandOperator(x, shape)
const unsqueezeOperator = operator('unsqueeze')
export const unsqueeze = (x: Tensor, axis: number): Tensor => unsqueezeOperator(x, axis)
const squeezeOperator = operator('squeeze.dim')
export const squeeze = (x: Tensor, axis: number): Tensor => squeezeOperator(x, axis)
const narrowOperator = operator('narrow')
/** `length` entries from `start` along an axis, as a view. */
export const narrow = (x: Tensor, axis: number, start: number, length: number): Tensor =>
  narrowOperator(x, axis, start, length)
const selectOperator = operator('select.int')
/** One entry along an axis, which goes. */
export const select = (x: Tensor, axis: number, index: number): Tensor => selectOperator(x, axis, index)
const flipOperator = operator('flip')
export const flip = (x: Tensor, axes: readonly number[]): Tensor => flipOperator(x, axes)
const rollOperator = operator('roll')
export const roll = (x: Tensor, shifts: readonly number[], axes: readonly number[]): Tensor =>
  rollOperator(x, shifts, axes)
export const contiguous = unary('contiguous')
export const clone = unary('clone')
/** The same values, without their history. */
export const detach = unary('detach')

const gatherOperator = operator('gather')
export const gather = (x: Tensor, axis: number, index: Tensor): Tensor => gatherOperator(x, axis, index)
const indexSelectOperator = operator('index_select')
/** These entries (int64) along an axis. */
export const indexSelect = (x: Tensor, axis: number, index: Tensor): Tensor => indexSelectOperator(x, axis, index)
const copyOperator = operator('copy_')
/** Overwrites `into`, in place, with the values of `from`. */
export const copyInto = (into: Tensor, from: Tensor): Tensor => copyOperator(into, from)

const toOperator = operator('to.dtype_layout')
/** The same values in another dtype or on another device; the tensor itself where nothing changes. */
export const to = (x: Tensor, options: { dtype?: DType; device?: string }): Tensor =>
  toOperator(x, { dtype: options.dtype, device: options.device })
