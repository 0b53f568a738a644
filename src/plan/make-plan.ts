/** From a cohort to a plan: look at every patient, leave out what cannot be used, decide, write nothing. */
import { readdir } from 'node:fs/promises'
import { openCohort } from '../cohort/index.ts'
import { LarmorError } from '../errors.ts'
import { chooseBatch, type DeviceMemory } from './batch-choice.ts'
import { learntFromOf } from './edited.ts'
import { chooseFrame, type FrameWishes } from './frame-choice.ts'
import { huToMrTable } from './hu-to-mr.ts'
import { fingerprintOf, type PatientFingerprint } from './fingerprint.ts'
import { mrShares } from './mr-histogram.ts'
import { registrationFolder } from './pair.ts'
import type { MrPlan, Plan, Target } from './plan.ts'
import { checkNoLeak, checkWishes, splitPatients, type SplitWishes } from './split.ts'
import { surveyCohort, type SurveyOptions } from './survey-cohort.ts'
import { LEAST_SIGNAL, type Survey, type SurveyedMr } from './survey.ts'
import { LANDMARK_PERCENTILES, learnLandmarks, type MrMapping } from '../volume/index.ts'

export type PlanOptions = FrameWishes &
  SplitWishes &
  SurveyOptions & {
    /** The MR sequences to learn together, in the order of the output channels. */
    targets?: readonly string[] | undefined
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
  const roles = await chooseTargets(cohortDir, ids, options.targets)
  const { surveys, links, leftOut } = await surveyCohort(
    cohortDir,
    patients,
    { targets: roles, mappings: { ct: CT_MAPPING, mr: { ...asSurveyed, biasCorrection } } },
    options,
  )

  const split = splitPatients(
    surveys.map(({ fingerprint }) => fingerprint.id),
    options,
    seed,
  )
  checkNoLeak(split, links)
  const training = surveys.filter(({ fingerprint }) => split.train.includes(fingerprint.id))
  const [first, ...further] = roles.map((target, n) => {
    const seen = training.map(({ targets }) => targets[n]!)
    const mr = learnt(asSurveyed, seen)
    const unit = unitOf(mr)
    const huToMr = huToMrTable(
      seen.map(({ huSums }) => ({ sums: huSums, unit })),
      CT_MAPPING,
    )
    return { target, mr: { ...mr, biasCorrection }, huToMr }
  })
  const fingerprints = surveys.map((survey) => fingerprintWith(survey, [first!, ...further]))
  const frame = chooseFrame(fingerprints, options)
  const plan: Omit<Plan, 'learntFrom'> = {
    schema: 'larmor/plan@2',
    seed,
    ...first!,
    ...(further.length > 0 ? { furtherTargets: further } : {}),
    ...frame,
    neighbours: options.neighbours ?? 1,
    ct: CT_MAPPING,
    usable: USABLE,
    ...chooseBatch(frame.sliceSize, options.memory),
    split,
    leftOut,
    fingerprint: fingerprintOf(fingerprints),
  }
  return { ...plan, learntFrom: learntFromOf(plan) }
}

/** The mapping with what is learnt from the training patients alone: the standard of the landmarks. */
function learnt(mapping: MrMapping, training: readonly SurveyedMr[]): MrPlan {
  if (mapping.kind !== 'landmarks') return mapping
  return {
    kind: 'landmarks',
    percentiles: [...mapping.percentiles],
    standard: learnLandmarks(training.map(({ scaleEnds }) => scaleEnds)),
  }
}

/** What the ends of a scale's pieces become. */
function unitOf(mr: MrPlan): readonly number[] {
  return mr.kind === 'landmarks' ? mr.standard : [-1, 1]
}

/** With the histograms of the mapped MRs, now that it is known where landmarks go. */
function fingerprintWith({ fingerprint, targets }: Survey, planned: readonly Target[]): PatientFingerprint {
  const [first, ...further] = targets.map(({ fingerprint: found, mrCounts }, n) => ({
    ...found,
    mrShares: mrShares(mrCounts, unitOf(planned[n]!.mr)),
  }))
  return { ...fingerprint, ...first!, ...(further.length > 0 ? { furtherMr: further } : {}) }
}

/** The cohort's MR sequence; where it has several, the person who plans must say which. */
async function chooseTargets(
  cohortDir: string,
  ids: readonly string[],
  wished: readonly string[] | undefined,
): Promise<Plan['target'][]> {
  const having = new Map<string, number>()
  for (const id of ids)
    for (const role of await registeredRoles(cohortDir, id)) having.set(role, (having.get(role) ?? 0) + 1)
  const found = [...having].map(([role, count]) => `${role} (${count} of ${ids.length})`).join(', ')
  const targets = wished ?? (having.size === 1 ? [...having.keys()] : [])
  const lacking = targets.find((role) => !having.has(role))
  if (having.size === 0 || lacking !== undefined) throw noMr(cohortDir, lacking, found)
  const twice = targets.find((role, n) => targets.indexOf(role) !== n)
  if (twice !== undefined) throw namedTwice(twice)
  if (targets.length === 0 || !targets.every(isMrRole)) throw ambiguous(cohortDir, found)
  return [...targets]
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
    expected: 'the name of one of them, or of several to learn together',
    fix: 'Name it with --target mr_t1; or several, which become channels of one network: --target mr_t1,mr_t2.',
  })
}

function namedTwice(role: string): LarmorError {
  return new LarmorError({
    kind: 'usage.wrong',
    message: 'A sequence is named twice.',
    where: '--target',
    found: `${role} twice`,
    expected: 'each sequence once',
    fix: 'Leave one of them out.',
  })
}
