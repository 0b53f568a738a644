/** The page: which slices it shows, what it says of their scores, and that nothing in a name becomes markup. */
import { beforeAll, describe, expect, test } from 'vitest'
import { defaultRange, evaluateCases } from '../../src/evaluation/index.ts'
import type { Evaluation, EvaluationCase, SliceScores } from '../../src/evaluation/index.ts'
import { silent } from '../../src/progress.ts'
import { stream } from '../../src/random.ts'
import { htmlReport, meanMetrics, summaryText, takePictures } from '../../src/report/index.ts'
import type { Pictures } from '../../src/report/index.ts'
import { extremeSlices, patientSlices } from '../../src/report/pictures.ts'
import { identityDirection, volume } from '../../src/volume/index.ts'
import type { Grid } from '../../src/volume/index.ts'

const grid: Grid = { size: [30, 40, 3], spacingMm: [4, 3, 5], originMm: [0, 0, 0], direction: identityDirection }
const count = 30 * 40 * 3
const area = 30 * 40
/** Noise that grows with k: slice 0 is the best, slice 2 the worst. */
function caseOf(id: string, names: readonly string[]): EvaluationCase {
  const random = stream(1, id)
  const reference = volume(
    grid,
    Float32Array.from({ length: count }, () => random.between(0, 100)),
  )
  const mask = volume(grid, new Uint8Array(count).fill(1))
  const noisy = reference.values.map((v, n) => v + 10 * (1 + Math.floor(n / area)) * random.normal())
  return {
    id,
    load: async () => ({ reference, mask, findings: [{ label: 'verdict', value: '<good>' }] }),
    predictions: names.map((name) => ({ name, load: async () => ({ volume: volume(grid, noisy) }) })),
  }
}
const run = async (cases: EvaluationCase[]): Promise<Evaluation> =>
  evaluateCases(cases, {
    range: defaultRange,
    seed: 1,
    larmor: '0.1.0',
    created: '2026-01-02T03:04:05Z',
    report: silent,
  })

describe('a report of two patients', () => {
  const cases = [caseOf('p001', ['<b>mine</b>', 'other']), caseOf('p002', ['<b>mine</b>', 'other'])]
  let evaluation: Evaluation
  let pictures: Pictures
  let html: string
  beforeAll(async () => {
    evaluation = await run(cases)
    pictures = await takePictures(evaluation, cases)
    html = htmlReport(evaluation, pictures)
  })
  test('shows the worst, the median and the best of all slices, by score', () => {
    const scores = new Map<string, number>(
      evaluation.patients.flatMap(({ id, predictions }) =>
        predictions[0]!.slices.map((each): [string, number] => [`${id} ${each.sliceIndex}`, each.ssim_2d!]),
      ),
    )
    const sorted = [...scores.keys()].toSorted((a, b) => scores.get(a)! - scores.get(b)!)
    const shown = extremeSlices(evaluation).map(({ patientId, sliceIndex }) => `${patientId} ${sliceIndex}`)
    expect(shown).toEqual([sorted[0], sorted[2], sorted[5]])
    expect(patientSlices(evaluation).map(({ sliceIndex }) => sliceIndex)).toEqual([1, 1])
  })
  test('draws each in millimetres, with every prediction and without a CT that is not there', () => {
    const [worst] = pictures.extremes
    expect([worst!.widthMm, worst!.heightMm, worst!.ct]).toEqual([120, 120, null])
    expect(worst!.predictions.map(({ name }) => name)).toEqual(['<b>mine</b>', 'other'])
    expect(html.match(/data:image\/png/g)).toHaveLength(3 * (1 + 2 * 2) + 2 * (1 + 2))
  })
  test('lets no name or finding become markup', () => {
    expect(html).not.toContain('<b>mine')
    expect(html).toContain('&lt;b&gt;mine')
    expect(html).toContain('&lt;good&gt;')
  })
  test('says that images are synthetic, where R comes from, why there is no MS-SSIM, and what the mask does', () => {
    for (const words of [
      'not for diagnosis, not for dose',
      'percentiles 0.5 and 99.5',
      '161 pixels',
      'centre is in the mask',
    ])
      expect(html).toContain(words)
  })
  test('gives the terminal the same means as the page', () => {
    const mean = meanMetrics(evaluation, 'other').mae!.toFixed(4)
    expect(summaryText(evaluation)).toContain(mean)
    expect(html).toContain(mean)
  })
})

test('a single slice is neither worst nor best, and is shown once', async () => {
  const evaluation = await run([caseOf('p001', ['only'])])
  const [patient] = evaluation.patients
  const [prediction] = patient!.predictions
  const slices: SliceScores[] = prediction!.slices.slice(0, 1)
  const one: Evaluation = { ...evaluation, patients: [{ ...patient!, predictions: [{ ...prediction!, slices }] }] }
  expect(extremeSlices(one).map(({ label }) => label)).toEqual(['The only slice'])
})
