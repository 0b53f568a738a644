/**
 * What this machine offers, as plain data: nothing is changed, and nothing is required to be there.
 * Sizes in bytes.
 */
import { readFileSync, statfsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { LarmorError } from '../errors.ts'
import { libtorchInfo, loadNative, readEngineFile, threads } from '../tensor/index.ts'

export type Missing = { message: string; fix: string }

export type LibtorchFacts = {
  version: string
  /** 'the CPU wheel', 'libtorch-dev', 'the torch of python3', 'LARMOR_LIBTORCH' */
  origin: string
  folder: string
  addon: string
  threads: number
  blas: string
  cuda: boolean
}

export type Machine = {
  node: string
  platform: string
  cpu: { model: string; cores: number; features: string[] }
  memory: { total: number; available: number }
  disk: { folder: string; available: number }
  nvidiaDriver: string | null
  libtorch: LibtorchFacts | null
  libtorchMissing: Missing | null
  onnxRuntime: string | null
  onnxRuntimeMissing: Missing | null
}

export async function inspectMachine(folder: string): Promise<Machine> {
  const disk = statfsSync(folder)
  return {
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    cpu: { model: cpus()[0]?.model.trim() ?? 'unknown', cores: availableParallelism(), features: cpuFeatures() },
    memory: { total: totalmem(), available: process.availableMemory() },
    disk: { folder, available: disk.bavail * disk.bsize },
    nvidiaDriver: nvidiaDriver(),
    ...inspectLibtorch(),
    ...(await inspectOnnxRuntime()),
  }
}

/** Those that decide how fast training and synthesis are; bfloat16 pays on a CPU only with one of the last four. */
const FEATURES = ['avx2', 'fma', 'avx512f', 'asimd', 'sve', 'avx512_bf16', 'amx_bf16', 'bf16', 'svebf16']

function cpuFeatures(): string[] {
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readIfThere('/proc/cpuinfo') ?? '')?.[1] ?? ''
  const there = new Set(line.trim().split(/\s+/))
  return FEATURES.filter((feature) => there.has(feature))
}

function nvidiaDriver(): string | null {
  return /Kernel Module.*?(\d+\.[\d.]+)/.exec(readIfThere('/proc/driver/nvidia/version') ?? '')?.[1] ?? null
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // not this operating system, or no such hardware
  }
}

function inspectLibtorch(): Pick<Machine, 'libtorch' | 'libtorchMissing'> {
  try {
    loadNative()
    const { addon, libtorch } = readEngineFile()
    const { version, hasCuda, build } = libtorchInfo()
    const blas = libtorch?.blas === 'of the wheel' ? blasIn(build) : (libtorch?.blas ?? 'unknown')
    const { origin = '', folder = '' } = libtorch ?? {}
    const facts = { version, origin, folder, addon: addon ?? '', threads: threads(), blas, cuda: hasCuda }
    return { libtorch: facts, libtorchMissing: null }
  } catch (error) {
    if (!(error instanceof LarmorError)) throw error
    return { libtorch: null, libtorchMissing: { message: error.fault.found, fix: error.fault.fix } }
  }
}

function blasIn(build: string): string {
  return /BLAS_INFO=(\w+)/.exec(build)?.[1] ?? 'unknown'
}

async function inspectOnnxRuntime(): Promise<Pick<Machine, 'onnxRuntime' | 'onnxRuntimeMissing'>> {
  try {
    const { env } = await import('onnxruntime-node')
    const packaged = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
    return { onnxRuntime: env.versions.node ?? packaged.version, onnxRuntimeMissing: null }
  } catch (error) {
    const message = error instanceof Error ? error.message.split('\n')[0]! : String(error)
    return { onnxRuntime: null, onnxRuntimeMissing: { message, fix: 'npm run setup' } }
  }
}
