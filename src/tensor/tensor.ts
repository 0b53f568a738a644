/**
 * Tensor and Generator: closed handles to what lives in libtorch, and the way in and out for typed arrays.
 *
 * Shapes are in C order, the last index fastest. A tensor is freed by the scope it was made in (scope.ts), by
 * dispose(), or at last by the garbage collector; using it afterwards is an error, not a crash.
 */
import { LarmorError } from '../errors.ts'
import { loadNative } from './native.ts'
import type { Handle } from './native.ts'

export type Shape = readonly number[]

/** How values of a dtype look in JavaScript: half precision as raw bits, complex numbers as pairs. */
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  complex64: Float32Array,
} as const

export type DType = keyof typeof ARRAYS
export type Values<D extends DType = DType> = InstanceType<(typeof ARRAYS)[D]>
/** What `tensor()` takes. */
export type Data = Values | readonly number[]

/** Frees what nobody refers to any more and no scope has freed. Runs when the event loop turns. */
const forgotten = new FinalizationRegistry<Handle>((handle) => loadNative().dispose(handle))

/** How many scopes are open in this thread: what is made in one is its to free, and needs no watching. */
let openScopes = 0

/** For scope.ts: a scope begins or ends. */
export function countScopes(change: 1 | -1): void {
  openScopes += change
}

/** Tells the garbage collector whose it is, once. */
function watch(one: Tensor | Generator): void {
  if (one.watched) return
  one.watched = true
  forgotten.register(one, one.handle)
}

/** For scope.ts: what a scope returns belongs to nobody where no other is open. */
export function watchReturned(results: readonly (Tensor | Generator)[]): void {
  if (openScopes === 0) for (const each of results) watch(each)
}

export class Tensor {
  /** For this room only. */
  readonly handle: Handle
  watched = false
  constructor(handle: Handle) {
    this.handle = handle
    if (openScopes === 0) watch(this)
  }

  get shape(): number[] {
    return loadNative().shape(this.handle)
  }

  get dtype(): DType {
    return loadNative().dtype(this.handle) as DType
  }

  /** 'cpu', 'cuda:0' */
  get device(): string {
    return loadNative().device(this.handle)
  }

  get requiresGrad(): boolean {
    return loadNative().requiresGrad(this.handle)
  }

  /** What `backward` accumulated in this leaf; undefined if nothing. */
  get grad(): Tensor | undefined {
    const handle = loadNative().gradOf(this.handle)
    return handle === null ? undefined : new Tensor(handle)
  }

  forgetGrad(): this {
    loadNative().gradOf(this.handle, null)
    return this
  }

  /** From here on autograd records what is computed from this leaf. */
  requireGrad(on = true): this {
    loadNative().requiresGrad(this.handle, on)
    return this
  }

  /** The one value of a tensor that has one (true as 1). @throws native.torch  it has more */
  item(): number {
    return Number(loadNative().item(this.handle))
  }

  /** A copy of the values, in C order. */
  data(): Values {
    const { shape, dtype } = this
    const data = new ARRAYS[dtype](countOf(shape) * (dtype === 'complex64' ? 2 : 1))
    return this.readInto(data)
  }

  /** As `data()`, the dtype checked: `t.values('float32')` is a Float32Array. @throws native.argument */
  values<D extends DType>(dtype: D): Values<D> {
    if (this.dtype !== dtype) throw wrongDtype(this.dtype, dtype)
    return this.data() as Values<D>
  }

  /** Writes the values, in C order, into an array that is there already: same bytes, no other copy. */
  readInto<A extends ArrayBufferView>(into: A): A {
    loadNative().readInto(this.handle, into)
    return into
  }

  /** Lets it outlive the scope in which it was made. */
  keep(): this {
    loadNative().keep(this.handle)
    watch(this)
    return this
  }

  /** Frees it now. */
  dispose(): void {
    loadNative().dispose(this.handle)
  }
}

/** A source of random numbers for the operators that take one. Same seed, device and threads: same numbers. */
export class Generator {
  /** For this room only. */
  readonly handle: Handle
  watched = false
  constructor(handle: Handle) {
    this.handle = handle
    if (openScopes === 0) watch(this)
  }
}

/**
 * A tensor from values in C order; typed arrays of another kind are converted in the same copy.
 * @throws native.argument  the number of values does not fit the shape
 */
export function tensor(data: Data, shape?: Shape, dtype: DType = 'float32', device = 'cpu'): Tensor {
  const values = isTypedArray(data) ? data : arrayOf(data, dtype)
  const count = dtype === 'complex64' ? values.length / 2 : values.length
  return new Tensor(loadNative().fromBytes(values, dtypeOf(values, dtype), shape ?? [count], dtype, device))
}

function isTypedArray(data: Data): data is Values {
  return ArrayBuffer.isView(data)
}

function arrayOf(numbers: readonly number[], dtype: DType): Values {
  if (dtype === 'int64') return BigInt64Array.from(numbers, BigInt)
  // Numbers for half precision are no raw bits: they go in as float32 and are rounded by libtorch.
  const numeric = dtype === 'float16' || dtype === 'bfloat16' ? 'float32' : dtype
  return new ARRAYS[numeric as 'float32'](numbers)
}

/** The dtype of an array as it is; where two share one kind of array (bool and uint8), the wanted one. */
function dtypeOf(values: Values, wanted: DType): DType {
  if (values instanceof ARRAYS[wanted]) return wanted
  for (const [dtype, array] of Object.entries(ARRAYS)) if (values instanceof array) return dtype as DType
  throw wrongDtype('an array of another kind', wanted)
}

function wrongDtype(found: string, expected: string): LarmorError {
  return new LarmorError({
    kind: 'native.argument',
    message: 'A tensor has another dtype than was asked for.',
    where: 'Reading or making a tensor',
    found,
    expected,
    fix: 'This is a fault of the program: please report it with this text.',
  })
}

export function countOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1)
}
