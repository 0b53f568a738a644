/** `larmor evaluate` from files: a pair, a cohort, what is written, and what is refused. */
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { evaluateCommand } from '../../src/cli/evaluate.ts'
import type { Outcome } from '../../src/cli/command.ts'
import { LarmorError } from '../../src/errors.ts'
import { writeNifti } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { stream } from '../../src/random.ts'
import { volume } from '../../src/volume/index.ts'
import type { Grid, Volume, VoxelArray } from '../../src/volume/index.ts'
import { sharedData } from '../shared-data.ts'
import { readNpy } from './npy.ts'

/** As the command line hands it over. */
async function larmor(given: Record<string, unknown>): Promise<Outcome> {
  const context = { report: silent, signal: new AbortController().signal, seed: 1, threads: 1, device: 'cpu' as const }
  return evaluateCommand.run(evaluateCommand.options.parse(given), context)
}
const kindOf = async (given: Record<string, unknown>): Promise<string> =>
  larmor(given).then(
    () => 'nothing thrown',
    (error: unknown) => (error instanceof LarmorError ? error.fault.kind : String(error)),
  )
const metricsOf = ({ json }: Outcome) => json['metrics'] as Record<string, number | string | null>

let folder: string
const at = (...names: string[]): string => join(folder, ...names)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'larmor-evaluate-'))
})
afterAll(() => rm(folder, { recursive: true }))

const grid: Grid = {
  size: [168, 164, 4],
  spacingMm: [2, 2, 3],
  originMm: [-100, -120, 40],
  direction: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
}
function made<A extends VoxelArray>(
  array: new (n: number) => A,
  valueAt: (i: number, j: number, k: number) => number,
): Volume<A> {
  const values = new array(168 * 164 * 4)
  for (let n = 0; n < values.length; n++)
    values[n] = valueAt(n % 168, Math.floor(n / 168) % 164, Math.floor(n / (168 * 164)))
  return volume(grid, values)
}
const inside = (i: number, j: number): boolean => Math.hypot((i - 84) / 60, (j - 80) / 70) < 1
const ct = made(Int16Array, (i, j) => (inside(i, j) ? 40 + 30 * Math.sin(i / 9) : -1000))
function mr(seed: number, noise: number): Volume<Float32Array> {
  const random = stream(seed, 'mr')
  const anatomy = (i: number, j: number): number => 300 + 150 * Math.sin(i / 7) * Math.cos(j / 11)
  return made(Float32Array, (i, j) => (inside(i, j) ? anatomy(i, j) + noise * random.normal() : 0))
}

describe('a pair', () => {
  beforeAll(async () => {
    await writeNifti(at('mr.nii.gz'), mr(1, 5))
    await writeNifti(at('smri.nii.gz'), mr(2, 40))
    await writeNifti(at('ct.nii.gz'), ct)
    await writeNifti(at('shifted.nii.gz'), volume({ ...grid, originMm: [-100, -120, 41] }, mr(2, 40).values))
  })
  test('with its CT is scored inside the body, and leaves JSON, CSV and a report that needs nothing else', async () => {
    const output = at('pair')
    const given = { reference: at('mr.nii.gz'), test: at('smri.nii.gz'), ct: at('ct.nii.gz'), output }
    const outcome = await larmor(given)
    expect(outcome.exitCode).toBe(0)
    expect(metricsOf(outcome)['ms_ssim_2d']).toBeGreaterThan(0.5)
    expect((await readdir(output)).toSorted()).toEqual(['evaluation.json', 'report.html', 'slices.csv'])
    const html = await readFile(join(output, 'report.html'), 'utf8')
    expect(html).toContain('not for diagnosis')
    expect(html.match(/(?:src|href)="(?!data:image\/png;base64,)[^"]*"/g)).toBeNull()
    expect(html).not.toMatch(/<script|https?:|@import|url\(/)
    expect(html).not.toContain(folder)
  })
  test('whose maker states black and white beside it is mapped by that', async () => {
    const { values } = mr(1, 5)
    await mkdir(at('stated'))
    await writeNifti(
      at('stated', 'smri.nii.gz'),
      volume(
        grid,
        values.map((v) => 10 * v + 1000),
      ),
    )
    const given = { reference: at('mr.nii.gz'), test: at('stated', 'smri.nii.gz'), ct: at('ct.nii.gz') }
    const unknown = metricsOf(await larmor(given))['mae']
    const { low, high } = ((await larmor(given)).json['range'] as { reference: { low: number; high: number } })
      .reference
    await writeFile(
      at('stated', 'qa.json'),
      JSON.stringify({ nominal: { low: 10 * low + 1000, high: 10 * high + 1000 } }),
    )
    expect(unknown).toBeGreaterThan(0.2)
    expect(metricsOf(await larmor(given))['mae']).toBeLessThan(1e-5)
  })
  test('on another grid, without a file, or with options that do not go together is refused by kind', async () => {
    const pair = { reference: at('mr.nii.gz'), test: at('shifted.nii.gz') }
    expect(await kindOf(pair)).toBe('geometry.gridsDiffer')
    expect(await kindOf({ ...pair, test: at('nowhere.nii.gz') })).toBe('input.notFound')
    expect(await kindOf({ reference: at('mr.nii.gz') })).toBe('usage.wrong')
    expect(await kindOf({ ...pair, range: '0,500', testRange: '0,100' })).toBe('usage.wrong')
    expect(evaluateCommand.options.safeParse({ ...pair, range: '500,0' }).success).toBe(false)
  })
})

/** What is read of a registration record. */
const registered = {
  schema: 'larmor/registration@1',
  images: [
    {
      role: 'mr_t1',
      method: 'rigid',
      verdict: 'good',
      quality: { nmi: 1.234, nmiAtStart: 1.05, surfaceP95Mm: 2.31, inverseConsistencyMm: 0.1 },
    },
  ],
}

const vectors = sharedData('metrics_vectors')
type VectorCase = {
  id: string
  kind: string
  ref: string
  test: string
  mask: string | null
  shape: number[]
  lo: number
  hi: number
  expected: Record<string, unknown> & { ms_ssim_2d: { value: unknown } | null }
}
const cases: VectorCase[] = vectors
  ? JSON.parse(await readFile(join(vectors, 'expected.json'), 'utf8')).cases.filter((c: VectorCase) => c.kind === '2d')
  : []

test.for(cases)('$id as a one-slice NIfTI with --range gives the vectors’ values', async (each) => {
  const one = async (path: string, name: string): Promise<string> => {
    const { shape, values } = readNpy(join(vectors!, path))
    await writeNifti(at(name), volume({ ...grid, size: [shape[1]!, shape[0]!, 1] }, values))
    return at(name)
  }
  const mask = each.mask === null ? undefined : await one(each.mask, 'v-mask.nii.gz')
  const [reference, made] = [await one(each.ref, 'v-ref.nii.gz'), await one(each.test, 'v-test.nii.gz')]
  const given = { reference, test: made, mask, range: `${each.lo},${each.hi}` }
  if (each.id === '2d_mask_empty') {
    expect(await kindOf(given)).toBe('evaluation.badMask')
    return
  }
  const found = metricsOf(await larmor(given))
  const expected: Record<string, unknown> = {
    ms_ssim_2d: each.expected.ms_ssim_2d?.value ?? null,
    ssim_2d: each.expected['ssim_gauss_valid'],
    mae: each.expected['mae'],
    rmse: each.expected['rmse'],
    psnr: each.expected['psnr'],
    nmi: each.expected['nmi_64_range'],
    sharpness: (each.expected['sharpness'] as Record<string, unknown> | null)?.['sharpness_ratio'] ?? null,
  }
  for (const [name, value] of Object.entries(expected)) {
    if (typeof value !== 'number') expect(found[name], name).toBe(value)
    else {
      const error = Math.abs((found[name] as number) - value) / Math.max(1, Math.abs(value))
      expect(error, `${name}: ${found[name]} against ${value}`).toBeLessThanOrEqual(1e-9)
    }
  }
})

/** A plan whose table says one MR value for all HU. */
const planOf = (split: Record<'train' | 'validation' | 'test', string[]>) => ({
  schema: 'larmor/plan@2',
  seed: 1,
  target: 'mr_t1',
  spacingMm: [2, 2],
  sliceSize: [192, 192],
  neighbours: 1,
  ct: { kind: 'hu-window', lowHu: -1000, highHu: 1500 },
  mr: { kind: 'percentile', lowPercentile: 0.5, highPercentile: 99.5 },
  usable: { bodyCm2: 10, mrShare: 0.5 },
  huToMr: { ct: [-1, 1], mr: [0, 0] },
  batch: 4,
  split: { by: 'patient', ...split },
  leftOut: [],
  fingerprint: { huEdges: [0], patients: [] },
})

describe('a cohort of three, of whom one has no prediction and one is excluded', () => {
  beforeAll(async () => {
    const patients = ['p001', 'p002', 'p003', 'p004'].map((id) => ({
      id,
      images: [],
      structures: [],
      excluded: id === 'p004' ? { reason: 'metal' } : null,
    }))
    await mkdir(at('cohort'), { recursive: true })
    await writeFile(at('cohort', 'cohort.json'), JSON.stringify({ schema: 'larmor/cohort@1', patients }))
    for (const [n, { id }] of patients.entries()) {
      const registration = at('cohort', 'patients', id, 'registration')
      await mkdir(registration, { recursive: true })
      await writeNifti(at('cohort', 'patients', id, 'ct.nii.gz'), ct)
      await writeNifti(join(registration, 'mr_t1.nii.gz'), mr(n, 5))
      await writeNifti(
        join(registration, 'valid.nii.gz'),
        made(Uint8Array, (_i, _j, k) => (k < 3 ? 1 : 0)),
      )
      await writeFile(join(registration, 'registration.json'), JSON.stringify(registered))
    }
    for (const name of ['ours', 'theirs']) await mkdir(at(name))
    await writeNifti(at('ours', 'p001.nii.gz'), mr(11, 20))
    await mkdir(at('ours', 'p002'))
    await writeNifti(at('ours', 'p002', 'smri.nii.gz'), mr(12, 20))
    await writeNifti(at('theirs', 'p001.nii.gz'), mr(13, 90))
    await writeNifti(at('theirs', 'p002.nii.gz'), mr(14, 90))
    await writeNifti(at('ours', 'p004.nii.gz'), mr(15, 20))
  })
  beforeEach(() => rm(at('scores'), { recursive: true, force: true }))
  const given = () => ({
    cohort: at('cohort'),
    prediction: [`ours=${at('ours')}`, `theirs=${at('theirs')}`],
    output: at('scores'),
  })
  test('scores those that are there, side by side, inside body and field of view', async () => {
    const outcome = await larmor(given())
    expect([outcome.exitCode, outcome.json['patients']]).toEqual([0, 2])
    const { patients, predictions } = JSON.parse(await readFile(at('scores', 'evaluation.json'), 'utf8'))
    expect(patients.map(({ id }: { id: string }) => id)).toEqual(['p001', 'p002'])
    expect(predictions[0].metrics.ms_ssim_2d.mean).toBeGreaterThan(predictions[1].metrics.ms_ssim_2d.mean)
    expect(patients[0].predictions[0].emptySlices).toBe(1)
    const html = await readFile(at('scores', 'report.html'), 'utf8')
    for (const words of ['good, rigid', '1.234, 1.050 before', '2.3 mm']) expect(html).toContain(words)
    expect(outcome.text).toContain('2 patients')
  })
  test('has, with the plan, the table of HU beside it, and says who was in training', async () => {
    // mr(n, 5) is 300 + 150 sin cos: no function of HU, so the table's best is its mean.
    const plan = at('plan.json')
    await writeFile(plan, JSON.stringify(planOf({ train: ['p001'], validation: ['p003'], test: ['p002'] })))
    const outcome = await larmor({ ...given(), plan })
    const predictions = outcome.json['predictions'] as { name: string; metrics: { mae: { mean: number } } }[]
    expect(predictions.map(({ name }) => name)).toEqual([
      'ours',
      'theirs',
      'HU table',
      'CT, best monotone map',
      'population mean',
      'another patient',
      'registration ceiling',
    ])
    expect(predictions[2]!.metrics.mae.mean).toBeGreaterThan(predictions[0]!.metrics.mae.mean)
    const html = await readFile(at('scores', 'report.html'), 'utf8')
    for (const words of ['part of the split', '>train</td>', '>test</td>']) expect(html).toContain(words)
    expect(await kindOf({ ...given(), plan, range: '0,500' })).toBe('usage.wrong')
  })
  test('goes on where one patient is refused, and says so with exit code 5', async () => {
    await rm(at('theirs', 'p002.nii.gz'))
    const outcome = await larmor(given())
    expect(outcome.exitCode).toBe(5)
    expect(outcome.json['refused']).toMatchObject([{ id: 'p002', kind: 'input.notFound' }])
    expect(await readFile(at('scores', 'report.html'), 'utf8')).toContain('Not scored')
  })
  test('never writes over a folder that holds something, and reads no image before it says so', async () => {
    await mkdir(at('scores'))
    await writeFile(at('scores', 'notes.txt'), 'mine')
    expect(await kindOf({ ...given(), prediction: [`ours=${at('ours')}`] })).toBe('usage.outputExists')
    expect(await readdir(at('scores'))).toEqual(['notes.txt'])
  })
  test('needs predictions of its patients, an output, and one reference each', async () => {
    expect(await kindOf({ ...given(), prediction: [`none=${at('pair')}`] })).toBe('cohort.noPatient')
    expect(await kindOf({ cohort: at('cohort'), prediction: [`a=${at('ours')}`] })).toBe('usage.wrong')
    await writeNifti(at('cohort', 'patients', 'p001', 'registration', 'mr_t2.nii.gz'), mr(1, 5))
    const two = await larmor({ ...given(), prediction: [`ours=${at('ours')}`] })
    expect(two.json['refused']).toMatchObject([{ id: 'p001', kind: 'usage.wrong' }])
    const one = { ...given(), output: at('scores', 'one'), prediction: [`ours=${at('ours')}`], role: 'mr_t1' }
    expect((await larmor(one)).exitCode).toBe(0)
  })
})
