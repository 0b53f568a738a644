/** What a record says against the model's card, and against the record before it. Pure: data in, data out. */
import type { ModelCard } from '../synthesis/index.ts'
import type { Commission, CommissionChanges, CommissionPatient, CommissionScore } from './record.ts'

type Site = CommissionScore['site']
const HIGH_IS_GOOD: Readonly<Record<string, boolean>> = { ms_ssim_2d: true, mae: false }

/** Scores agree where their 95 % intervals meet; where either has none, they are shown side by side. */
export function againstCard(
  { name, sequence }: { name: string; sequence?: string | undefined },
  site: Site,
  { metrics }: Pick<ModelCard, 'metrics'>,
  output: string,
): CommissionScore {
  const own = metrics.filter((metric) => metric.name === name && metric.output === output && metric.target === sequence)
  const metric = own.find(({ interval95 }) => interval95) ?? own[0]
  const card = metric
    ? {
        value: metric.value,
        interval95: metric.interval95 ? ([metric.interval95.low, metric.interval95.high] as [number, number]) : null,
      }
    : null
  return { name, ...(sequence === undefined ? {} : { sequence }), site, card, verdict: verdictOf(name, site, card) }
}

function verdictOf(
  name: string,
  { mean, interval95 }: Site,
  card: CommissionScore['card'],
): CommissionScore['verdict'] {
  if (mean === null || interval95 === null || !card?.interval95) return 'not compared'
  if (interval95[0] <= card.interval95[1] && card.interval95[0] <= interval95[1]) return 'agrees'
  return mean > card.value === HIGH_IS_GOOD[name] ? 'better' : 'worse'
}

/**
 * @param differences  mean |now − before| of the patients whose voxels differ, in percent of the scale; undefined where the
 *                     earlier image is gone
 */
export function changesSince(
  before: Commission,
  now: Omit<Commission, 'changes' | 'lookAt'>,
  differences: readonly (number | undefined)[],
): CommissionChanges {
  const of = [
    ...(before.model.sha256 === now.model.sha256
      ? []
      : [`the model, ${before.model.name} of version ${before.model.version} before`]),
    ...(before.larmor === now.larmor ? [] : [`the program, larmor ${before.larmor} before`]),
    ...(before.cohort.sha256 === now.cohort.sha256 ? [] : ['the cohort']),
    ...(before.mode === now.mode ? [] : [`the mode, ${before.mode} before`]),
    ...(before.seed === now.seed ? [] : [`the seed, ${before.seed} before`]),
  ]
  const both = now.patients.flatMap((patient) => {
    const old = before.patients.find(isOf(patient))
    return old ? [{ old, patient }] : []
  })
  const made = both.filter(({ old, patient }) => old.voxelsSha256 !== null && patient.voxelsSha256 !== null)
  const same = made.filter(({ old, patient }) => old.voxelsSha256 === patient.voxelsSha256).length
  const known = differences.filter((value) => value !== undefined)
  return {
    since: before.createdAt,
    of,
    scores: now.scores.map(({ name, sequence, site }) => ({
      name,
      ...(sequence === undefined ? {} : { sequence }),
      before: before.scores.find((score) => score.name === name && score.sequence === sequence)?.site.mean ?? null,
      now: site.mean,
    })),
    // Of a CT, whatever sequences are made of it.
    gates: both
      .filter(({ old, patient }) => old.gate !== patient.gate)
      .filter(({ patient }, n, all) => all.findIndex((each) => each.patient.id === patient.id) === n)
      .map(({ old, patient }) => ({ id: patient.id, before: old.gate, now: patient.gate })),
    images: {
      same,
      different: made.length - same,
      largestPercent: same === made.length ? 0 : known.length === 0 ? null : Math.max(...known),
    },
  }
}

/** The same patient and sequence in another record. */
export function isOf({ id, sequence }: CommissionPatient): (other: CommissionPatient) => boolean {
  return (other) => other.id === id && other.sequence === sequence
}

/** 'ms_ssim_2d', or 'ms_ssim_2d of mr_t2'. */
export function scoreName({ name, sequence }: Pick<CommissionScore, 'name' | 'sequence'>): string {
  return sequence === undefined ? name : `${name} of ${sequence}`
}

/** In words, what stands out. */
export function standsOut(
  scores: readonly CommissionScore[],
  patients: readonly CommissionPatient[],
  changes: CommissionChanges | null,
): string[] {
  const idsOf = (some: readonly CommissionPatient[]): string[] => [...new Set(some.map(({ id }) => id))]
  const refused = idsOf(patients.filter(({ gate }) => gate === 'refused'))
  const noted = idsOf(patients.filter(({ gate, notes }) => gate !== 'refused' && notes.length > 0))
  return [
    ...scores
      .filter(({ verdict }) => verdict === 'worse')
      .map((score) => `${scoreName(score)} is worse here than the model’s card says`),
    ...(scores.every(({ verdict }) => verdict === 'not compared')
      ? ['no score could be compared with the card: too few patients, or a card without intervals']
      : []),
    ...(refused.length > 0 ? [`nothing was made for ${refused.join(', ')}`] : []),
    ...(noted.length > 0 ? [`cautions for ${noted.join(', ')}`] : []),
    // Other voxels of the same model on the same program and cohort: the machine is not what it was.
    ...(changes && changes.of.length === 0 && changes.images.different > 0
      ? ['the same model, program and cohort give other voxels than before']
      : []),
  ]
}
