/**
 * What an evaluation leaves: `evaluation.json` (docs/evaluation.schema.md) and `slices.csv`, one row a slice.
 * JSON has no infinity: the PSNR of equal images is the string "Infinity" there.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { readJson, writeFileAtomic, writeJson } from '../files.ts'
import type { Evaluation } from './evaluation.ts'
import { metricNames, sliceMetricNames, structureMetricNames } from './metric-names.ts'

const score = z.union([z.number(), z.literal('Infinity'), z.null()]).transform((v) => (v === 'Infinity' ? Infinity : v))
const size = z.tuple([z.number(), z.number(), z.number()])
const knots = z.strictObject({ mr: z.array(z.number()), unit: z.array(z.number()) })
const scale = z.strictObject({ low: z.number(), high: z.number(), knots: knots.optional() })
const metrics = z.record(z.enum(metricNames), score)
const summary = z.strictObject({
  patients: z.int(),
  mean: score,
  sd: score,
  median: score,
  min: score,
  max: score,
  interval95: z.tuple([z.number(), z.number()]).nullable(),
})
const summaries = z.record(z.enum(metricNames), summary)
const structureNames = z.enum(structureMetricNames)
const finding = z.strictObject({ label: z.string(), value: z.string() })
const kind = z.enum(['model', 'baseline'])
const biasCorrection = z.boolean().optional()
const slice = z.strictObject({
  sliceIndex: z.int(),
  maskVoxels: z.int(),
  counted: z.boolean(),
  ms_ssim_2d: score,
  ssim_2d: score,
  gradient_similarity: score,
  mae: score,
  rmse: score,
  mean_error: score,
  psnr: score,
})
const prediction = z.strictObject({
  name: z.string(),
  kind,
  voxelsSha256: z.string(),
  rule: z.union([
    z.strictObject({ kind: z.literal('as-is'), low: z.number(), high: z.number() }),
    z.strictObject({ kind: z.literal('unit'), reference: scale, test: scale }),
  ]),
  metrics,
  unmasked: metrics.nullable(),
  countedSlices: z.int(),
  smallSlices: z.int(),
  emptySlices: z.int(),
  structures: z.array(z.strictObject({ name: z.string(), voxels: z.int(), metrics: z.record(structureNames, score) })),
  findings: z.array(finding),
  slices: z.array(slice),
})
const registration = z.strictObject({
  verdict: z.enum(['good', 'look', 'reject']),
  method: z.string(),
  nmi: z.number(),
  nmiAtStart: z.number(),
  surfaceP95Mm: z.number().nullable(),
  inverseConsistencyMm: z.number().nullable(),
  statedErrorMm: z.number().nullable(),
})
const comparison = z.strictObject({
  kind: z.enum(['models', 'baseline', 'contrast']),
  first: z.string(),
  second: z.string(),
  metrics: z.record(
    z.enum(metricNames),
    z.strictObject({
      patients: z.int(),
      zeros: z.int(),
      meanDifference: z.number().nullable(),
      interval95: z.tuple([z.number(), z.number()]).nullable(),
      shift: z.number().nullable(),
      rankBiserial: z.number().nullable(),
      pValue: z.number().nullable(),
      pHolm: z.number().nullable(),
      method: z.enum(['exact', 'normal']).nullable(),
    }),
  ),
})
const patient = z.strictObject({
  id: z.string(),
  size,
  spacingMm: size,
  referenceSha256: z.string(),
  maskVoxels: z.int().nullable(),
  registration: registration.nullable(),
  findings: z.array(finding),
  predictions: z.array(prediction),
})
const fault = z.strictObject({
  kind: z.string(),
  message: z.string(),
  where: z.string(),
  found: z.string(),
  expected: z.string(),
  fix: z.string(),
})

export const EvaluationFile = z.strictObject({
  schema: z.literal('larmor/evaluation@2'),
  larmor: z.string(),
  created: z.string(),
  seed: z.int(),
  range: z.union([
    z.strictObject({ kind: z.literal('as-is'), low: z.number(), high: z.number() }),
    z.strictObject({
      kind: z.literal('percentile'),
      lowPercentile: z.number(),
      highPercentile: z.number(),
      biasCorrection,
    }),
    z.strictObject({ kind: z.literal('z-score'), deviations: z.number(), biasCorrection }),
    z.strictObject({
      kind: z.literal('landmarks'),
      percentiles: z.array(z.number()),
      standard: z.array(z.number()),
      biasCorrection,
    }),
  ]),
  predictions: z.array(
    z.strictObject({
      name: z.string(),
      kind,
      contrastOf: z.string().nullable(),
      metrics: summaries,
      unmasked: summaries.nullable(),
      goodPairs: summaries.nullable(),
      structures: z.array(
        z.strictObject({ name: z.string(), voxels: z.number(), metrics: z.record(structureNames, summary) }),
      ),
    }),
  ),
  comparisons: z.array(comparison),
  baselines: z.array(z.strictObject({ name: z.string(), words: z.string() })),
  patients: z.array(patient),
  refused: z.array(z.strictObject({ id: z.string(), fault })),
})

/** The same data with every infinite number as the string "Infinity". */
export function jsonSafe(value: unknown): unknown {
  if (value === Infinity) return 'Infinity'
  if (Array.isArray(value)) return value.map(jsonSafe)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, jsonSafe(inner)]))
}

/** Writes slices.csv, then evaluation.json: the folder is complete when that one is there. */
export async function writeEvaluation(folder: string, evaluation: Evaluation): Promise<void> {
  await writeFileAtomic(join(folder, 'slices.csv'), slicesCsv(evaluation))
  await writeJson(join(folder, 'evaluation.json'), jsonSafe(evaluation))
}

/** @throws input.notFound, json.refused */
export async function readEvaluation(folder: string): Promise<z.infer<typeof EvaluationFile>> {
  return readJson(join(folder, 'evaluation.json'), EvaluationFile)
}

/** Comma-separated, dot decimals, one row a scored slice; an undefined score is an empty cell. */
export function slicesCsv({ patients }: Evaluation): string {
  const rows = patients.flatMap(({ id, predictions }) =>
    predictions.flatMap(({ name, slices }) =>
      slices.map((each) => [
        id,
        quoted(name),
        each.sliceIndex,
        each.maskVoxels,
        each.counted ? 1 : 0,
        ...sliceMetricNames.map((metric) => each[metric] ?? ''),
      ]),
    ),
  )
  const head = ['patient', 'prediction', 'slice_index', 'mask_voxels', 'counted', ...sliceMetricNames]
  return `${[head, ...rows].map((row) => row.join(',')).join('\n')}\n`
}

function quoted(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
