/** From a cohort to a plan: look at every patient, leave out what cannot be used, decide, write nothing. */
import { readdir } from 'node:fs/promises'
import { openCohort } from '../cohort/index.ts'
import { LarmorError } from '../errors.ts'
import { chooseBatch, type DeviceMemory } from './batch-choice.ts'
import { chooseFrame, type FrameWishes } from './frame-choice.ts'
import { huToMrTable } from './hu-to-mr.ts'
import { fingerprintOf } from './fingerprint.ts'
import { mrShares } from './mr-histogram.ts'
import { registrationFolder } from './pair.ts'
import type { MrPlan, Plan } from './plan.ts'
import { checkNoLeak, checkWishes, splitPatients, type SplitWishes } from './split.ts'
import { surveyCohort, type SurveyOptions } from './survey-cohort.ts'
import { LEAST_SIGNAL, type Survey } from './survey.ts'
import { LANDMARK_PERCENTILES, learnLandmarks, type MrMapping } from '../volume/index.ts'

export type PlanOptions = FrameWishes &
  SplitWishes &
  SurveyOptions & {
    target?: string | undefined
    neighbours?: number | undefined
    /** How MR of different patients are brought together. */
    normalise?: MrMapping['kind'] | undefined
    /** Whether what uneven coils leave is divided out first. */
    biasCorrection?: boolean | undefined
    seed: number
    memory: DeviceMemory
  }

/**
 * −1000 HU is air, and what lies below (padding at −1024 or −2000) is air too. Above 1500 HU there are only teeth, metal
 * and the densest bone, all of them dark in MR: a wider window would spend contrast on differences that MR does not show.
 */
const CT_MAPPING = { kind: 'hu-window', lowHu: -1000, highHu: 1500 } as const
const MR_MAPPINGS = {
  /** One voxel in two hundred may be clipped at each end: vessels' flow artefacts and coil hot spots, not tissue. */
  percentile: { kind: 'percentile', lowPercentile: 0.5, highPercentile: 99.5 },
  /** Tissue hardly lies farther out: about the same voxels are clipped as by the percentiles. */
  'z-score': { kind: 'z-score', deviations: 3 },
  /** Evenly spread until the training patients are known. */
  landmarks: {
    kind: 'landmarks',
    percentiles: [...LANDMARK_PERCENTILES],
    standard: LANDMARK_PERCENTILES.map((_, n) => (2 * n) / (LANDMARK_PERCENTILES.length - 1) - 1),
  },
} as const satisfies Record<MrMapping['kind'], MrMapping>
/** Smaller sections are crown or chin; below half the MR would be guessed by what surrounds it. */
const USABLE = { bodyCm2: 10, mrShare: 0.5, signalShare: LEAST_SIGNAL } as const

/**
 * Reads every patient once. One that is refused is reported, listed in `leftOut`, and the others go on.
 * @throws usage.wrong           several MR sequences could be meant
 * @throws cohort.incomplete     no patient has a registered MR
 * @throws plan.tooFewPatients, plan.leak, config.refused
 */
export async function makePlan(cohortDir: string, options: PlanOptions): Promise<Plan> {
  const { seed, biasCorrection = false } = options
  const asSurveyed = MR_MAPPINGS[options.normalise ?? 'percentile']
  const cohort = await openCohort(cohortDir)
  const patients = cohort.patients.filter(({ excluded }) => excluded === null)
  const ids = patients.map(({ id }) => id)
  checkWishes(options, ids)
  const target = await chooseTarget(cohortDir, ids, options.target)
  const { surveys, links, leftOut } = await surveyCohort(
    cohortDir,
    patients,
    { target, mappings: { ct: CT_MAPPING, mr: { ...asSurveyed, biasCorrection } } },
    options,
  )

  const split = splitPatients(
    surveys.map(({ fingerprint }) => fingerprint.id),
    options,
    seed,
  )
  checkNoLeak(split, links)
  const training = surveys.filter(({ fingerprint }) => split.train.includes(fingerprint.id))
  const mr = learnt(asSurveyed, training)
  const unit = mr.kind === 'landmarks' ? mr.standard : [-1, 1]
  const fingerprints = surveys.map(({ fingerprint, mrCounts }) => ({
    ...fingerprint,
    mrShares: mrShares(mrCounts, unit),
  }))
  const huToMr = huToMrTable(
    training.map(({ huSums }) => ({ sums: huSums, unit })),
    CT_MAPPING,
  )
  const frame = chooseFrame(fingerprints, options)
  return {
    schema: 'larmor/plan@2',
    seed,
    target,
    ...frame,
    neighbours: options.neighbours ?? 1,
    ct: CT_MAPPING,
    mr: { ...mr, biasCorrection },
    usable: USABLE,
    huToMr,
    ...chooseBatch(frame.sliceSize, options.memory),
    split,
    leftOut,
    fingerprint: fingerprintOf(fingerprints),
  }
}

/** The mapping with what is learnt from the training patients alone: the standard of the landmarks. */
function learnt(mapping: MrMapping, training: readonly Survey[]): MrPlan {
  if (mapping.kind !== 'landmarks') return mapping
  return {
    kind: 'landmarks',
    percentiles: [...mapping.percentiles],
    standard: learnLandmarks(training.map(({ scaleEnds }) => scaleEnds)),
  }
}

/** The MR sequence that all patients have; where several could be meant, the person who plans must say which. */
async function chooseTarget(
  cohortDir: string,
  ids: readonly string[],
  wished: string | undefined,
): Promise<Plan['target']> {
  const having = new Map<string, number>()
  for (const id of ids)
    for (const role of await registeredRoles(cohortDir, id)) having.set(role, (having.get(role) ?? 0) + 1)
  const found = [...having].map(([role, count]) => `${role} (${count} of ${ids.length})`).join(', ')
  const complete = [...having.keys()].filter((role) => having.get(role) === ids.length)
  const target =
    wished ?? (complete.length === 1 ? complete[0]! : having.size === 1 ? [...having.keys()][0]! : undefined)
  if (having.size === 0 || (wished !== undefined && !having.has(wished))) throw noMr(cohortDir, wished, found)
  if (target === undefined || !isMrRole(target)) throw ambiguous(cohortDir, found)
  return target
}

async function registeredRoles(cohortDir: string, id: string): Promise<string[]> {
  const names = await readdir(registrationFolder(cohortDir, id)).catch(() => [])
  return names.filter((name) => /^mr_.+\.nii\.gz$/.test(name)).map((name) => name.slice(0, -'.nii.gz'.length))
}

function isMrRole(role: string): role is `mr_${string}` {
  return /^mr_./.test(role)
}

function noMr(cohortDir: string, wished: string | undefined, found: string): LarmorError {
  return new LarmorError({
    kind: 'cohort.incomplete',
    message: 'There is no registered MR to learn from.',
    where: cohortDir,
    found: found || 'no patient with a registered MR',
    expected: wished ?? 'an MR registered onto the CT, for each patient',
    fix: 'Run: larmor register <cohort>; or name another sequence with --target.',
  })
}

function ambiguous(cohortDir: string, found: string): LarmorError {
  return new LarmorError({
    kind: 'usage.wrong',
    message: 'Several MR sequences could be the target.',
    where: cohortDir,
    found,
    expected: 'the name of one of them',
    fix: 'Name it with --target.',
  })
}
