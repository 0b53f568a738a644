/** The library as a whole: generators, threads, memory, devices. */
import { LarmorError } from '../errors.ts'
import { operator } from './operators.ts'
import { loadNative } from './native.ts'
import { noGrad, scope } from './scope.ts'
import { Generator, Tensor, tensor } from './tensor.ts'
import type { DeviceMemory } from './native.ts'

/**
 * The environment that a process which computes much should be started with; both are read before its first line.
 *
 * MALLOC_ARENA_MAX=1: one arena for all threads, whose freed blocks serve the next step again.
 * glibc.malloc.hugetlb=1: memory in pages of 2 MiB, which are mapped with a 500th of the faults (LOG.md, "huge pages").
 * glibc.malloc.tcache_count=1000: as many small blocks kept a thread, since a scope frees its tensors all at once.
 * OMP_WAIT_POLICY=passive: waiting threads sleep instead of burning a shared machine's cores (LOG.md, "engine").
 */
export const ENGINE_ENVIRONMENT = {
  MALLOC_ARENA_MAX: '1',
  GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1:glibc.malloc.tcache_count=1000',
  OMP_WAIT_POLICY: 'passive',
} as const

/** A generator of its own, which shares nothing with any other. Of the seed the CPU's takes the lower 32 bits. */
export function generator(seed: number, device = 'cpu'): Generator {
  return new Generator(loadNative().generator(device, seed))
}

/** All that a generator is, as a uint8 tensor on the CPU: what a checkpoint keeps. */
export function generatorState(of: Generator): Tensor {
  return new Tensor(loadNative().generatorState(of.handle))
}

/** Puts the generator where another of the same device was. */
export function setGeneratorState(of: Generator, state: Tensor): void {
  loadNative().setGeneratorState(of.handle, state.handle)
}

/** How many threads one operator uses; the sums of a reduction, and so the last bits, depend on it. */
export function threads(): number {
  return loadNative().threads()
}

export function setThreads(count: number): void {
  loadNative().threads(count)
}

/** How many tensors and generators are alive in this thread. */
export function liveTensors(): number {
  return loadNative().liveTensors()
}

/** What is alive in this thread, each storage counted once. Views and what autograd saved are not counted. */
export function memory(): { tensors: number; bytes: number } {
  return loadNative().memory()
}

/** Bytes on a GPU; undefined where this libtorch does not tell (before 2.9, or without a GPU). */
export function deviceMemory(device: string): DeviceMemory | undefined {
  return loadNative().deviceMemory(device) ?? undefined
}

/** @throws machine.noCuda  'cuda' was asked for and is not there */
export function requireDevice(device: 'cpu' | 'cuda'): void {
  const native = loadNative()
  if (device === 'cpu' || native.hasCuda) return
  throw new LarmorError({
    kind: 'machine.noCuda',
    message: 'There is no GPU that can be used.',
    where: '--device cuda',
    found: `libtorch ${native.version} without CUDA, or no NVIDIA driver`,
    expected: 'a CUDA build of libtorch and a GPU',
    fix: 'Run with --device cpu, or set LARMOR_LIBTORCH to the folder of a CUDA libtorch and run: npm run setup',
  })
}

/** The version and build of the libtorch in use, in its own words. */
export function libtorchInfo(): { version: string; hasCuda: boolean; build: string } {
  const native = loadNative()
  return { version: native.version, hasCuda: native.hasCuda, build: native.buildInfo() }
}

/** Only algorithms that give the same bits each time; where there is none the operator refuses. */
export function deterministic(on: boolean): void {
  loadNative().flag('deterministic', on)
}

/** On a GPU: products of float32 with 10 bits of mantissa (TF32), and the fastest of cuDNN's algorithms for each size. */
export function fastConvolutions(on: boolean): void {
  loadNative().flag('tf32', on)
  loadNative().flag('cudnnBenchmark', on)
}

const fusedAdam = operator('_fused_adam_')
const fusedAdamOn = new Map<string, boolean>()

/** Whether `_fused_adam_` runs on this device: libtorch 1.13 has its name on the CPU, but no kernel. Found by trying. */
export function canFusedAdam(device = 'cpu'): boolean {
  const known = fusedAdamOn.get(device) ?? tryFusedAdam(device)
  fusedAdamOn.set(device, known)
  return known
}

function tryFusedAdam(device: string): boolean {
  const settings = { lr: 1e-3, beta1: 0.9, beta2: 0.999, weight_decay: 0, eps: 1e-8, amsgrad: false, maximize: false }
  return noGrad(() =>
    scope(() => {
      const [weight, grad, mean, square, step] = [1, 1, 0, 0, 1].map((x) => [tensor([x], [1], 'float32', device)])
      try {
        fusedAdam(weight, grad, mean, square, [], step, settings)
        return true
      } catch (error) {
        if (error instanceof LarmorError) return false
        throw error
      }
    }),
  )
}
