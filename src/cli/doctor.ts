/** `larmor doctor`: what this machine offers, and how to get what is missing. */
import { z } from 'zod'
import { command } from './command.ts'
import { inspectMachine } from './machine.ts'
import type { LibtorchFacts, Machine } from './machine.ts'

export const doctorCommand = command({
  name: 'doctor',
  summary: 'Say what this machine offers: Node, libtorch, CPU, GPU, ONNX Runtime, memory, disk.',
  arguments: [],
  flags: [],
  options: z.strictObject({}),

  async run() {
    const machine = await inspectMachine(process.cwd())
    return { json: machine, text: doctorText(machine) }
  },
})

/** One line a fact; what is missing says what to type. */
export function doctorText(machine: Machine): string {
  const { cpu, memory, disk, libtorch, libtorchMissing, onnxRuntime, onnxRuntimeMissing } = machine
  const rows: [string, string][] = [
    ['Node', `${machine.node} on ${machine.platform}`],
    ['CPU', `${cpu.model}, ${cpu.cores} threads, ${cpu.features.join(' ') || 'no features known'}`],
    ['memory', `${gibibytes(memory.available)} free of ${gibibytes(memory.total)}`],
    ['disk', `${gibibytes(disk.available)} free in ${disk.folder}`],
    ['GPU', gpuText(machine)],
    ...(libtorch ? libtorchRows(libtorch) : missingRows('libtorch', 'training, registration, export', libtorchMissing)),
    ...(onnxRuntime
      ? [['ONNX Runtime', onnxRuntime] satisfies [string, string]]
      : missingRows('ONNX Runtime', 'synthesis', onnxRuntimeMissing)),
  ]
  return rows.map(([name, value]) => `${name.padEnd(14)}${value}`).join('\n')
}

function libtorchRows({ version, origin, folder, addon, threads, blas }: LibtorchFacts): [string, string][] {
  const slow = blas === 'reference' ? ' (slow: sudo apt-get install libopenblas0-openmp)' : ''
  return [
    ['libtorch', `${version}, ${origin}, ${threads} threads`],
    ['', folder],
    ['addon', addon],
    ['BLAS', `${blas}${slow}`],
  ]
}

function missingRows(name: string, use: string, missing: Machine['libtorchMissing']): [string, string][] {
  return [
    [name, `missing: no ${use}`],
    ['', `found   ${missing?.message ?? 'nothing'}`],
    ['', `do      ${missing?.fix ?? 'npm run setup'}`],
  ]
}

function gpuText({ nvidiaDriver, libtorch }: Machine): string {
  if (libtorch?.cuda === true) return `CUDA, NVIDIA driver ${nvidiaDriver ?? 'unknown'}`
  if (nvidiaDriver === null) return 'none (everything runs on the CPU)'
  return `NVIDIA driver ${nvidiaDriver}, but this libtorch has no CUDA: set LARMOR_LIBTORCH to one that has, npm run setup`
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`
}
