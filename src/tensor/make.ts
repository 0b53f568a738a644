/** Tensors from nothing. Everything is float32 on the CPU unless said otherwise. */
import { operator } from './operators.ts'
import type { DType, Shape, Tensor } from './tensor.ts'
import type { Generator } from './tensor.ts'

export type MakeOptions = { dtype?: DType; device?: string }
export type RandomOptions = MakeOptions & { generator: Generator }

const aten = {
  arange: operator('arange.start_step'),
  empty: operator('empty.memory_format'),
  emptyLike: operator('empty_like'),
  full: operator('full'),
  fullLike: operator('full_like'),
  linspace: operator('linspace'),
  ones: operator('ones'),
  onesLike: operator('ones_like'),
  rand: operator('rand.generator'),
  randn: operator('randn.generator'),
  randperm: operator('randperm.generator'),
  zeros: operator('zeros'),
  zerosLike: operator('zeros_like'),
}

const placed = ({ dtype = 'float32', device = 'cpu' }: MakeOptions) => ({ dtype, device })

export const zeros = (shape: Shape, options: MakeOptions = {}): Tensor => aten.zeros(shape, placed(options))
export const ones = (shape: Shape, options: MakeOptions = {}): Tensor => aten.ones(shape, placed(options))
export const full = (shape: Shape, value: number, options: MakeOptions = {}): Tensor =>
  aten.full(shape, value, placed(options))
/** Whatever was in that memory: to be filled before it is read. */
export const empty = (shape: Shape, options: MakeOptions = {}): Tensor => aten.empty(shape, placed(options))

/** start, start + step, …, below end. */
export const arange = (start: number, end: number, step = 1, options: MakeOptions = {}): Tensor =>
  aten.arange(start, end, step, placed(options))
/** `count` numbers from start to end, both included. */
export const linspace = (start: number, end: number, count: number, options: MakeOptions = {}): Tensor =>
  aten.linspace(start, end, count, placed(options))

export const zerosLike = (x: Tensor): Tensor => aten.zerosLike(x)
export const onesLike = (x: Tensor): Tensor => aten.onesLike(x)
export const fullLike = (x: Tensor, value: number): Tensor => aten.fullLike(x, value)
export const emptyLike = (x: Tensor): Tensor => aten.emptyLike(x)

/** Standard normal. */
export const randn = (shape: Shape, { generator, ...options }: RandomOptions): Tensor =>
  aten.randn(shape, { generator, ...placed(options) })
/** Uniform in [0, 1). */
export const rand = (shape: Shape, { generator, ...options }: RandomOptions): Tensor =>
  aten.rand(shape, { generator, ...placed(options) })
/** 0 … n − 1 in random order, int64. */
export const randperm = (n: number, generator: Generator): Tensor => aten.randperm(n, { generator, dtype: 'int64' })
