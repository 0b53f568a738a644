/**
 * The plan: every choice that turns registered pairs into training slices, in one file that a person can read and edit.
 *
 * Its hash names the slice store: a changed plan makes a new store, never a mixed one.
 * Millimetres, HU, percentiles 0 … 100; `huToMr` in what networks see, [−1, 1] on both sides.
 */
import { z } from 'zod'
import { readJson, sha256, writeJson } from '../files.ts'
import { Fingerprint, mrOf, type CtRole } from './fingerprint.ts'

const Ids = z.array(z.string())

const Split = z.discriminatedUnion('by', [
  z.strictObject({ by: z.literal('patient'), train: Ids.min(1), validation: Ids.min(1), test: Ids }),
  /** Neighbouring slices of the same body on both sides: good for trying the chain, worthless as evidence. */
  z.strictObject({
    by: z.literal('slice'),
    train: Ids.min(1),
    validation: Ids.min(1),
    test: Ids.max(0),
    trainSlices: z.enum(['even', 'odd']),
    warning: z.string(),
  }),
])
export type Split = z.infer<typeof Split>
export type SplitName = 'train' | 'validation' | 'test'

const Percentile = z.number().min(0).max(100)
/** Divides out what uneven coils leave, before anything else; absent in plans of before that choice: not done. */
const BiasCorrection = z.boolean().optional()
const MrPlan = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('percentile'),
    lowPercentile: Percentile,
    highPercentile: Percentile,
    biasCorrection: BiasCorrection,
  }),
  z.strictObject({ kind: z.literal('z-score'), deviations: z.number().positive(), biasCorrection: BiasCorrection }),
  z.strictObject({
    kind: z.literal('landmarks'),
    percentiles: z.array(Percentile).min(2),
    standard: z.array(z.number()).min(2),
    biasCorrection: BiasCorrection,
  }),
])
export type MrPlan = z.infer<typeof MrPlan>

/** What is learnt of one MR sequence: how its values are mapped, and its mean at each mapped CT value. */
const target = {
  target: z.templateLiteral(['mr_', z.string().min(1)]),
  mr: MrPlan,
  /** Mean mapped MR at each mapped CT value, over the training patients: what a network starts from. */
  huToMr: z.strictObject({ ct: z.array(z.number()).min(2), mr: z.array(z.number()).min(2) }),
}
const Target = z.strictObject(target)
export type Target = z.infer<typeof Target>

const PlanSchema = z
  .strictObject({
    schema: z.literal(
      'larmor/plan@2',
      'must be larmor/plan@2; a plan of an earlier version is made again: larmor plan',
    ),
    seed: z.int().min(0),
    /** The first sequence; the others, where several are learnt together. `targetsOf` has all of them. */
    ...target,
    furtherTargets: z.array(Target).min(1).optional(),
    spacingMm: z.tuple([z.number().positive(), z.number().positive()]),
    sliceSize: z.tuple([z.int().positive().multipleOf(32), z.int().positive().multipleOf(32)]),
    /** Slices of CT on each side of the one that is translated. */
    neighbours: z.int().min(0).max(4),
    ct: z.strictObject({ kind: z.literal('hu-window'), lowHu: z.number(), highHu: z.number() }),
    /** A slice is used where its body is at least so large and the MR covers at least this share of it. */
    usable: z.strictObject({
      bodyCm2: z.number().min(0),
      mrShare: z.number().min(0).max(1),
      /** Least share of the soft tissue that gives signal; absent in plans of before: not looked at. */
      signalShare: z.number().min(0).max(1).optional(),
      /** Most metal in the CT; absent: metal is counted, and its slices are used. */
      metalCm2: z.number().min(0).optional(),
    }),
    batch: z.int().positive(),
    /** What the batch was chosen for: the device's whole memory, and what a step was taken to need. */
    memory: z
      .strictObject({ device: z.enum(['cpu', 'cuda']), foundBytes: z.int().min(0), stepBytes: z.int().min(0) })
      .optional(),
    split: Split,
    /** What the tables were learnt with (edited.ts); plans of before do not say. */
    learntFrom: z.string().length(64).optional(),
    leftOut: z.array(z.strictObject({ id: z.string(), kind: z.string(), reason: z.string() })),
    fingerprint: Fingerprint,
  })
  .refine(({ ct }) => ct.highHu > ct.lowHu, 'ct.highHu must be above ct.lowHu')
  .refine(
    (plan) => targetsOf(plan).every(({ mr }) => mr.kind !== 'percentile' || mr.highPercentile > mr.lowPercentile),
    'mr.highPercentile must be above mr.lowPercentile',
  )
  .refine(
    (plan) =>
      targetsOf(plan).every(
        ({ mr }) => mr.kind !== 'landmarks' || (mr.percentiles.length === mr.standard.length && spanning(mr)),
      ),
    'mr.percentiles must rise, with one mr.standard for each, from −1 to 1 and never falling',
  )
  .refine(
    (plan) => targetsOf(plan).every(({ huToMr }) => rising(huToMr)),
    'huToMr.ct must rise, with one huToMr.mr for each',
  )
  .refine((plan) => new Set(rolesOf(plan)).size === rolesOf(plan).length, 'a sequence is in furtherTargets twice')
  .refine(
    ({ furtherTargets = [], fingerprint }) =>
      fingerprint.patients.every(({ furtherMr = [] }) => furtherMr.length === furtherTargets.length),
    'each patient of the fingerprint must have one furtherMr for each of furtherTargets',
  )
  .refine(({ split }) => split.by === 'slice' || noPatientTwice(split), 'a patient is in two parts of the split')
export type Plan = z.infer<typeof PlanSchema>

/**
 * The MR sequences that are learnt together, in the order of the networks' output channels. The first is written where plans of
 * one sequence have it, so that such a plan, and its hash, is what it always was.
 */
export function targetsOf({
  target,
  mr,
  huToMr,
  furtherTargets = [],
}: Target & { furtherTargets?: Target[] | undefined }) {
  return [{ target, mr, huToMr }, ...furtherTargets] satisfies Target[]
}

/** Their names: mr_t1, … */
export function rolesOf(plan: Target & { furtherTargets?: Target[] | undefined }): Target['target'][] {
  return targetsOf(plan).map(({ target }) => target)
}

function rising({ ct, mr }: Target['huToMr']): boolean {
  return ct.length === mr.length && ct.every((t, n) => n === 0 || t > ct[n - 1]!)
}

function spanning({ percentiles, standard }: { percentiles: number[]; standard: number[] }): boolean {
  const rises = percentiles.every((value, n) => n === 0 || value > percentiles[n - 1]!)
  return (
    rises &&
    standard.every((value, n) => n === 0 || value >= standard[n - 1]!) &&
    standard[0] === -1 &&
    standard.at(-1) === 1
  )
}

function noPatientTwice({ train, validation, test }: Split): boolean {
  const all = [...train, ...validation, ...test]
  return new Set(all).size === all.length
}

/** @throws input.notFound, json.refused */
export async function readPlan(path: string): Promise<Plan> {
  return readJson(path, PlanSchema)
}

export async function writePlan(path: string, plan: Plan): Promise<void> {
  await writeJson(path, plan)
}

/**
 * The plan's name: of what slices are cut by, so that white space and the order of keys do not matter, and another machine's
 * memory names no other plan.
 */
export function planSha256({ batch: _batch, memory: _memory, ...slices }: Plan): string {
  return sha256(
    JSON.stringify(slices, (_, value: unknown) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value,
    ),
  )
}

/** Which CT of a patient the plan is about. */
export function ctRoleOf({ fingerprint }: Plan, patientId: string): CtRole {
  return fingerprint.patients.find(({ id }) => id === patientId)?.ctRole ?? 'ct'
}

/** How much a patient's slices count in training, for each target. */
export function weightsOf(plan: Plan, patientId: string): number[] {
  const found = plan.fingerprint.patients.find(({ id }) => id === patientId)
  return found ? mrOf(found).map(({ weight }) => weight) : targetsOf(plan).map(() => 1)
}

/** Which part of the split slice `k` of a patient belongs to. */
export function splitOf({ split }: Plan, patientId: string, k: number): SplitName | undefined {
  if (split.by === 'slice') {
    if (!split.train.includes(patientId)) return undefined
    return (k % 2 === 0) === (split.trainSlices === 'even') ? 'train' : 'validation'
  }
  return (['train', 'validation', 'test'] as const).find((name) => split[name].includes(patientId))
}
