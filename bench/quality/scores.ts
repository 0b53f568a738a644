/** Scores of made images against the MR of test patients: evaluation's own metrics, a volume of a few slices a patient. */
import { readBatch, slicesOf, type Batch, type SliceRef, type Store } from '../../src/dataset/index.ts'
import { evaluateVolumes, summarise, type Metrics, type Summary } from '../../src/evaluation/index.ts'
import { disposeBatch, spread } from '../../src/training/validation.ts'
import { identityDirection, volume } from '../../src/volume/index.ts'

/** Images by name, [h · w] of one slice in [−1, 1]. */
export type Predict = (batch: Batch, seed: number) => Promise<Record<string, Float32Array>>
export type Scored = {
  readonly name: string
  /** Of each test patient. */
  readonly patients: readonly { id: string; metrics: Metrics }[]
  /** The middle slice of the first patients, for pictures. */
  readonly pictures: readonly Float32Array[]
}

export const METRICS = ['ms_ssim_2d', 'ssim_2d', 'psnr', 'mae', 'nmi', 'sharpness'] as const
export const PICTURED = 3

/** `slices` of each test patient, evenly spread. */
export function testSlices(store: Store, slices: number): SliceRef[] {
  const byPatient = Map.groupBy(slicesOf(store, 'test'), ({ patient }) => patient)
  return [...byPatient.values()].flatMap((refs) => spread(refs, slices))
}

/** Every output that `predict` names, scored in body ∩ MR, intensities as [0, 1] with data range 1. */
export async function score(store: Store, predict: Predict, slices: number): Promise<Scored[]> {
  const [width, height] = store.plan.sliceSize
  const made = new Map<string, { patients: { id: string; metrics: Metrics }[]; pictures: Float32Array[] }>()
  const byPatient = Map.groupBy(testSlices(store, slices), ({ patient }) => patient)
  for (const [id, refs] of byPatient) {
    const reference = new Float32Array(refs.length * width * height)
    const mask = new Uint8Array(reference.length)
    const tests = new Map<string, Float32Array>()
    for (const [n, ref] of refs.entries()) {
      const batch = readBatch(store, [ref])
      try {
        const at = n * width * height
        reference.set(unit(batch.mr.values('float32')), at)
        mask.set(batch.mask.values('float32'), at)
        for (const [name, image] of Object.entries(await predict(batch, n))) {
          if (!tests.has(name)) tests.set(name, new Float32Array(reference.length))
          tests.get(name)!.set(unit(image), at)
        }
      } finally {
        disposeBatch(batch)
      }
    }
    const grid = {
      size: [width, height, refs.length] as const,
      spacingMm: [1, 1, 1] as const,
      originMm: [0, 0, 0] as const,
      direction: identityDirection,
    }
    for (const [name, values] of tests) {
      const rule = { kind: 'as-is', low: 0, high: 1 } as const
      const pair = { reference: volume(grid, reference), test: volume(grid, values), mask: volume(grid, mask), rule }
      const all = made.get(name) ?? { patients: [], pictures: [] }
      made.set(name, all)
      all.patients.push({ id, metrics: evaluateVolumes(pair).metrics })
      const middle = Math.floor(refs.length / 2) * width * height
      if (all.pictures.length < PICTURED) all.pictures.push(values.slice(middle, middle + width * height))
    }
  }
  return [...made].map(([name, { patients, pictures }]) => ({ name, patients, pictures }))
}

const unit = (values: Float32Array): Float32Array => values.map((value) => (value + 1) / 2)

export function summaryOf({ patients }: Scored, metric: (typeof METRICS)[number]): Summary {
  return summarise(
    patients.map(({ metrics }) => metrics[metric]),
    1,
    metric,
  )
}

export function tableOf(rows: readonly Scored[]): string {
  const head = `${'what'.padEnd(46)}${METRICS.map((name) => name.padStart(17)).join('')}`
  const lines = rows.map((row) => {
    const cells = METRICS.map((metric) => {
      const { mean, sd } = summaryOf(row, metric)
      const digits = metric === 'psnr' ? 2 : 4
      return (mean === null ? '–' : `${mean.toFixed(digits)} ± ${(sd ?? 0).toFixed(digits)}`).padStart(17)
    })
    return `${row.name.padEnd(46)}${cells.join('')}`
  })
  return [head, ...lines].join('\n')
}
