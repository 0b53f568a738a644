/**
 * The whole chain on a real CT and a real MR in DICOM: one block of pork with bone, two scanners, opposite positions.
 * One animal, so the split is by slices and the scores are of slices between those of training: they say that the
 * chain works on real input, not how well it would do on another animal.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { findSeries, readDicomVolume, readNifti } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { gridDistanceMm } from '../../src/volume/index.ts'
import { larmor } from '../cli/larmor.ts'
import { sharedData } from '../shared-data.ts'

const pork = sharedData('pork-ct-mr')
const necks = sharedData('openkbp')
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'larmor-slow-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Runs a command that has to succeed, and gives the object it prints. */
async function done(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr, elapsedMs } = await larmor([...args, '--json'])
  assert.equal(code, 0, `larmor ${args.join(' ')}\n${stderr}`)
  console.log(`larmor ${args[0]}: ${(elapsedMs / 1000).toFixed(1)} s`)
  return JSON.parse(stdout) as Record<string, unknown>
}

test.skipIf(!pork)('a real CT becomes an sMRI on its own grid, scored against the registered real MR', async () => {
  const at = (...names: string[]): string => join(folder, ...names)
  for (const archive of ['ct-dicom.tar.xz', 'mr-t2-dicom.tar.xz'])
    execFileSync('tar', ['xJf', join(pork!, archive), '-C', folder])

  await done('import', at('ct'), at('mr'), '--cohort', at('cohort'))
  const registered = await done('register', at('cohort'))
  console.log(JSON.stringify(registered['registered'], null, 1))
  await done('plan', at('cohort'), '--output', at('store'), '--split-slices', 'odd')
  await done('train', 'pix2pix', at('store'), '--run', at('stage1'), '--set', 'minutes=3', 'validations=3')
  await done(
    'train',
    'diffusion',
    at('store'),
    '--stage1',
    at('stage1'),
    '--run',
    at('refiner'),
    '--set',
    'minutes=1.5',
  )
  await done('export', at('refiner'), '--output', at('model'))
  await done('synthesize', at('ct'), '--model', at('model'), '--output', at('smri'))
  const predictions: string[] = []
  for (const mode of ['stage-1', 'one-step', 'mean']) {
    const output = at(`smri-${mode}`)
    const ct = at('cohort', 'patients', 'p001', 'ct.nii.gz')
    await done('synthesize', ct, '--model', at('model'), '--output', output, '--mode', mode)
    predictions.push(`${mode}=${output}`)
  }
  const plan = ['--plan', at('store', 'plan.json')]
  const scored = await done('evaluate', at('cohort'), '--prediction', ...predictions, ...plan, '--output', at('scores'))
  console.log(JSON.stringify(scored['predictions'], null, 1))

  const [ct, smri] = await Promise.all([at('ct'), at('smri', 'smri_001')].map(seriesIn))
  assert.equal(smri!.frameOfReferenceUid, ct!.frameOfReferenceUid)
  assert.equal(smri!.studyUid, ct!.studyUid)
  const [ctVolume, smriVolume] = [await readDicomVolume(ct!), await readDicomVolume(smri!)]
  assert.ok(gridDistanceMm(ctVolume.grid, smriVolume.grid) < 1e-4)
  assert.match(await readFile(at('scores', 'report.html'), 'utf8'), /not for diagnosis/)
})

test.skipIf(!necks)('planning CTs of 29 patients come in as NIfTI, exactly', async () => {
  const cohort = join(folder, 'necks')
  const { cases } = (await done('import', necks!, '--cohort', cohort)) as { cases: { id: string; where: string }[] }
  const sources = (await readdir(necks!)).filter((name) => name.startsWith('pt_'))
  assert.equal(cases.length, sources.length)
  for (const { id, where } of cases) {
    const [source, kept] = [
      await readNifti(join(where, 'ct.nii.gz')),
      await readNifti(join(cohort, 'patients', id, 'ct.nii.gz')),
    ]
    assert.ok(gridDistanceMm(source.grid, kept.grid) < 1e-3, id)
    assert.deepEqual(kept.values, source.values, id)
  }
})

async function seriesIn(path: string) {
  const { series, refused } = await findSeries([path], silent)
  assert.deepEqual(refused, [])
  assert.equal(series.length, 1, path)
  return series[0]!
}
