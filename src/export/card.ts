/** The model card, from what the runs and their plan say: no patient's id, only how many and within which extremes. */
import { mrOf, planSha256, rolesOf, type Plan } from '../plan/index.ts'
import { INTENDED_USE, type CtFingerprint, type ModelCard } from '../synthesis/index.ts'
import type { OnValidation } from './on-validation.ts'
import type { OpenRun, Predictor } from '../training/index.ts'

/** One stage of the package: its run, and the checkpoint whose weights are exported. */
export type Source = { run: OpenRun; predictor: Predictor }

const LICENCE = 'Weights: as who trained them decides, nothing is stated here. larmor, which runs them: Apache-2.0.'

const NEAR_COPY =
  'root mean squared difference of 32 × 32 pixel images in [−1, 1]; a near-copy is nearer to a training slice than half of ' +
  'the least distance between a real validation slice and training, and nearer to it than to its own MR'

function cautionOf({ memorisation: { nearCopies, outputs } }: OnValidation, { split }: Plan): string | null {
  if (nearCopies > 0)
    return `${nearCopies} of ${outputs} outputs are near-copies of training slices: look at them before the model leaves the house`
  return split.by === 'slice'
    ? 'training and validation slices are of the same patients: nearness says nothing here'
    : null
}

/** What −1 and 1 are written as: 12 bits, as MR scanners do. */
export const NOMINAL = { low: 0, high: 4095 } as const

export type Described = Pick<ModelCard, 'name' | 'input' | 'stage1' | 'refiner'> & {
  gate: CtFingerprint
  found: OnValidation
}

export function cardOf(
  plan: Plan,
  sources: readonly Source[],
  { name, gate, found, ...described }: Described,
  larmor: string,
  at: Date,
): ModelCard {
  return {
    schema: 'larmor/model@1',
    name,
    version: at.toISOString().slice(0, 10),
    createdBy: { program: 'larmor', version: larmor },
    createdAt: at.toISOString(),
    intendedUse: INTENDED_USE,
    licence: LICENCE,
    ...described,
    ct: plan.ct,
    mr: {
      target: plan.target,
      mapping: plan.mr,
      ...(plan.furtherTargets
        ? { further: plan.furtherTargets.map(({ target, mr }) => ({ target, mapping: mr })) }
        : {}),
      nominal: NOMINAL,
    },
    training: {
      patients: {
        train: plan.split.train.length,
        validation: plan.split.validation.length,
        test: plan.split.test.length,
      },
      splitBy: plan.split.by,
      planSha256: planSha256(plan),
      stages: sources.map(stageOf),
    },
    fingerprint: { ...extremesOf(plan), gate },
    metrics: [...metricsOf(sources.at(-1)!, plan), ...found.metrics],
    memorisation: { ...found.memorisation, definition: NEAR_COPY, caution: cautionOf(found, plan) },
    ...(found.realSliceChange ? { realSliceChange: found.realSliceChange } : {}),
    realSurfaces: found.realSurfaces,
  }
}

function stageOf({ run: { config, record }, predictor: { state } }: Source): ModelCard['training']['stages'][number] {
  return {
    stage: config.stage,
    generator: config.generator,
    preset: config.preset,
    seed: config.seed,
    step: state.step,
    parameters: record.parameters,
    seconds: state.elapsedSeconds,
    larmor: record.versions.larmor,
    libtorch: record.versions.libtorch,
    weightsSha256: state.sha256.ema,
  }
}

const DEFINITIONS = {
  ms_ssim_2d: 'MS-SSIM of slices (Wang et al. 2003), inside body and MR field of view, range 1; docs/metrics.md',
  mae: 'mean absolute error inside body and MR field of view, of a range of 1; docs/metrics.md',
} as const

/** The scores of the exported checkpoint's outputs; none where it was never validated. */
function metricsOf(source: Source, plan: Plan): ModelCard['metrics'] {
  const { score } = source.predictor.state
  if (score === null) return []
  const { length } = rolesOf(plan)
  const ofSeveral = length > 1 ? `, mean over ${length} sequences` : ''
  const bySlice = plan.split.by === 'slice' ? '; slices of the training patients, so no evidence for new ones' : ''
  return Object.entries(outputsOf(source)).map(([output, value]) => ({
    name: score.by,
    definition: DEFINITIONS[score.by],
    output,
    measuredOn: `validation slices of ${plan.split.validation.length} patients, mean over patients${ofSeveral}${bySlice}`,
    value,
  }))
}

/** What each output of a run scored; a refiner's run scores its first stage beside its own outputs. */
function outputsOf({ run: { config }, predictor: { state } }: Source): Record<string, number> {
  if (state.score === null) return {}
  const own = config.generator === 'refiner' ? 'one-step' : 'stage-1'
  return { [own]: state.score.value, ...state.score.others }
}

/** The best of the refiner's outputs and of stage 1 alone: a refiner that does not help is not what a user gets. */
export function bestMode(refiner: Source): 'single' | 'one-step' | 'stage-1' {
  const sign = refiner.predictor.state.score?.by === 'mae' ? -1 : 1
  const outputs = outputsOf(refiner)
  const modes = (['one-step', 'single', 'stage-1'] as const).filter((mode) => mode in outputs)
  return modes.reduce((a, b) => (sign * outputs[b]! > sign * outputs[a]! ? b : a), modes[0] ?? 'one-step')
}

function extremesOf({ fingerprint, split }: Plan): ModelCard['fingerprint'] {
  const patients = fingerprint.patients.filter(({ id }) => split.train.includes(id))
  return {
    patients: patients.length,
    spacingMm: extremes(patients.map(({ spacingMm }) => spacingMm)),
    slices: extremes(patients.map(({ size }) => [size[2]])),
    bodyExtentMm: extremes(patients.map(({ bodyExtentMm }) => bodyExtentMm)),
    bodyHu: extremes(patients.map(({ bodyHu }) => bodyHu)),
    mrScale: extremes(patients.map((patient) => mrOf(patient).flatMap(({ mrScale }) => [mrScale.low, mrScale.high]))),
  }
}

function extremes(rows: readonly (readonly number[])[]): { low: number[]; high: number[] } {
  const columns = rows[0]!.map((_, n) => rows.map((row) => row[n]!))
  return { low: columns.map((column) => Math.min(...column)), high: columns.map((column) => Math.max(...column)) }
}
