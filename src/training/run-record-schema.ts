/** run.json: what became of a run, for people, for `larmor runs`, and for the model's card. */
import { z } from 'zod'
import { FAULTS, type FaultKind } from '../errors.ts'

const kinds = Object.keys(FAULTS) as [FaultKind, ...FaultKind[]]
const Fault = z.strictObject({
  kind: z.enum(kinds),
  message: z.string(),
  where: z.string(),
  found: z.string(),
  expected: z.string(),
  fix: z.string(),
})

/** What the processor does well, as measured when the session began (src/tensor/probe.ts); training is float32. */
const Processor = z.strictObject({
  device: z.string(),
  threads: z.int(),
  convolutionMs: z.strictObject({ float32: z.number(), channelsLast: z.number(), bfloat16: z.number().nullable() }),
  precision: z.enum(['float32', 'bfloat16']),
  memoryFormat: z.enum(['contiguous', 'channels_last']),
  threadGain: z.number(),
  waiting: z.enum(['passive', 'spinning']),
  freedBlocks: z.enum(['kept', 'returned']),
})

export const RunRecordSchema = z.strictObject({
  schema: z.literal('larmor/run@1'),
  stage: z.enum(['pix2pix', 'diffusion']),
  generator: z.enum(['unet', 'residual', 'refiner']),
  preset: z.enum(['paper', 'best']),
  state: z.enum(['running', 'finished', 'interrupted', 'failed']),
  step: z.int().min(0),
  /** Null where the clock ends the run. */
  steps: z.int().nullable(),
  /** Of training and validation, over all sessions. */
  seconds: z.number().min(0),
  best: z.strictObject({ step: z.int(), by: z.enum(['ms_ssim_2d', 'mae']), value: z.number() }).nullable(),
  /** Of the last validation. */
  scores: z.record(z.string(), z.number()).nullable(),
  /** Why it failed; null otherwise. */
  fault: Fault.nullable(),
  planSha256: z.string(),
  /** The folder of the slices; export compares its graphs with libtorch on some of them. */
  store: z.string(),
  parameters: z.int(),
  /** The first stage that a refiner was trained on. */
  stage1: z.strictObject({ run: z.string(), step: z.int(), weightsSha256: z.string() }).nullable(),
  /** Whether the same command gives the same weights to the bit (CPU, same threads, length not set by the clock). */
  reproducible: z.boolean(),
  versions: z.strictObject({ larmor: z.string(), node: z.string(), libtorch: z.string() }),
  device: z.string(),
  threads: z.int(),
  /** How the last session computed, whatever `processor` below says that it might. */
  engine: z.strictObject({
    precision: z.literal('float32'),
    memoryFormat: z.literal('contiguous'),
    /** Of threads and allocator (tensor/runtime.ts), as the process was started with them; null: not set. */
    environment: z.record(z.string(), z.string().nullable()),
  }),
  sessions: z.int(),
  /** Runs of earlier versions have none. */
  processor: Processor.optional(),
})
export type RunRecord = z.infer<typeof RunRecordSchema>
