/** Whose memory a training on this machine will use, and how much there is in all. */
import { execFile } from 'node:child_process'
import { totalmem } from 'node:os'
import { promisify } from 'node:util'
import type { DeviceMemory } from '../plan/index.ts'
import { libtorchInfo } from '../tensor/index.ts'

/** Of the first GPU where libtorch can use one, else of the machine or of the container that it is run in. */
export async function trainingMemory(): Promise<DeviceMemory> {
  const ofGpu = libtorchInfo().hasCuda ? await gpuBytes() : undefined
  if (ofGpu !== undefined) return { device: 'cuda', foundBytes: ofGpu }
  // 0, or more than there is, where no container limits it.
  const limit = process.constrainedMemory()
  return { device: 'cpu', foundBytes: limit > 0 ? Math.min(limit, totalmem()) : totalmem() }
}

async function gpuBytes(): Promise<number | undefined> {
  const query = ['--query-gpu=memory.total', '--format=csv,noheader,nounits']
  const { stdout } = await promisify(execFile)('nvidia-smi', query).catch(() => ({ stdout: '' })) // no driver: no GPU
  const mebibytes = Number.parseInt(stdout, 10)
  return Number.isNaN(mebibytes) ? undefined : mebibytes * 2 ** 20
}
