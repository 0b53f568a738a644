/**
 * How good a run is now: whole slices of validation patients, by evaluation's own metrics, where body and MR are.
 *
 * Both images are mapped from [−1, 1] to [0, 1] with data range 1. Means over a patient's slices first, then over patients;
 * of several targets each by itself, and the mean over them, which is what chooses `best`.
 */
import { setImmediate } from 'node:timers/promises'
import { readBatch, slicesOf, type Batch, type SliceRef, type Store } from '../dataset/index.ts'
import { mae, psnr, ssimScores, ssimScratch, type SsimScratch } from '../evaluation/index.ts'
import { rolesOf } from '../plan/index.ts'
import { scope } from '../tensor/index.ts'
import type { Stage } from './stage.ts'

/**
 * `ms_ssim_2d` and so on of the output that chooses `best`; those of other outputs as `single/ms_ssim_2d`. Of several targets
 * their mean, and each as `ms_ssim_2d/mr_t1`.
 */
export type Scores = Record<string, number>
export type Score = { by: 'ms_ssim_2d' | 'mae'; value: number }
/** With the same metric of the stage's other outputs: `single`, `stage-1`. */
export type Judged = Score & { others: Record<string, number> }

/** Evenly spread: the same number of slices of each patient, equally far apart. */
export function validationSlices(store: Store, count: number): SliceRef[] {
  const byPatient = Map.groupBy(slicesOf(store, 'validation'), ({ patient }) => patient)
  const each = Math.max(1, Math.round(count / byPatient.size))
  return [...byPatient.values()].flatMap((slices) => spread(slices, each))
}

/** `count` of them (or all), from the middles of as many equal parts. */
export function spread<T>(items: readonly T[], count: number): T[] {
  if (count >= items.length) return [...items]
  return Array.from({ length: count }, (_, n) => items[Math.floor(((n + 0.5) * items.length) / count)]!)
}

/**
 * @param stop  asked for between slices
 * @returns undefined where it was stopped
 */
export async function validate(
  store: Store,
  stage: Stage,
  slices: readonly SliceRef[],
  { seed, device, stop }: { seed: number; device: string; stop: AbortSignal },
): Promise<Scores | undefined> {
  const [width, height] = store.plan.sliceSize
  const roles = rolesOf(store.plan)
  const scratch = ssimScratch(width, height)
  const scored: { patient: string; scores: SliceScores }[] = []
  for (const [n, ref] of slices.entries()) {
    if (stop.aborted) return undefined
    const batch = readBatch(store, [ref], device)
    try {
      const made = await stage.predict(batch, seed + n)
      scored.push({ patient: ref.patient, scores: scoreSlice(batch, made, roles, scratch) })
    } finally {
      disposeBatch(batch)
    }
    await setImmediate()
  }
  return meanOverPatients(scored)
}

export function disposeBatch(batch: Batch): void {
  for (const t of Object.values(batch)) t.dispose()
}

/** What chooses `best`: MS-SSIM, or where slices are too small for it (161 pixels) the mean absolute error. */
export function scoreOf(scores: Scores): Judged {
  const by = 'ms_ssim_2d' in scores ? 'ms_ssim_2d' : 'mae'
  const others = Object.entries(scores).filter(([name]) => name.endsWith(`/${by}`))
  return {
    by,
    value: scores[by]!,
    others: Object.fromEntries(others.map(([name, value]) => [name.slice(0, -by.length - 1), value])),
  }
}

export function isBetter(score: Score, than: Score | null): boolean {
  if (than === null) return true
  return score.by === 'mae' ? score.value < than.value : score.value > than.value
}

export const METRICS = ['ms_ssim_2d', 'ssim_2d', 'psnr', 'mae'] as const

/** Null where a score is not defined: MS-SSIM of small slices. */
type SliceScores = Map<string, number | null>

function scoreSlice(
  batch: Batch,
  made: Record<string, Float32Array>,
  roles: readonly string[],
  scratch: SsimScratch,
): SliceScores {
  const { width, height } = scratch
  const [mr, inside] = scope(() => [batch.mr.values('float32'), batch.mask.values('float32')] as const)
  const mask = Uint8Array.from(inside)
  const ofTarget = (image: Float32Array, n: number): Float32Array =>
    toUnit(image.subarray(n * mask.length, (n + 1) * mask.length))
  const scores: SliceScores = new Map()
  for (const [n, [name, image]] of Object.entries(made).entries()) {
    const each = roles.map((_, t) => {
      const pair = { reference: ofTarget(mr, t), test: ofTarget(image, t), mask, width, height, dataRange: 1 }
      const { ssim, msSsim } = ssimScores(pair, scratch)
      return { ms_ssim_2d: msSsim, ssim_2d: ssim, psnr: psnr(pair), mae: mae(pair) }
    })
    const prefix = n === 0 ? '' : `${name}/`
    for (const metric of METRICS) {
      const values = each.map((target) => target[metric])
      const defined = values.filter((value) => value !== null)
      scores.set(`${prefix}${metric}`, defined.length < values.length ? null : mean(defined))
      if (roles.length > 1) roles.forEach((role, t) => scores.set(`${prefix}${metric}/${role}`, values[t]!))
    }
  }
  return scores
}

function toUnit(values: Float32Array): Float32Array {
  return values.map((value) => (value + 1) / 2)
}

/** A score that no slice has (MS-SSIM of small slices) is left out. */
function meanOverPatients(scored: readonly { patient: string; scores: SliceScores }[]): Scores {
  const means: Scores = {}
  for (const name of scored[0]!.scores.keys()) {
    const defined = scored.filter(({ scores }) => scores.get(name) !== null)
    const patients = [...Map.groupBy(defined, ({ patient }) => patient).values()]
    const ofPatients = patients.map((slices) => mean(slices.map(({ scores }) => scores.get(name)!)))
    if (ofPatients.length > 0) means[name] = mean(ofPatients)
  }
  return means
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length
}
