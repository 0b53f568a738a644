/** A finished store in words and as data. */
import { mrOf, rolesOf, type Plan } from '../plan/index.ts'
import type { Manifest } from './manifest.ts'

/** Below this a person should know who counts less. */
const DOUBTFUL = 0.75
/** Right pairs have 0.97 and more, fat-suppressed ones from 0.75 on, since their skin is dark; a head an inch away has less. */
const UNLIKE = 0.7

export function describeStore(
  dir: string,
  plan: Plan,
  { planSha256, patients }: Manifest,
): { json: Record<string, unknown>; text: string } {
  const slices = patients.reduce((sum, { slices }) => sum + slices, 0)
  const usable = patients.reduce((sum, { usable }) => sum + usable, 0)
  const unusable: Record<string, number> = {}
  for (const patient of patients)
    for (const [reason, count] of Object.entries(patient.unusable)) unusable[reason] = (unusable[reason] ?? 0) + count
  const { split, sliceSize, spacingMm, target, leftOut, fingerprint } = plan
  const roles = rolesOf(plan)
  const found = fingerprint.patients.flatMap((patient) =>
    mrOf(patient).map((mr, n) => ({ ...mr, what: roles.length === 1 ? patient.id : `${patient.id}, ${roles[n]}` })),
  )
  const doubtful = found.filter(({ weight }) => weight < DOUBTFUL)
  const metal =
    plan.usable.metalCm2 === undefined ? fingerprint.patients.reduce((sum, { metalSlices }) => sum + metalSlices, 0) : 0
  const unlike = found.filter(({ mrBodyDice }) => mrBodyDice < UNLIKE)
  const withAgent = fingerprint.patients.filter(({ ctRole }) => ctRole === 'ct_contrast').map(({ id }) => id)
  const lines = [
    `${patients.length} patients, ${usable} usable slices of ${slices} (${sliceSize.join(' × ')} pixels of ${spacingMm[0]} mm), target ${roles.join(' and ')}.`,
    ...Object.entries(unusable).map(([reason, count]) => `  not used: ${count} slices with ${reason}`),
    split.by === 'slice'
      ? `Split by ${split.trainSlices} slices. ${split.warning}`
      : `Split: ${split.train.length} train, ${split.validation.length} validation, ${split.test.length} test.`,
    batchLine(plan),
    ...(metal > 0
      ? [`  metal in ${metal} slices, which are used: larmor plan --plan with usable.metalCm2 leaves them out`]
      : []),
    ...withAgent.map((id) => `  ${id}: trained on its CT with contrast agent, which the MR is registered to`),
    ...unlike.map(
      ({ what, mrBodyDice }) =>
        `  look at ${what}: the CT's body and what the MR shows agree by a Dice of only ${mrBodyDice}`,
    ),
    ...doubtful.map(({ what, weight }) => `  counts ${weight} in training: ${what}, by its registration`),
    // Most reasons say already which patient they are about.
    ...leftOut.map(({ id, reason }) => `  left out: ${reason.includes(id) ? reason : `${id}: ${reason}`}`),
    `Store: ${dir}`,
  ]
  const json = {
    store: dir,
    planSha256,
    patients: patients.length,
    slices,
    usable,
    unusable,
    split,
    sliceSize,
    spacingMm,
    batch: plan.batch,
    memory: plan.memory ?? null,
  }
  return { json: { ...json, target, targets: roles, leftOut }, text: lines.join('\n') }
}

function batchLine({ batch, memory }: Plan): string {
  const images = `Batch: ${batch} ${batch === 1 ? 'image' : 'images'} a step`
  if (!memory) return `${images}.`
  const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`
  const device = memory.device === 'cuda' ? 'the GPU' : 'this machine'
  return `${images}, up to ${gib(memory.stepBytes)} of the ${gib(memory.foundBytes)} of ${device}.`
}
