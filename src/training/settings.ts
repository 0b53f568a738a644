/**
 * The settings of a run: presets, what `--set key=value` may change, and the resolved config.json.
 *
 * The length is exactly one of `epochs`, `steps`, `minutes`. Two runs with the same config, seed, threads and machine
 * are equal to the bit, except with `minutes`, whose schedule follows the clock.
 */
import { z } from 'zod'
import { LarmorError } from '../errors.ts'
import {
  PAPER_ADAM,
  PAPER_LAMBDA_L1,
  PAPER_NOISE,
  PAPER_UNET,
  REFINER_DEFAULTS,
  RESIDUAL_DEFAULTS,
} from '../models/index.ts'
import { nearest } from './nearest.ts'

const share = z.number().min(0).max(1)
const decay = z.number().min(0).max(0.99999)

const common = {
  schema: z.literal('larmor/run-config@1'),
  preset: z.enum(['paper', 'best']),
  seed: z.int().min(0),
  /** Length: passes over the training slices, or steps, or wall time including validation. */
  epochs: z.number().positive().nullable(),
  steps: z.int().positive().nullable(),
  minutes: z.number().positive().nullable(),
  batch: z.int().positive().max(256),
  /**
   * In how many parts a batch goes through the networks: less memory, the same gradients (nn/loss-gradients.ts). With `bodyBox` it is
   * image by image anyway, each in its own rectangle.
   */
  accumulate: z.int().positive().max(256).default(1),
  /** Activation checkpointing: less memory for about a third more time, the same gradients (nn/recompute.ts). */
  recompute: z.boolean().default(false),
  learningRate: z.number().positive().max(1),
  /** Steps over which the rate rises in a straight line. */
  warmUpSteps: z.int().min(1),
  schedule: z.enum(['constant', 'linear', 'cosine']),
  /** `linear` is constant for this share of the run, then falls to 0. */
  holdShare: share.max(0.99),
  /** Augmentation: see dataset/augment.ts. */
  flip: z.boolean(),
  jitter: z.boolean(),
  turnDegrees: z.number().min(0).max(45),
  sizeShare: z.number().min(0).max(0.5),
  bendMm: z.number().min(0).max(20),
  contrastShare: share,
  metalShare: share,
  truncationShare: share,
  noiseHu: z.number().min(0).max(200),
  shiftHu: z.number().min(0).max(200),
  /** Validations over the whole run, beside one before the first step; on so many slices, spread over the patients. */
  validations: z.int().min(1),
  validationSlices: z.int().min(1),
  /** Slices in each picture of samples/. */
  sampleSlices: z.int().min(1).max(32),
  checkpointSeconds: z.number().min(0),
  /** A line of metrics.jsonl every so many steps, with the means since the last. */
  logEvery: z.int().min(1),
}

const Unet = z.strictObject({
  ...common,
  stage: z.literal('pix2pix'),
  generator: z.literal('unet'),
  /** Filters of generator (ngf) and critic (ndf) at their outermost layer. */
  width: z.int().positive(),
  criticWidth: z.int().positive(),
  /** Halvings: slices must be a multiple of 2^downs. */
  downs: z.int().min(2).max(10),
  norm: z.enum(['batch', 'instance']),
  dropout: share.max(0.95),
  lambdaL1: z.number().min(0),
  /** L1 counts where body and MR are, and a tenth in the air around; the paper's counts everywhere. */
  maskLoss: z.boolean(),
})

const Residual = z.strictObject({
  ...common,
  stage: z.literal('pix2pix'),
  generator: z.literal('residual'),
  width: z.int().positive().multipleOf(8),
  levels: z.int().min(1).max(6),
  unshuffle: z.literal([1, 2, 4]),
  emaDecay: decay,
  /** Networks see the rectangle about each slice's body (body-box.ts), not the air around; in runs of before the whole slice. */
  bodyBox: z.boolean().default(false),
  /** The CT is averaged over differences up to about so many HU before the table looks it up; 0 (and runs of before): not. */
  tissueHu: z.number().min(0).max(500).default(0),
  /** How much 1 − SSIM over five scales counts beside L1 (nn/structure-loss.ts); 0 (and runs of before): L1 alone. */
  lambdaSsim: z.number().min(0).default(0),
  /** Take the losses after a warp by what a pair was left misregistered (models/align.ts); runs of before did not. */
  align: z.boolean().default(false),
})

const Refiner = z.strictObject({
  ...common,
  stage: z.literal('diffusion'),
  generator: z.literal('refiner'),
  width: z.int().positive().multipleOf(8),
  levels: z.int().min(1).max(6),
  unshuffle: z.literal([1, 2, 4]),
  embedding: z.int().positive().multipleOf(2),
  emaDecay: decay,
  /** Networks see the rectangle about each slice's body (body-box.ts), not the air around; in runs of before the whole slice. */
  bodyBox: z.boolean().default(false),
  /** A Wiener filter over bands of detail stands around the network (models/bands.ts); in runs of before c_skip alone. */
  wiener: z.boolean().default(false),
  /** At high noise the loss is the absolute error, as stage 1's (models/refiner-training.ts); in runs of before the squared one. */
  absolute: z.boolean().default(false),
  /** How much 1 − SSIM of stage 1 + D counts beside the error at high noise; 0 in runs of before. */
  lambdaSsim: z.number().min(0).default(0),
  /** ln σ ~ N(pMean, pStd²) for data of SD 0.5 (Karras et al. 2022, table 1); moved along with the residual's SD. */
  pMean: z.number(),
  pStd: z.number().positive(),
  /** Heun steps of the sample that validation shows. */
  samplerSteps: z.int().min(1).max(50),
  /** σ at which a sample starts, in SDs of the residual: 10 is noise alone, 1 and less starts from stage 1. */
  sampleFrom: z.number().min(0.05).max(10).default(10),
})

const SCHEMAS = { unet: Unet, residual: Residual, refiner: Refiner }
export const RunConfigSchema = z.discriminatedUnion('generator', [Unet, Residual, Refiner])
export type UnetConfig = z.infer<typeof Unet>
export type ResidualConfig = z.infer<typeof Residual>
export type RefinerConfig = z.infer<typeof Refiner>
export type RunConfig = z.infer<typeof RunConfigSchema>
type Generator = keyof typeof SCHEMAS

const watching = { validations: 10, validationSlices: 16, sampleSlices: 4, checkpointSeconds: 120, logEvery: 10 }
const roomy = { accumulate: 1, recompute: false }
const unbent = { turnDegrees: 0, sizeShare: 0, bendMm: 0 }
const undisturbed = { contrastShare: 0, metalShare: 0, truncationShare: 0, noiseHu: 0, shiftHu: 0 }
const whole = { epochs: null, steps: null, minutes: null }

/** The reference's defaults (junyanz/pytorch-CycleGAN-and-pix2pix, model pix2pix): 100 epochs, then 100 to zero. */
const paper = {
  ...whole,
  ...watching,
  ...roomy,
  preset: 'paper',
  epochs: 200,
  learningRate: PAPER_ADAM.lr,
  warmUpSteps: 1,
  schedule: 'linear',
  holdShare: 0.5,
  flip: true,
  jitter: true,
  ...unbent,
  ...undisturbed,
} as const
const best = {
  ...whole,
  ...watching,
  ...roomy,
  preset: 'best',
  epochs: 40,
  learningRate: 1e-3,
  warmUpSteps: 20,
  schedule: 'cosine',
  holdShare: 0,
  flip: true,
  jitter: false,
  ...unbent,
  ...undisturbed,
} as const
const { ngf, downs, norm, dropout } = PAPER_UNET
const { levels, unshuffle } = RESIDUAL_DEFAULTS
const emaDecay = 0.999
const networkDefaults = {
  unet: { width: ngf, criticWidth: ngf, downs, norm, dropout, lambdaL1: PAPER_LAMBDA_L1 },
  residual: {
    width: RESIDUAL_DEFAULTS.width,
    levels,
    unshuffle,
    emaDecay,
    bodyBox: true,
    tissueHu: 80,
    lambdaSsim: 0.5,
    align: false,
  },
  // The rate of `best`, whatever the preset: the published system says nothing of its second stage's.
  refiner: {
    ...REFINER_DEFAULTS,
    ...PAPER_NOISE,
    emaDecay,
    bodyBox: true,
    lambdaSsim: 0.5,
    samplerSteps: 5,
    sampleFrom: 10,
    learningRate: best.learningRate,
  },
}

/** What the command and the plan say; `settings` are the words after --set. */
export type Wishes = {
  stage: 'pix2pix' | 'diffusion'
  preset?: 'paper' | 'best' | undefined
  settings: readonly string[]
  seed: number
  planBatch: number
}

/**
 * The whole config: preset, then settings.
 * @throws config.refused  an unknown setting (with the nearest known one), a value out of range, or two that contradict
 */
export function resolveConfig({ stage, preset = 'best', settings, seed, planBatch }: Wishes): RunConfig {
  const given = parseSettings(settings)
  const generator = chosenGenerator(stage, preset, given)
  const defaults = {
    schema: 'larmor/run-config@1',
    stage,
    generator,
    seed,
    ...(preset === 'paper' ? paper : best),
    batch: preset === 'paper' ? 1 : planBatch,
    ...networkDefaults[generator],
    ...(generator === 'unet' ? { maskLoss: preset === 'best' } : {}),
  }
  const lengths = ['epochs', 'steps', 'minutes'].filter((key) => key in given)
  if (lengths.length > 1)
    throw refused(lengths.join(', '), `${lengths.length} lengths of the run`, 'one of epochs, steps, minutes')
  const length = lengths.length === 1 ? whole : {}
  return checkedConfig(generator, { ...defaults, ...length }, given)
}

/** What a run may change when it goes on: how it is computed, and not what it learns. */
export const CHANGEABLE: ReadonlySet<string> = new Set(['recompute', 'accumulate', 'checkpointSeconds', 'logEvery'])

/** @param settings  of CHANGEABLE alone  @throws config.refused */
export function changedConfig(config: RunConfig, settings: readonly string[]): RunConfig {
  return checkedConfig(config.generator, config, parseSettings(settings))
}

function checkedConfig(generator: Generator, defaults: object, given: Given): RunConfig {
  const known = SCHEMAS[generator].shape
  for (const key of Object.keys(given)) checkKey(key, generator, known)
  const parsed = SCHEMAS[generator].safeParse({ ...defaults, ...given })
  if (parsed.success) return checkContradictions(parsed.data, given)
  const bad = parsed.error.issues.map(({ path, message }) => ({ key: path.join('.'), message }))
  const found = bad.map(({ key }) => `${key}=${given[key]}`).join(', ')
  throw refused(bad.map(({ key }) => key).join(', '), found, bad.map(({ message }) => message).join('; '))
}

/** The keys that a run may change, for help texts. */
export function settingNames(generator: Generator): string[] {
  return Object.keys(SCHEMAS[generator].shape).filter((key) => !FIXED.has(key))
}

/** Set by the command itself. */
const FIXED = new Set(['schema', 'stage', 'preset', 'seed'])

type Given = Record<string, string | number | boolean>

function parseSettings(settings: readonly string[]): Given {
  const given: Given = {}
  for (const setting of settings) {
    const [, key, text] = /^([A-Za-z]\w*)=(.+)$/.exec(setting) ?? []
    if (key === undefined || text === undefined) throw refused(setting, 'no key=value', 'for instance --set batch=8')
    if (key in given) throw refused(key, 'two values', 'one')
    given[key] = text === 'true' ? true : text === 'false' ? false : Number.isNaN(Number(text)) ? text : Number(text)
  }
  return given
}

function chosenGenerator(stage: Wishes['stage'], preset: 'paper' | 'best', { generator }: Given): Generator {
  if (stage === 'diffusion') {
    if (generator !== undefined) throw refused('generator', String(generator), 'no choice: stage 2 has one network')
    return 'refiner'
  }
  if (generator === undefined) return preset === 'paper' ? 'unet' : 'residual'
  if (generator === 'unet' || generator === 'residual') return generator
  throw refused('generator', String(generator), 'unet or residual')
}

function checkKey(key: string, generator: Generator, known: object): void {
  if (key in known && !FIXED.has(key)) return
  if (FIXED.has(key)) throw refused(key, 'a setting that the command itself sets', '--seed, --preset or the stage')
  const elsewhere = (['unet', 'residual', 'refiner'] as const).filter((other) => key in SCHEMAS[other].shape)
  if (elsewhere.length > 0)
    throw refused(key, `a setting of ${elsewhere.join(' and ')}`, `settings of ${generator}, which this run trains`)
  const close = nearest(key, settingNames(generator))
  throw refused(key, 'no such setting', close ? `perhaps ${close}` : `one of ${settingNames(generator).join(', ')}`)
}

function checkContradictions<C extends RunConfig>(config: C, given: Given): C {
  if ('holdShare' in given && config.schedule !== 'linear')
    throw refused('holdShare', `schedule=${config.schedule}`, 'schedule=linear, the only one that holds')
  if (config.accumulate > config.batch)
    throw refused('accumulate', `${config.accumulate} parts of ${config.batch} images`, 'at most as many as batch')
  if (config.generator === 'unet' && config.norm === 'batch' && config.accumulate > 1)
    throw refused(
      'accumulate',
      'norm=batch, whose statistics would be those of a part, not of the batch',
      'norm=instance, or accumulate=1 with a smaller batch or recompute=true',
    )
  return config
}

function refused(what: string, found: string, expected: string): LarmorError {
  return new LarmorError({
    kind: 'config.refused',
    message: 'A setting of the run is refused.',
    where: `--set ${what}`,
    found,
    expected,
    fix: 'Correct that setting or leave it out; config.json of any run shows all of them.',
  })
}
