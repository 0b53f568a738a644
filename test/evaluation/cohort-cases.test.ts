/** What a cohort brings besides its images: structures, registrations, contrast CT, what synthesis found; and other grids. */
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { evaluateCommand } from '../../src/cli/evaluate.ts'
import type { Outcome } from '../../src/cli/command.ts'
import { LarmorError } from '../../src/errors.ts'
import { readEvaluation } from '../../src/evaluation/index.ts'
import { writeNifti } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { stream } from '../../src/random.ts'
import { identityDirection, resampleLinear, identityAffine, volume } from '../../src/volume/index.ts'
import type { Grid, Volume, VoxelArray } from '../../src/volume/index.ts'

const size = [48, 44, 9] as const
const grid: Grid = { size, spacingMm: [4, 4, 4], originMm: [-94, -86, 0], direction: identityDirection }
function made<A extends VoxelArray>(array: new (n: number) => A, valueAt: (i: number, j: number, k: number) => number) {
  const values = new array(size[0] * size[1] * size[2])
  for (let n = 0; n < values.length; n++)
    values[n] = valueAt(n % size[0], Math.floor(n / size[0]) % size[1], Math.floor(n / (size[0] * size[1])))
  return volume(grid, values)
}
const inside = (i: number, j: number): boolean => Math.hypot((i - 24) / 18, (j - 22) / 17) < 1
const gland = (i: number, j: number): boolean => Math.hypot(i - 30, j - 22) < 5
const ct = made(Int16Array, (i, j) => (inside(i, j) ? (gland(i, j) ? 90 : 30) : -1000))
const mr = (seed: number): Volume<Float32Array> => {
  const random = stream(seed, 'mr')
  return made(Float32Array, (i, j, k) =>
    inside(i, j) ? 300 + 80 * Math.sin(i / 3 + k / 2) + (gland(i, j) ? 200 : 0) + 5 * random.normal() : 0,
  )
}
/** Wrong by `error` in the gland and by 10 elsewhere. */
const prediction = (seed: number, error: number): Volume<Float32Array> => {
  const { values } = mr(seed)
  return made(Float32Array, (i, j, k) => {
    const value = values[i + size[0] * (j + size[1] * k)]!
    return inside(i, j) ? value + (gland(i, j) ? error : 10) : 0
  })
}

let folder: string
const at = (...names: string[]): string => join(folder, ...names)
const context = { report: silent, signal: new AbortController().signal, seed: 1, threads: 1, device: 'cpu' as const }
const larmor = (given: Record<string, unknown>): Promise<Outcome> =>
  evaluateCommand.run(evaluateCommand.options.parse(given), context)
const faultOf = async (given: Record<string, unknown>): Promise<LarmorError['fault']> =>
  larmor(given).then(
    () => expect.unreachable('nothing was refused'),
    (error: unknown) => (error instanceof LarmorError ? error.fault : expect.unreachable(String(error))),
  )

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'larmor-cohort-cases-'))
  const ids = ['p001', 'p002', 'p003']
  const patients = ids.map((id) => ({
    id,
    images: [],
    structures: id === 'p003' ? [] : [{ name: 'Parotid R', file: `patients/${id}/structures/parotid.nii.gz` }],
    excluded: null,
  }))
  for (const name of ['cohort', 'ours', 'enhanced']) await mkdir(at(name), { recursive: true })
  await writeFile(at('cohort', 'cohort.json'), JSON.stringify({ schema: 'larmor/cohort@1', patients }))
  for (const [n, id] of ids.entries()) {
    const registration = at('cohort', 'patients', id, 'registration')
    await mkdir(registration, { recursive: true })
    await mkdir(at('cohort', 'patients', id, 'structures'))
    await writeNifti(at('cohort', 'patients', id, 'ct.nii.gz'), ct)
    await writeNifti(
      at('cohort', 'patients', id, 'structures', 'parotid.nii.gz'),
      made(Uint8Array, (i, j, k) => (gland(i, j) && k > 2 && k < 7 ? 1 : 0)),
    )
    await writeNifti(join(registration, 'mr_t1.nii.gz'), mr(n))
    const quality = { nmi: 1.2, nmiAtStart: 1.05, surfaceP95Mm: 2.3, inverseConsistencyMm: 1.4 }
    const images = [{ role: 'mr_t1', method: 'rigid', verdict: n === 2 ? 'look' : 'good', quality }]
    await writeFile(join(registration, 'registration.json'), JSON.stringify({ images }))
    await mkdir(at('ours', id))
    await writeNifti(at('ours', id, 'smri.nii.gz'), prediction(n, 20 + n))
    await mkdir(at('ours', `${id}_uncertainty`))
    await writeNifti(
      at('ours', `${id}_uncertainty`, 'smri_uncertainty.nii.gz'),
      made(Float32Array, () => 30),
    )
    const findings = [
      { check: 'metal', verdict: 'caution', found: '12 cm³', expected: 'none', advice: '' },
      { check: 'kernel', verdict: 'ok', found: '', expected: '', advice: '' },
    ]
    await writeFile(at('ours', id, 'qa.json'), JSON.stringify({ mode: 'mean', gate: { verdict: 'caution', findings } }))
    await writeNifti(at('enhanced', `${id}.nii.gz`), prediction(n, 60 + 5 * n))
  }
})
afterAll(() => rm(folder, { recursive: true }))

describe('a cohort with structures, registrations and contrast CT', () => {
  let html: string
  let scores: Awaited<ReturnType<typeof readEvaluation>>
  beforeAll(async () => {
    const output = at('scores')
    const given = {
      cohort: at('cohort'),
      prediction: [`ours=${at('ours')}`],
      contrast: [`ours=${at('enhanced')}`],
      output,
    }
    expect((await larmor(given)).exitCode).toBe(0)
    scores = await readEvaluation(output)
    html = await readFile(join(output, 'report.html'), 'utf8')
  })
  test('scores each structure in its own voxels, for those who have it', () => {
    const [ours] = scores.predictions
    expect(ours!.structures.map(({ name, voxels }) => [name, voxels])).toEqual([['Parotid R', 4 * 69]])
    const { mean_error: error, mae } = scores.patients[1]!.predictions[0]!.structures[0]!.metrics
    const { reference } = scores.patients[1]!.predictions[0]!.rule as { reference: { low: number; high: number } }
    // 21 everywhere in the gland, as a share of the range; what is brighter than white is cut there.
    expect(error!).toBeGreaterThan(0)
    expect(mae!).toBeLessThanOrEqual(21 / (reference.high - reference.low) + 1e-6)
    expect(mae!).toBeGreaterThan(15 / (reference.high - reference.low))
    expect(ours!.structures[0]!.metrics.mae.patients).toBe(2)
    expect(html).toContain('Parotid R')
  })
  test('has a second mean over the pairs with the verdict good', () => {
    const { metrics, goodPairs } = scores.predictions[0]!
    expect([metrics.mae.patients, goodPairs!.mae.patients]).toEqual([3, 2])
    const [a, b] = scores.patients.map(({ predictions }) => predictions[0]!.metrics.mae!)
    expect(goodPairs!.mae.mean).toBeCloseTo((a! + b!) / 2, 12)
  })
  test('tests the prediction from contrast CT against the other one, over the same patients', () => {
    const contrast = scores.comparisons.filter(({ kind }) => kind === 'contrast')
    expect(contrast.map(({ first, second }) => [first, second])).toEqual([['ours', 'ours, contrast CT']])
    expect(contrast[0]!.metrics.mae).toMatchObject({ patients: 3, rankBiserial: 1, pValue: 0.25, method: 'exact' })
    expect(html).toContain('With and without contrast agent')
    expect(html).toContain('definition unpublished')
  })
  test('is held against what other patients, a grey scale and the registration’s own error would give', () => {
    const baselines = scores.predictions.filter(({ kind }) => kind === 'baseline')
    expect(baselines.map(({ name }) => name)).toEqual([
      'CT, best monotone map',
      'population mean',
      'another patient',
      'registration ceiling',
    ])
    expect(scores.comparisons.filter(({ kind }) => kind === 'baseline')).toHaveLength(4)
    for (const { name } of scores.baselines) expect(html).toContain(name)
  })
  test('shows what synthesis found, and its uncertainty beside the difference', () => {
    const { findings } = scores.patients[0]!.predictions[0]!
    expect(findings).toEqual([
      { label: 'mode', value: 'mean' },
      { label: 'the CT, before synthesis', value: 'caution, metal: 12 cm³; 1 of 2 checks ok' },
    ])
    expect(html).toContain('caution, metal')
    // Worst, median and best: CT, MR, two of ours (image, difference, uncertainty) and two of contrast; then one row a patient.
    expect(html.match(/data:image\/png/g)).toHaveLength(3 * (2 + 3 + 2) + 3 * (2 + 3))
  })
  test('needs a prediction of the same name for what came from contrast CT', async () => {
    const given = {
      cohort: at('cohort'),
      prediction: [`a=${at('ours')}`],
      contrast: [`b=${at('enhanced')}`],
      output: at('x'),
    }
    expect((await faultOf(given)).kind).toBe('usage.wrong')
  })
})

describe('a patient who has only a CT with contrast agent', () => {
  const only = (): string => at('contrast-only')
  const patientDir = (): string => join(only(), 'patients', 'p001')
  beforeAll(async () => {
    await cp(at('cohort'), only(), { recursive: true })
    await rename(join(patientDir(), 'ct.nii.gz'), join(patientDir(), 'ct_contrast.nii.gz'))
  })
  const scored = async (output: string) => {
    await larmor({ cohort: only(), prediction: [`ours=${at('ours')}`], output: at(output) })
    return (await readEvaluation(at(output))).patients[0]!.predictions[0]!.metrics.mae
  }
  test('is scored inside the same body as with the plain CT of the same anatomy', async () => {
    const plain = await readEvaluation(at('scores'))
    expect(await scored('contrast-only-result')).toBe(plain.patients[0]!.predictions[0]!.metrics.mae)
  })
  test('is scored on the CT that the registration names, also where the other is there', async () => {
    await writeNifti(
      join(patientDir(), 'ct.nii.gz'),
      made(Int16Array, () => -1000),
    )
    const record = join(patientDir(), 'registration', 'registration.json')
    const written = JSON.parse(await readFile(record, 'utf8')) as object
    await writeFile(record, JSON.stringify({ ...written, fixed: { role: 'ct_contrast' } }))
    expect(await scored('contrast-named')).toBeGreaterThan(0)
  })
  test('is refused by name where that CT is gone', async () => {
    await rm(join(patientDir(), 'ct_contrast.nii.gz'))
    const given = { cohort: only(), prediction: [`ours=${at('ours')}`], output: at('contrast-gone') }
    const { exitCode, json } = await larmor(given)
    expect([exitCode, JSON.stringify(json)]).toEqual([5, expect.stringContaining('cohort.incomplete')])
  })
})

describe('a pair on two grids', () => {
  const fine: Grid = { ...grid, size: [96, 88, 18], spacingMm: [2, 2, 2], originMm: [-95, -87, -1] }
  const pair = () => ({ reference: at('real.nii.gz'), test: at('fine.nii.gz') })
  beforeAll(async () => {
    await writeNifti(at('real.nii.gz'), mr(7))
    await writeNifti(at('fine.nii.gz'), resampleLinear(mr(7), fine, identityAffine, 0))
    await writeNifti(at('ct-fine.nii.gz'), resampleLinear(ct, fine, identityAffine, -1000))
    await writeNifti(
      at('parotid.nii.gz'),
      made(Uint8Array, (i, j) => (gland(i, j) ? (j > 22 ? 2 : 1) : 0)),
    )
  })
  test('is refused with both sizes, and what would accept it', async () => {
    const fault = await faultOf(pair())
    expect([fault.kind, fault.found, fault.expected]).toEqual([
      'geometry.gridsDiffer',
      '96 × 88 × 18 voxels',
      '48 × 44 × 9 voxels',
    ])
    expect(fault.fix).toContain('--resample')
  })
  test('is scored with --resample, CT and all, and the report says how they differed', async () => {
    const output = at('resampled')
    const { json } = await larmor({
      ...pair(),
      ct: at('ct-fine.nii.gz'),
      resample: true,
      rois: [at('parotid.nii.gz')],
      output,
    })
    expect((json['metrics'] as { ssim_2d: number }).ssim_2d).toBeGreaterThan(0.9)
    const { patients, predictions } = await readEvaluation(output)
    expect(patients[0]!.predictions[0]!.findings[0]).toEqual({
      label: 'test image resampled',
      value: 'linearly, from 96 × 88 × 18 voxels of 2 × 2 × 2 mm; it covers 100.0 % of the reference’s grid',
    })
    expect(predictions[0]!.structures.map(({ name }) => name)).toEqual(['parotid 1', 'parotid 2'])
    expect(await readFile(join(output, 'report.html'), 'utf8')).toContain('test image resampled')
  })
  test('is scored only where the smaller one has data, and refused where they never meet', async () => {
    const half: Grid = { ...grid, size: [48, 44, 4] }
    await writeNifti(at('half.nii.gz'), resampleLinear(mr(7), half, identityAffine, 0))
    const outcome = await larmor({ ...pair(), test: at('half.nii.gz'), resample: true, output: at('half') })
    expect((outcome.json['metrics'] as { mae: number }).mae).toBeLessThan(1e-6)
    expect((await readEvaluation(at('half'))).patients[0]!.predictions[0]!.emptySlices).toBe(5)
    await writeNifti(at('far.nii.gz'), volume({ ...grid, originMm: [900, 0, 0] }, mr(7).values))
    const fault = await faultOf({ ...pair(), test: at('far.nii.gz'), resample: true })
    expect([fault.kind, fault.message]).toEqual(['geometry.gridsDiffer', 'Two images have no place in common.'])
  })
  test('takes no intensity image for structures, and no empty mask', async () => {
    const own = { reference: at('real.nii.gz'), test: at('real.nii.gz') }
    expect((await faultOf({ ...own, rois: [at('real.nii.gz')] })).kind).toBe('input.badValue')
    await writeNifti(
      at('nothing.nii.gz'),
      made(Uint8Array, () => 0),
    )
    expect((await faultOf({ ...own, mask: at('nothing.nii.gz') })).kind).toBe('evaluation.badMask')
    expect((await faultOf({ ...own, rois: [at('cohort', 'cohort.json')] })).kind).toBe('input.unknownFormat')
  })
  test('of which the reference is constant is refused; a constant test image has null where nothing is defined', async () => {
    await writeNifti(
      at('flat.nii.gz'),
      made(Float32Array, () => 5),
    )
    expect((await faultOf({ reference: at('flat.nii.gz'), test: at('real.nii.gz') })).kind).toBe('input.badValue')
    const { json } = await larmor({ reference: at('real.nii.gz'), test: at('flat.nii.gz') })
    expect(json['metrics']).toMatchObject({ sharpness: 0, slice_consistency: 0, ms_ssim_2d: null })
  })
})
