/**
 * One ONNX graph in ONNX Runtime: named float32 arrays in, named float32 arrays out. The only file that knows the runtime.
 */
import type { InferenceSession } from 'onnxruntime-node'
import { LarmorError } from '../errors.ts'

export type Array4 = { values: Float32Array; shape: readonly number[] }
/** A size is a number where the graph fixes it, else the name of what may vary. */
export type Port = { name: string; shape: readonly (number | string)[] }

export type Network = {
  file: string
  inputs: readonly Port[]
  outputs: readonly Port[]
  run(feeds: Readonly<Record<string, Array4>>): Promise<Record<string, Float32Array>>
  close(): Promise<void>
}

/**
 * The runtime, loaded at first use: it reads when it loads whether it may count what it is used for and send that to its maker.
 * It may not.
 */
async function runtime(): Promise<typeof import('onnxruntime-node')> {
  process.env['ORT_DISABLE_TELEMETRY'] = '1'
  return import('onnxruntime-node')
}

/**
 * @param threads  how many the runtime may use within one operator
 * @throws model.damaged  the runtime cannot read the file
 */
export async function openNetwork(file: string, threads: number): Promise<Network> {
  const { InferenceSession, Tensor } = await runtime()
  const session = await InferenceSession.create(file, {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
    // Threads that spin while they wait took half again as much CPU on a shared machine and made nothing faster there.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  }).catch((error: unknown) => {
    throw damaged(file, error instanceof Error ? error.message : String(error), error)
  })
  return {
    file,
    inputs: session.inputMetadata.map(portOf(file)),
    outputs: session.outputMetadata.map(portOf(file)),
    async run(feeds) {
      const named = Object.entries(feeds).map(([name, { values, shape }]) => [
        name,
        new Tensor('float32', values, shape),
      ])
      const made = await session.run(Object.fromEntries(named))
      return Object.fromEntries(Object.entries(made).map(([name, { data }]) => [name, float32Of(data, file, name)]))
    },
    close: () => session.release(),
  }
}

export function damaged(file: string, found: string, cause?: unknown): LarmorError {
  return new LarmorError(
    {
      kind: 'model.damaged',
      message: 'The model package is damaged.',
      where: file,
      found,
      expected: 'the file that larmor export wrote',
      fix: 'Copy the whole package again, or export the model again.',
    },
    cause,
  )
}

function portOf(file: string): (metadata: InferenceSession.ValueMetadata) => Port {
  return (metadata) => {
    if (!metadata.isTensor || metadata.type !== 'float32')
      throw damaged(file, `${metadata.name} is not a float32 tensor`)
    return { name: metadata.name, shape: metadata.shape }
  }
}

function float32Of(data: unknown, file: string, name: string): Float32Array {
  if (data instanceof Float32Array) return data
  throw damaged(file, `an output ${name} that is not float32`)
}
