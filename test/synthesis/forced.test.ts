/** `larmor synthesize` as it is typed: a CT that the gate refuses, forced or not, and what is said of the uncertainty in each region. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  findSeries,
  newUid,
  rasterise,
  readImage,
  readStructureSet,
  stackOf,
  writeStructureSet,
  type DicomSeries,
} from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { fingerprintOf } from '../../src/synthesis/gate/fingerprint.ts'
import { traitsOf } from '../../src/synthesis/gate/gate.ts'
import { prepareCt } from '../../src/synthesis/synthesize.ts'
import { identityDirection, type Mask } from '../../src/volume/index.ts'
import { larmor } from '../cli/larmor.ts'
import { ctSeries } from '../formats/synthetic-made.ts'
import { centredGrid, sampledCt } from './phantom.ts'
import { gaussianRefiner, modelFolder, weightedChannels } from './small-models.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-forced-'))
const size = [48, 48] as [number, number]
const ct = sampledCt(centredGrid([48, 44, 12], [1.6, 1.6, 4], identityDirection, [12, -18, 30]))
const traits = await traitsOf(await prepareCt(ct, { input: { size, spacingMm: [1.6, 1.6] } }))
const model = modelFolder(
  {
    stage1: weightedChannels([0, 1, 0]),
    refiner: gaussianRefiner(0),
    size,
  },
  (card) => ({ ...card, fingerprint: { ...card.fingerprint, gate: fingerprintOf([traits, traits], false) } }),
)
const synthesize = (source: string, output: string, ...more: string[]) =>
  larmor(['synthesize', source, '--model', model, '--output', join(root, output), '--quiet', ...more])
const qaOf = (output: string) =>
  JSON.parse(readFileSync(join(root, output, 'smri_001', 'qa.json'), 'utf8')) as Record<string, never>

test('a CT whose HU are 80 too high ends in 3 and leaves nothing; forced, it is made, and qa.json and every slice say so', async () => {
  const source = join(root, 'bright')
  await ctSeries(source, { ...ct, values: ct.values.map((hu) => hu + 80) })
  const refused = await synthesize(source, 'refused')
  assert.equal(refused.code, 3, refused.stderr)
  assert.match(refused.stderr, /HU/)
  assert.match(refused.stderr, /--force/)
  assert.ok(!existsSync(join(root, 'refused', 'smri_001')))

  const forced = await synthesize(source, 'forced', '--force', '--mode', 'stage-1')
  assert.equal(forced.code, 0, forced.stderr)
  expect(qaOf('forced')).toMatchObject({ gate: { verdict: 'refusal', forced: true } })
  const { files } = (await findSeries([join(root, 'forced', 'smri_001')], silent)).series[0]!
  for (const { path } of files) assert.match(readFileSync(path, 'latin1'), /refused, forced/)
})

test('a CT like those of the training is not touched by --force', async () => {
  const source = join(root, 'good')
  await ctSeries(source, ct)
  assert.equal((await synthesize(source, 'plain', '--force', '--mode', 'stage-1')).code, 0)
  expect(qaOf('plain')).toMatchObject({ gate: { forced: false } })
})

test('with --rtstruct qa.json has the uncertainty in each region, as the written series has it', async () => {
  const source = join(root, 'drawn')
  await ctSeries(source, ct)
  const sets = await drawnOn((await findSeries([source], silent)).series[0]!)
  const made = await synthesize(
    source,
    'regions',
    '--mode',
    'mean',
    '--samples',
    '2',
    '--steps',
    '6',
    '--rtstruct',
    sets,
  )
  assert.equal(made.code, 0, made.stderr)
  const { output } = qaOf('regions') as unknown as { output: { uncertainty: { regions: Region[] } } }
  const { volume } = await readImage(join(root, 'regions', 'smri_001_uncertainty'))
  const { rois } = readStructureSet((await findSeries([sets], silent)).structureSets[0]!)
  assert.ok(rois.length >= 2)
  assert.deepEqual(
    output.uncertainty.regions.map(({ roi }) => roi),
    rois.map(({ name }) => name),
  )
  for (const [n, roi] of rois.entries()) {
    const { mask } = rasterise(roi, ct.grid, '')
    const inside = Float32Array.from(volume.values).filter((_, at) => mask.values[at] === 1)
    const mean = inside.reduce((sum, value) => sum + value, 0) / inside.length
    const region = output.uncertainty.regions[n]!
    assert.equal(region.voxels, inside.length)
    // Stored in whole thousandths of black to white.
    assert.ok(Math.abs(region.percentOfScale!.mean - mean / 10) < 0.05, `${roi.name} ${mean}`)
    assert.ok(mean > 2 && region.percentOfScale!.p95 > region.percentOfScale!.median, JSON.stringify(region))
  }
})

/** One region in the body, one that is half in the air, where nothing is uncertain. */
async function drawnOn(source: DicomSeries): Promise<string> {
  const path = join(root, 'drawn.dcm')
  const [ni, nj] = ct.grid.size
  const box = (from: number, to: number): Mask => ({
    grid: ct.grid,
    values: Uint8Array.from(ct.values, (_, n) =>
      Number(n % ni >= from && n % ni < to && (Math.floor(n / ni) % nj) - 20 < 4 && Math.floor(n / ni) % nj >= 18),
    ),
  })
  await writeStructureSet(path, {
    regions: [
      { name: 'Inside', type: 'ORGAN', mask: box(18, 26) },
      { name: 'Edge', type: 'ORGAN', mask: box(1, 12) },
    ],
    image: {
      grid: ct.grid,
      modality: 'CT',
      studyUid: source.studyUid,
      seriesUid: source.seriesUid,
      frameOfReferenceUid: source.frameOfReferenceUid!,
      sopInstanceUids: stackOf(source).sorted.map(({ sopInstanceUid }) => sopInstanceUid),
    },
    patient: { id: 'PHANTOM-1', name: 'PHANTOM^ONE' },
    seriesUid: newUid(path, 'structures'),
    seriesNumber: 3,
    label: 'RTstruct',
    description: 'virtual contours',
    algorithm: 'MANUAL',
  })
  return path
}
type Region = { roi: string; voxels: number; percentOfScale: { mean: number; median: number; p95: number } | null }
