/**
 * The card of a model package, `model.json`: what the graphs expect and give, how they were made, what they are for.
 * Written by export/, read here; zod does not leave this file.
 */
import { z } from 'zod'
import { parseJson } from '../files.ts'
import { LarmorError } from '../errors.ts'

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/)
/** Beside model.json, so that a card cannot point out of its package. */
const FileName = z.string().regex(/^[\w-]+(\.[\w-]+)*$/)
const PixelPair = z.tuple([z.int().positive(), z.int().positive()])

const Count = z.int().nonnegative()
/** One number each, or as many as the quantity has. */
const Extremes = z.strictObject({ low: z.array(z.number()).min(1), high: z.array(z.number()).min(1) })

/** The network was trained on the rectangle about each slice's body (volume/body-box.ts); absent: on whole slices. */
const BodyBox = z.strictObject({ marginPixels: z.int().nonnegative(), multipleOf: z.int().positive() }).optional()

/** The largest |libtorch − ONNX Runtime| in [−1, 1], on random input and on real slices. */
const Parity = z.strictObject({ random: z.number().nonnegative(), realSlices: z.number().nonnegative() })

const Sampler = z.strictObject({
  name: z.enum(['dpmpp2m', 'heun', 'euler']),
  /** Noise levels; for Heun each but the last costs two evaluations. */
  steps: z.int().positive(),
  sigmaMin: z.number().positive(),
  sigmaMax: z.number().positive(),
  /** Of one step; packages of before took it at sigmaMax. */
  sigmaOneStep: z.number().positive().optional(),
  rho: z.number().positive(),
  /** How several samples are drawn, and where one step starts (refine.ts). Absent in older packages: each by itself. */
  noise: z.enum(['independent', 'mirrored']).optional(),
})

/** Whether uneven coils were divided out first; cards of before that choice existed do not say. */
const BiasCorrection = z.boolean().optional()

const Range = z.strictObject({ low: z.number(), high: z.number() })
const Histogram = z.strictObject({ lowHu: z.number(), stepHu: z.number().positive(), share: z.array(z.number()) })

/** What the gate holds a new CT against: see gate/fingerprint.ts, which makes it. */
const GateFingerprint = z.strictObject({
  patients: z.int().positive(),
  contrastAgent: z.boolean(),
  whole: Histogram,
  soft: Histogram,
  distanceHu: z.number().nonnegative(),
  offsetHu: Range,
  noiseHu: Range.optional(),
  noiseCorrelation: Range.optional(),
  alongZ: Range.optional(),
  lengthMm: Range,
  sliceSpacingMm: Range,
  enclosedCm3: Range,
  metalCm2: Range,
  brightShare: Range,
  headUpMm: Range.optional(),
  slices: z.strictObject({ points: z.array(z.array(z.number())).min(1), limit: z.number().positive() }),
})

const PerLevel = z.strictObject({ '50': z.number(), '80': z.number(), '90': z.number() })

/** What the spread of samples says of their error: export/calibration.ts makes it, in [−1, 1]. */
const Uncertainty = z.strictObject({
  /** How many samples a slice it was measured with. */
  samples: z.int().min(2),
  /** A calibrated SD is √((scale · SD)² + floor²). */
  scale: z.number().nonnegative(),
  floor: z.number().nonnegative(),
  /** The mean ± so many calibrated SD holds the MR at 50, 80 and 90 % of the pixels. */
  factors: PerLevel,
  /** In percent, where it was measured without having been fitted. */
  coverage: PerLevel,
  heldOut: z.string(),
  bins: z.array(z.strictObject({ sd: z.number(), error: z.number(), calibrated: z.number() })),
})

const RealSurface = z.strictObject({ p95Mm: z.number(), shownShare: z.number() }).nullable()

/** How each training MR was brought to [−1, 1], as its plan says it. */
const Mapping = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('percentile'),
    lowPercentile: z.number(),
    highPercentile: z.number(),
    biasCorrection: BiasCorrection,
  }),
  z.strictObject({ kind: z.literal('z-score'), deviations: z.number().positive(), biasCorrection: BiasCorrection }),
  z.strictObject({
    kind: z.literal('landmarks'),
    percentiles: z.array(z.number()),
    standard: z.array(z.number()),
    biasCorrection: BiasCorrection,
  }),
])

const Nearness = z.strictObject({ least: z.number().nonnegative(), median: z.number().nonnegative() })

const Card = z.strictObject({
  schema: z.literal('larmor/model@1'),
  name: z.string().min(1),
  version: z.string().min(1),
  createdBy: z.strictObject({ program: z.literal('larmor'), version: z.string() }),
  createdAt: z.iso.datetime(),
  intendedUse: z.string().min(1),
  licence: z.string().optional(),
  /** Networks see `channels` = 2 · neighbours + 1 CT slices of `size` [width, height] pixels of `spacingMm`. */
  input: z.strictObject({
    channels: z.int().positive(),
    size: PixelPair,
    multipleOf: z.int().positive(),
    spacingMm: z.tuple([z.number().positive(), z.number().positive()]),
  }),
  ct: z.strictObject({ kind: z.literal('hu-window'), lowHu: z.number(), highHu: z.number() }),
  mr: z.strictObject({
    /** The sequence of the first output channel; the graphs have one more for each of `further`. */
    target: z.string().min(1),
    mapping: Mapping,
    further: z
      .array(z.strictObject({ target: z.string().min(1), mapping: Mapping }))
      .min(1)
      .optional(),
    /** What −1 and 1 are written as. */
    nominal: z.strictObject({ low: z.number(), high: z.number() }),
  }),
  stage1: z.strictObject({
    file: FileName,
    sha256: Sha256,
    generator: z.string().min(1),
    /** Which statistics the graph normalises by: the question behind most defects of exported pix2pix models. */
    normalisation: z.string().min(1),
    weights: z.enum(['averaged', 'as trained']),
    bodyBox: BodyBox,
    parity: Parity,
  }),
  refiner: z
    .strictObject({
      file: FileName,
      sha256: Sha256,
      sigmaData: z.number().positive(),
      sampler: Sampler,
      /** What `synthesize` makes unless asked: the output that validated best, `metrics` says by how much. */
      defaultMode: z.enum(['single', 'one-step', 'stage-1']),
      weights: z.enum(['averaged', 'as trained']),
      bodyBox: BodyBox,
      parity: Parity,
      /** Of the whole sampled result, all evaluations in a row, on real slices. */
      sampledParity: z.number().nonnegative(),
      /** Absent in older packages: the spread of samples is then written as it is. */
      uncertainty: Uncertainty.optional(),
    })
    .nullable(),
  training: z.strictObject({
    /** How many; ids stay with the cohort. */
    patients: z.strictObject({ train: Count, validation: Count, test: Count }),
    splitBy: z.enum(['patient', 'slice']),
    planSha256: Sha256,
    stages: z.array(
      z.strictObject({
        stage: z.enum(['pix2pix', 'diffusion']),
        generator: z.string(),
        preset: z.string(),
        seed: Count,
        step: Count,
        parameters: Count,
        seconds: z.number().nonnegative(),
        larmor: z.string(),
        libtorch: z.string(),
        weightsSha256: Sha256,
      }),
    ),
  }),
  /** From the smallest to the largest of the training patients: what a new CT is to be held against. */
  fingerprint: z.strictObject({
    patients: Count,
    spacingMm: Extremes,
    slices: Extremes,
    bodyExtentMm: Extremes,
    /** Percentiles 0.5, 50 and 99.5 of the HU inside the body. */
    bodyHu: Extremes,
    /** Scanner units that became −1 and 1, a pair for each sequence. */
    mrScale: Extremes,
    /** Absent in packages of before the gate: their outputs say that nothing was checked. */
    gate: GateFingerprint.optional(),
  }),
  /**
   * How much real MRs change from slice to slice, over how much their CTs do: the smallest and the largest of the patients
   * that the model was trained and validated on, and of all sequences. Absent in older packages.
   */
  realSliceChange: z
    .strictObject({ low: z.number(), high: z.number(), mean: z.number(), patients: z.int() })
    .optional(),
  /** Where surfaces of real MRs lie against their CTs (synthesis/surfaces.ts), the worst of some patients; null where too few were seen. */
  realSurfaces: z
    .strictObject({ patients: z.int(), skin: RealSurface, air: RealSurface, bone: RealSurface })
    .optional(),
  metrics: z.array(
    z.strictObject({
      name: z.string(),
      definition: z.string(),
      output: z.string(),
      /** Of which sequence, where the model has several; absent where it is their mean. */
      target: z.string().optional(),
      measuredOn: z.string(),
      value: z.number(),
      /** Bootstrap over patients; over slices where there are fewer than three. Absent where only a mean was kept. */
      interval95: z
        .strictObject({ low: z.number(), high: z.number(), over: z.enum(['patients', 'slices']), count: Count })
        .optional(),
    }),
  ),
  /** Nearest training slices of outputs on validation CTs: see export/memorisation.ts. */
  memorisation: z
    .strictObject({
      outputs: Count,
      trainingSlices: Count,
      output: Nearness,
      real: Nearness,
      nearCopies: Count,
      definition: z.string(),
      caution: z.string().nullable(),
    })
    .optional(),
})
export type ModelCard = z.infer<typeof Card>
export type SamplerSettings = z.infer<typeof Sampler>

/** The sequences of the output channels, in their order. */
export function targetsOf({ mr: { target, further = [] } }: Pick<ModelCard, 'mr'>): string[] {
  return [target, ...further.map((each) => each.target)]
}

export const INTENDED_USE = 'research; contouring aid beside the CT; not for diagnosis or dose'

/**
 * @param where  the file's path, for the fault
 * @throws json.refused    not JSON, or not a card of this schema: every problem at once
 * @throws model.mismatch  a number of channels that is no slice with neighbours on both sides
 */
export function parseCard(text: string, where: string): ModelCard {
  const card = parseJson(text, where, Card)
  if (card.input.channels % 2 === 1) return card
  throw new LarmorError({
    kind: 'model.mismatch',
    message: 'The model takes an even number of CT slices.',
    where,
    found: `${card.input.channels} channels`,
    expected: 'an odd number: a slice and as many neighbours on both sides',
    fix: 'Export the model again.',
  })
}
