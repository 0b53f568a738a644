/**
 * What this processor does well, measured in about half a second: which precision and memory format a convolution with its
 * gradients runs fastest in, whether threads help and how they wait, whether the allocator keeps freed blocks.
 *
 * Why         bfloat16 training is up to 32 times as slow as float32 where the processor has neither AVX512-BF16 nor AMX, and
 *             channels-last 1.15 to 1.5 times as slow on AVX2: no list of processors knows which it is, a convolution does.
 * Time        processor time on a CPU, since others may use it too; the clock on a GPU. Milliseconds.
 */
import { noGrad, autocast, gradients, scope } from './scope.ts'
import { aten } from './operators.ts'
import { generator, setThreads, threads as threadsNow } from './runtime.ts'
import { conv2d } from './image-ops.ts'
import { ones, randn } from './make.ts'
import { sum, to } from './ops.ts'
import { LarmorError } from '../errors.ts'
import type { Tensor } from './tensor.ts'

/** One convolution with both gradients; null where this libtorch refuses it. */
export type ConvolutionMs = { float32: number; channelsLast: number; bfloat16: number | null }

export type Probe = {
  device: string
  threads: number
  convolutionMs: ConvolutionMs
  /** The faster by a margin that pays for what it costs in accuracy. */
  precision: 'float32' | 'bfloat16'
  memoryFormat: 'contiguous' | 'channels_last'
  /** How many times as fast by the clock all threads are as one; about 1 on a busy machine. */
  threadGain: number
  /** What threads do that wait for work: sleep, or burn the processor. */
  waiting: 'passive' | 'spinning'
  /** Whether freed blocks serve the next step, or are given back and page-faulted anew. */
  freedBlocks: 'kept' | 'returned'
}

/** bfloat16 has 8 bits of precision: it must be well worth it. */
const BFLOAT16_GAIN = 1.3
/** Weights and images have to be laid out anew, so a small gain is none. */
const CHANNELS_LAST_GAIN = 1.15

export function fasterPrecision({ float32, bfloat16 }: ConvolutionMs): Probe['precision'] {
  return bfloat16 !== null && float32 / bfloat16 >= BFLOAT16_GAIN ? 'bfloat16' : 'float32'
}

export function fasterFormat({ float32, channelsLast }: ConvolutionMs): Probe['memoryFormat'] {
  return float32 / channelsLast >= CHANNELS_LAST_GAIN ? 'channels_last' : 'contiguous'
}

const known = new Map<string, Probe>()

/**
 * Measures once for each device and number of threads; later calls of the same process give the same answer.
 * Training notes it in run.json. The number of threads is as before when it returns.
 */
export function probeDevice(device: 'cpu' | 'cuda' = 'cpu'): Probe {
  const key = `${device} ${threadsNow()}`
  const probe = known.get(key) ?? scope(() => measureAll(device, threadsNow()))
  known.set(key, probe)
  return probe
}

type Device = 'cpu' | 'cuda'
type Convolution = { x: Tensor; weight: Tensor }

/** 0.9 GFLOP, about 10 ms of one core: the middle of a U-Net. */
function makeConvolution(device: Device, channelsLast: boolean): Convolution {
  const random = generator(1)
  const laidOut = (shape: number[]): Tensor =>
    noGrad(() => {
      const t = to(randn(shape, { generator: random }), { device })
      return channelsLast ? aten.contiguous(t, { memory_format: 'channels_last' }) : t
    }).requireGrad()
  return { x: laidOut([1, 64, 64, 64]), weight: laidOut([64, 64, 3, 3]) }
}

function runOnce({ x, weight }: Convolution): void {
  // Reading one number waits for a GPU.
  scope(() => void sum(gradients(sum(conv2d(x, weight, undefined, { padding: 1 })), [x, weight])[1]!).item())
}

function measureAll(device: Device, threads: number): Probe {
  const plain = makeConvolution(device, false)
  const last = makeConvolution(device, true)
  const once = (): void => runOnce(plain)
  const float32 = best(device, once)
  const convolutionMs = {
    float32,
    channelsLast: best(device, () => runOnce(last)),
    bfloat16: bfloat16Ms(device, plain, float32),
  }
  return {
    device,
    threads,
    convolutionMs,
    precision: fasterPrecision(convolutionMs),
    memoryFormat: fasterFormat(convolutionMs),
    threadGain: device === 'cpu' ? threadGain(once, threads) : 1,
    waiting: device === 'cpu' && threads > 1 ? waiting(once) : 'passive',
    freedBlocks: freedBlocks(),
  }
}

const REPEATS = 4
/** The first run is not counted, but tells whether others are worth their time. */
const HOPELESS = 4

function best(device: Device, body: () => void): number {
  body()
  return Math.min(...Array.from({ length: REPEATS }, () => msOf(device, body)))
}

function bfloat16Ms(device: Device, convolution: Convolution, float32: number): number | null {
  const body = (): void => autocast(device, 'bfloat16', () => runOnce(convolution))
  try {
    const first = msOf(device, body)
    return device === 'cpu' && first > HOPELESS * float32 ? first : best(device, body)
  } catch (error) {
    if (error instanceof LarmorError && error.fault.kind === 'native.torch') return null
    throw error
  }
}

function msOf(device: Device, body: () => void): number {
  if (device === 'cuda') return clockMs(body)
  const before = process.cpuUsage()
  body()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

function clockMs(body: () => void): number {
  const began = performance.now()
  body()
  return performance.now() - began
}

function threadGain(body: () => void, threads: number): number {
  const fastest = (): number => Math.min(...Array.from({ length: REPEATS }, () => clockMs(body)))
  const all = fastest()
  try {
    setThreads(1)
    return fastest() / all
  } finally {
    setThreads(threads)
  }
}

const LOOK_MS = 5

/** After a parallel operator this thread works alone: what the process burns beside it, others burn in waiting. */
function waiting(body: () => void): Probe['waiting'] {
  const shares = Array.from({ length: REPEATS }, () => {
    body()
    const [all, own] = [process.cpuUsage(), process.threadCpuUsage()]
    const until = performance.now() + LOOK_MS
    while (performance.now() < until);
    const [allAfter, ownAfter] = [process.cpuUsage(all), process.threadCpuUsage(own)]
    const ownMicroseconds = ownAfter.user + ownAfter.system
    return (allAfter.user + allAfter.system - ownMicroseconds) / ownMicroseconds
  })
  return Math.min(...shares) > 0.25 ? 'spinning' : 'passive'
}

const BLOCK_MIB = 16

/** Page faults of a large block that is made and freed again and again: some hundreds each time where it was given back. */
function freedBlocks(): Probe['freedBlocks'] {
  const make = (): void => scope(() => void ones([BLOCK_MIB * 2 ** 18]))
  make()
  const faults = Array.from({ length: REPEATS }, () => {
    const before = process.resourceUsage().minorPageFault
    make()
    return process.resourceUsage().minorPageFault - before
  })
  // With pages of 2 MiB a block that is mapped anew has at least 8 faults.
  return Math.min(...faults) < BLOCK_MIB / 4 ? 'kept' : 'returned'
}
