/**
 * The addon: where it is, how it is loaded, how its errors become ours. The only file that knows `native/`.
 *
 * Loaded at first use, so that what needs no libtorch may import this room on a machine that has none.
 * `.cache/engine.json`, which the set-up writes, says which addon that is; the variable LARMOR_ENGINE names
 * another such file (to run the same tests against a second libtorch).
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { LarmorError } from '../errors.ts'
import { parseJson } from '../files.ts'
import type { Fault } from '../errors.ts'

/** A tensor or generator inside the addon: slot and generation in one number, closed outside this room. */
declare const opaque: unique symbol
export type Handle = number & { readonly [opaque]: true }

/** What an operator returns: a handle, a list of them, or a plain value. */
export type Returned = 'tensor' | 'tensors' | 'value'
export type Schema = {
  name: string
  text: string
  parameters: { name: string; default: unknown }[]
  returns: Returned[]
}
export type DeviceMemory = { allocated: number; peak: number; reserved: number }

export type Native = {
  readonly protocol: number
  readonly version: string
  readonly hasCuda: boolean
  find(name: string): number
  schema(operator: number): Schema
  names(): string[]
  /**
   * Bit i of `handles` is set where value i is a handle, which else would be a number, or a list of them: of such a
   * list the value is its length, negated, and its handles lie where `shareLists` said, behind those of the list before.
   */
  call(operator: number, handles: number, ...values: unknown[]): unknown
  fromBytes(data: ArrayBufferView, dataDtype: string, shape: readonly number[], dtype: string, device: string): Handle
  readInto(tensor: Handle, data: ArrayBufferView): void
  item(tensor: Handle): number | bigint | boolean
  shape(tensor: Handle): number[]
  dtype(tensor: Handle): string
  device(tensor: Handle): string
  requiresGrad(tensor: Handle, on?: boolean): boolean
  gradOf(tensor: Handle, forget?: null): Handle | null
  backward(outputs: Handle[], seeds: Handle[], keepGraph: boolean, createGraph: boolean): void
  gradients(
    outputs: Handle[],
    inputs: Handle[],
    seeds: Handle[],
    keepGraph: boolean,
    createGraph: boolean,
  ): (Handle | null)[]
  scopeBegin(): void
  scopeEnd(results: Handle[]): void
  keep(tensor: Handle): void
  dispose(tensor: Handle): void
  gradMode(on: boolean): boolean
  autocast(device: string, dtype: string | null): string | null
  generator(device: string, seed: number): Handle
  generatorState(generator: Handle): Handle
  setGeneratorState(generator: Handle, state: Handle): void
  threads(count?: number): number
  memory(): { tensors: number; bytes: number }
  liveTensors(): number
  deviceMemory(device: string): DeviceMemory | null
  flag(name: 'cudnnBenchmark' | 'tf32' | 'deterministic', on: boolean): void
  buildInfo(): string
  shareLists(memory: Float64Array): void
  install(makeFault: (kind: string, operator: string, message: string, given: string) => Error): void
}

const EngineFile = z.object({
  schema: z.literal('larmor/engine@1'),
  addon: z.string().nullable(),
  libtorch: z
    .object({ version: z.string(), origin: z.string(), folder: z.string(), cuda: z.boolean(), blas: z.string() })
    .nullable(),
  /** Why there is no addon, and what to do; null where there is one. */
  missing: z.object({ message: z.string(), fix: z.string() }).nullable(),
})
export type EngineFile = z.infer<typeof EngineFile>

export const engineFilePath = (): string =>
  process.env['LARMOR_ENGINE'] ?? fileURLToPath(new URL('../../.cache/engine.json', import.meta.url))

/**
 * What the set-up found on this machine.
 * @throws machine.noAddon  the set-up has not run
 * @throws json.refused     the file was damaged
 */
export function readEngineFile(path = engineFilePath()): EngineFile {
  if (!existsSync(path)) throw noAddon(path, 'no such file: the set-up has not run here', 'npm run setup')
  return parseJson(readFileSync(path, 'utf8'), path, EngineFile)
}

let loaded: Native | undefined

/**
 * The addon, loaded at the first call.
 * @throws machine.noAddon     the set-up has not run, or what it built is gone or does not load
 * @throws machine.noLibtorch  the set-up found no libtorch; the error says how to get one
 */
export function loadNative(): Native {
  return (loaded ??= load(engineFilePath()))
}

/** What `protocol` of native/addon.cc is. */
const PROTOCOL = 3

function load(path: string): Native {
  const engine = readEngineFile(path)
  if (engine.addon === null) throw noLibtorch(engine.missing?.message ?? 'none', engine.missing?.fix ?? 'npm run setup')
  const native = require(engine.addon)
  if (native.protocol !== PROTOCOL)
    throw noAddon(engine.addon, 'an addon of another version of larmor: it changed since the set-up', 'npm run setup')
  native.install(asFault)
  // Debian's libtorch starts with one thread, the wheel with one a core.
  if (native.threads() === 1) native.threads(availableParallelism())
  return native
}

function require(addon: string): Native {
  try {
    return createRequire(import.meta.url)(addon) as Native
  } catch (error) {
    throw noAddon(addon, error instanceof Error ? error.message : String(error), 'npm run setup -- --fresh', error)
  }
}

function noAddon(where: string, found: string, fix: string, cause?: unknown): LarmorError {
  const message = 'The engine cannot be loaded.'
  const expected = 'the addon that the set-up builds'
  return new LarmorError({ kind: 'machine.noAddon', message, where, found, expected, fix }, cause)
}

function noLibtorch(found: string, fix: string): LarmorError {
  const where = 'Training, registration and export'
  const expected = 'libtorch 1.13 or newer'
  return new LarmorError({ kind: 'machine.noLibtorch', message: 'This needs libtorch.', where, found, expected, fix })
}

type NativeKind = 'native.torch' | 'native.argument' | 'machine.outOfMemory'
const WORDS: Record<NativeKind, Pick<Fault, 'message' | 'expected' | 'fix'>> = {
  'native.torch': {
    message: 'libtorch refused an operation.',
    expected: 'shapes, dtypes and devices that fit this operator',
    fix: 'This is a fault of the program: please report it with this text.',
  },
  'native.argument': {
    message: 'An operator was called with a wrong argument.',
    expected: 'arguments as in the schema of this operator',
    fix: 'This is a fault of the program: please report it with this text.',
  },
  'machine.outOfMemory': {
    message: 'The memory is full.',
    expected: 'enough memory for this step',
    fix: 'Close other programs, or choose a smaller batch, size or width; what was finished is kept.',
  },
}

function asFault(kind: string, operator: string, message: string, given: string): LarmorError {
  const known = kind as NativeKind
  const found = message.split('\nException raised from')[0]!.trim()
  return new LarmorError({ kind: known, where: `${operator}(${given})`, found, ...WORDS[known] })
}
