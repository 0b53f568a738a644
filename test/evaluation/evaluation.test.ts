/** Cohorts: patients, predictions side by side, refusals, statistics, and the files that stay. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { evaluateCases, defaultRange, readEvaluation, summarise, writeEvaluation } from '../../src/evaluation/index.ts'
import type { Evaluation, EvaluationCase, EvaluationOptions } from '../../src/evaluation/index.ts'
import type { Event } from '../../src/progress.ts'
import { stream } from '../../src/random.ts'
import { identityDirection, volume } from '../../src/volume/index.ts'
import type { Grid, Volume } from '../../src/volume/index.ts'

const grid: Grid = { size: [164, 162, 2], spacingMm: [1, 1, 3], originMm: [0, 0, 0], direction: identityDirection }
const count = 164 * 162 * 2
const body = volume(
  grid,
  Uint8Array.from({ length: count }, (_, n) => (n % 164 > 20 && n % 164 < 140 ? 1 : 0)),
)

/** A patient in scanner units of its own, and how far a prediction is off from it. */
function patient(seed: number, gain: number): Volume<Float32Array> {
  const random = stream(seed, 'patient')
  return volume(
    grid,
    Float32Array.from({ length: count }, (_, n) => gain * (60 + 40 * Math.sin(n / 15) + random.between(-5, 5))),
  )
}
const shifted = (image: Volume<Float32Array>, by: number) =>
  volume(
    grid,
    image.values.map((v) => v + by),
  )

function caseOf(id: string, gain: number, errors: Record<string, number>): EvaluationCase {
  const reference = patient(Number(id.slice(1)), gain)
  return {
    id,
    load: async () => ({ reference, mask: body }),
    predictions: Object.entries(errors).map(([name, error]) => ({
      name,
      load: async () => ({ volume: shifted(reference, error * gain) }),
    })),
  }
}
const events: Event[] = []
const options: EvaluationOptions = {
  range: defaultRange,
  seed: 1,
  larmor: '0.1.0',
  created: '2026-01-01T00:00:00.000Z',
  report: (event) => events.push(event),
}

describe('two models on three patients, of whom one cannot be scored', () => {
  let folder: string
  let evaluation: Evaluation
  beforeAll(async () => {
    const broken: EvaluationCase = {
      ...caseOf('p003', 1, { good: 1 }),
      load: async () => ({ reference: patient(3, 1), mask: volume(grid, new Uint8Array(count)) }),
    }
    const cases = [caseOf('p001', 1, { good: 2, bad: 20 }), caseOf('p002', 7, { good: 2, bad: 20 }), broken]
    evaluation = await evaluateCases(cases, options)
    folder = await mkdtemp(join(tmpdir(), 'larmor-evaluation-'))
    await writeEvaluation(folder, evaluation)
  })
  afterAll(() => rm(folder, { recursive: true }))

  test('are put side by side, the better one first in MAE and MS-SSIM', () => {
    const [good, bad] = evaluation.predictions
    expect([good!.name, bad!.name]).toEqual(['good', 'bad'])
    expect(good!.metrics.mae.mean!).toBeLessThan(bad!.metrics.mae.mean! / 5)
    expect(good!.metrics.ms_ssim_2d.mean!).toBeGreaterThan(bad!.metrics.ms_ssim_2d.mean!)
    expect(good!.metrics.mae.patients).toBe(2)
  })
  test('do not depend on the scanner’s gain: each reference brings its own scale', () => {
    const [first, second] = evaluation.patients.map(({ predictions }) => predictions[0]!.metrics.mae!)
    expect(first! / second!).toBeCloseTo(1, 1)
  })
  test('leave the broken patient refused by kind, reported once, and the others scored', () => {
    expect(evaluation.refused.map(({ id, fault }) => [id, fault.kind])).toEqual([['p003', 'evaluation.badMask']])
    expect(events.filter(({ at }) => at === 'case.refused')).toHaveLength(1)
    expect(evaluation.patients.map(({ id }) => id)).toEqual(['p001', 'p002'])
  })
  test('are written as JSON that its own schema reads back to the same numbers', async () => {
    expect(await readEvaluation(folder)).toEqual(evaluation)
  })
  test('are written as CSV with one row a slice', async () => {
    const rows = (await readFile(join(folder, 'slices.csv'), 'utf8')).trim().split('\n')
    expect(rows[0]).toBe(
      'patient,prediction,slice_index,mask_voxels,counted,ms_ssim_2d,ssim_2d,gradient_similarity,mae,rmse,mean_error,psnr',
    )
    expect(rows).toHaveLength(1 + 2 * 2 * 2)
    expect(Number(rows[1]!.split(',')[5])).toBe(evaluation.patients[0]!.predictions[0]!.slices[0]!.ms_ssim_2d)
  })
  test('say what the mask does: the unmasked scores stand beside the masked ones', () => {
    expect(evaluation.predictions[0]!.unmasked!.ms_ssim_2d.mean).not.toBe(
      evaluation.predictions[0]!.metrics.ms_ssim_2d.mean,
    )
  })
})

test('equal images have an infinite PSNR that survives the JSON', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'larmor-evaluation-'))
  const evaluation = await evaluateCases([caseOf('p001', 1, { same: 0 })], options)
  await writeEvaluation(folder, evaluation)
  expect((await readEvaluation(folder)).patients[0]!.predictions[0]!.metrics.psnr).toBe(Infinity)
  await rm(folder, { recursive: true })
})

test('a stop between patients ends the evaluation as interrupted', async () => {
  const stop = new AbortController()
  stop.abort()
  const run = evaluateCases([caseOf('p001', 1, { same: 0 })], { ...options, signal: stop.signal })
  await expect(run).rejects.toMatchObject({ fault: { kind: 'interrupted' } })
})

describe('a summary over patients', () => {
  test('by hand: mean 3, SD √2.5, median 3 of 1 … 5; a patient without a value is not counted', () => {
    const { mean, sd, median, min, max, patients } = summarise([5, 1, null, 2, 4, 3], 1, 'x')
    expect([mean, median, min, max, patients]).toEqual([3, 3, 1, 5, 5])
    expect(sd).toBeCloseTo(Math.sqrt(2.5), 12)
  })
  test('of one patient has no deviation and no interval; of none, nothing', () => {
    expect(summarise([0.8], 1, 'x')).toMatchObject({ mean: 0.8, sd: null, interval95: null })
    expect(summarise([null], 1, 'x')).toMatchObject({ mean: null, patients: 0 })
  })
  test('has an interval that the seed fixes and that holds the mean', () => {
    const values = [0.78, 0.8, 0.83, 0.79, 0.88, 0.81]
    const { interval95, mean } = summarise(values, 1, 'x')
    expect(summarise(values, 1, 'x').interval95).toEqual(interval95)
    expect(interval95![0]).toBeLessThan(mean!)
    expect(interval95![1]).toBeGreaterThan(mean!)
  })
  test('covers a normal mean about 95 times in 100 at thirty patients', () => {
    // The percentile bootstrap is known to fall a little short at this size: 0.91 to 0.95 (Efron and Tibshirani 1993).
    const random = stream(7, 'coverage')
    const trials = Array.from(
      { length: 200 },
      (_, trial) =>
        summarise(
          Array.from({ length: 30 }, () => random.normal()),
          trial,
          'x',
        ).interval95!,
    )
    const covered = trials.filter(([low, high]) => low < 0 && high > 0).length / trials.length
    expect(covered).toBeGreaterThan(0.88)
    expect(covered).toBeLessThan(0.99)
  })
})
