/**
 * Runs of a few steps on made-up patients, exported and used: what the package computes is what libtorch computes, what
 * it says of itself is what the runs say, and synthesis cuts the same slices as training.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStore, readBatch } from '../../src/dataset/index.ts'
import { LarmorError, type FaultKind } from '../../src/errors.ts'
import { exportModel } from '../../src/export/index.ts'
import { libtorchNetwork, stage1Network, traceable } from '../../src/export/networks.ts'
import { encodeModel } from '../../src/export/onnx-file.ts'
import { ALLOWED, requireParity, stage1Random } from '../../src/export/parity.ts'
import { traceNetwork } from '../../src/export/trace.ts'
import { sha256 } from '../../src/files.ts'
import { readNifti } from '../../src/formats/index.ts'
import { silent, type Event } from '../../src/progress.ts'
import { mappedSlices, patientOf } from '../../src/synthesis/slices.ts'
import { openModel, openNetwork, synthesizeMri } from '../../src/synthesis/index.ts'
import { aten, noGrad, scope } from '../../src/tensor/index.ts'
import { loadPredictor, openRun } from '../../src/training/index.ts'
import { bodyMask, orientToLps } from '../../src/volume/index.ts'
import { jobOn, smallStore, TINY, trainHere, type SmallStore } from '../training/small-store.ts'

let store: SmallStore
const at = (name: string): string => join(store.dir, name)
const options = { threads: 1, report: silent }
const refusedAs = (kind: FaultKind) => (error: unknown) => error instanceof LarmorError && error.fault.kind === kind

beforeAll(async () => {
  store = await smallStore()
  await trainHere(jobOn(store, 'residual', [...TINY.residual, 'steps=6']))
  const second = { stage: 'diffusion' as const, stage1Dir: at('residual') }
  await trainHere(jobOn(store, 'refiner', [...TINY.refiner, 'steps=6'], second))
  await exportModel(at('refiner'), at('two-stages'), options)
})
afterAll(() => store.remove())

test('both stages, exported: graphs and the sampled result agree with libtorch, and the card says by how much', async () => {
  const model = await openModel(at('two-stages'), { threads: 1 })
  const { stage1, refiner } = model.card
  const found = [...Object.values(stage1.parity), ...Object.values(refiner!.parity), refiner!.sampledParity]
  for (const difference of found) assert.ok(difference < ALLOWED / 10, `parity ${found.join(', ')}`)
  assert.deepEqual(readdirSync(at('two-stages')).toSorted(), [
    'model.json',
    'refiner.onnx',
    'stage1.onnx',
    'uncertainty.svg',
  ])
  for (const { file, sha256: expected } of [stage1, refiner!])
    assert.equal(sha256(readFileSync(join(at('two-stages'), file))), expected)
  await model.close()
})

test('the card says what was trained, on how many, and for what use; no patient’s id is in it', async () => {
  const text = readFileSync(join(at('two-stages'), 'model.json'), 'utf8')
  const [first, second] = [await openRun(at('residual')), await openRun(at('refiner'))]
  expect(JSON.parse(text)).toMatchObject({
    schema: 'larmor/model@1',
    name: 'two-stages',
    intendedUse: 'research; contouring aid beside the CT; not for diagnosis or dose',
    input: { channels: 3, size: [64, 64], spacingMm: store.plan.spacingMm },
    ct: store.plan.ct,
    mr: { target: 'mr_t2', mapping: store.plan.mr },
    stage1: { generator: 'residual', weights: 'averaged' },
    refiner: { weights: 'averaged', sampler: { name: 'dpmpp2m', steps: 4 }, uncertainty: { samples: 4 } },
    memorisation: { outputs: 8, nearCopies: 0, caution: null },
    realSliceChange: { patients: 3 },
    training: {
      patients: { train: 2, validation: 1, test: 0 },
      splitBy: 'patient',
      stages: [
        { stage: 'pix2pix', parameters: first.record.parameters },
        { stage: 'diffusion', parameters: second.record.parameters },
      ],
    },
    fingerprint: { patients: 2, gate: { patients: 2, contrastAgent: false } },
    metrics: [
      { name: 'mae', output: 'one-step', value: second.record.best!.value },
      { name: 'mae', output: 'single' },
      { name: 'mae', output: 'stage-1', value: expect.closeTo(first.record.best!.value, 6) as number },
      { name: 'mae', output: 'stage-1', interval95: { over: 'slices', count: 8 } },
    ],
  })
  assert.doesNotMatch(text, /p00\d/)
})

test('unless asked, synthesis makes the output that validated best, and a refiner that does not help is passed over', async () => {
  const { metrics, refiner } = (await openModel(at('two-stages'), { threads: 1 })).card
  const best = metrics.reduce((a, b) => (b.value < a.value ? b : a)) // by MAE: these slices are too small for MS-SSIM
  assert.equal(refiner!.defaultMode, best.output)
  assert.equal(best.output, 'stage-1', 'six steps teach the refiner nothing')
})

test('synthesis sees the slices that training saw: the same frame, mapping, body and neighbours', async () => {
  const model = await openModel(at('two-stages'), { threads: 1 })
  const opened = await openStore(store.storeDir)
  const ct = orientToLps(await readNifti(join(store.dir, 'cohort', 'patients', 'p001', 'ct.nii.gz')))
  const patient = patientOf(ct, bodyMask(ct), model.card)
  const slices = mappedSlices(patient, 0, patient.frame.size[2] - 1, model.card)
  const stepOfOneHu = 2 / (store.plan.ct.highHu - store.plan.ct.lowHu)
  for (const k of [0, 3, slices.length - 1]) {
    const seen = scope(() => readBatch(opened, [{ patient: 'p001', k }]).ct.values('float32'))
    const last = slices.length - 1
    const mine = [k - 1, k, k + 1].flatMap((n) => [...slices[Math.min(last, Math.max(0, n))]!])
    // Training keeps whole HU: half a step apart at most.
    seen.forEach((value, n) => assert.ok(Math.abs(value - mine[n]!) <= 0.51 * stepOfOneHu, `slice ${k}, pixel ${n}`))
  }
  opened.close()
  await model.close()
})

test('the package turns a patient’s CT into an MR on its grid, with body and air where they are', async () => {
  const model = await openModel(at('two-stages'), { threads: 1 })
  const ct = await readNifti(join(store.dir, 'cohort', 'patients', 'p003', 'ct.nii.gz'))
  for (const mode of ['stage-1', 'single', 'mean', 'one-step'] as const) {
    const [{ mr }] = await synthesizeMri(model, ct, { seed: 1, mode, ...(mode === 'mean' ? { samples: 2 } : {}) })
    assert.deepEqual(mr.grid, ct.grid)
    const body = bodyMask(orientToLps(ct)).values
    assert.ok(
      mr.values.every((value, n) => Number.isFinite(value) && (body[n] === 1 || value === model.card.mr.nominal.low)),
    )
    // Six steps leave the table HU → MR nearly as it is: fat is bright and bone dark in these made-up patients.
    const mean = (low: number, high: number): number => {
      const found = mr.values.filter((_, n) => body[n] === 1 && ct.values[n]! > low && ct.values[n]! < high)
      return found.reduce((a, b) => a + b, 0) / found.length
    }
    assert.ok(mean(-130, -70) > 1.5 * mean(10, 70) && mean(10, 70) > 1.5 * mean(600, 800), mode)
  }
  await model.close()
})

for (const norm of ['batch', 'instance'])
  test(`the paper’s U-Net with ${norm} norm agrees with libtorch as validation ran it, and the card says which statistics`, async () => {
    const run = `unet-${norm}`
    await trainHere(jobOn(store, run, [...TINY.unet, `norm=${norm}`, 'steps=4']))
    const card = await exportModel(at(run), at(`${run}-model`), options)
    assert.ok(card.stage1.parity.realSlices < ALLOWED / 10 && card.stage1.parity.random < ALLOWED / 10)
    assert.match(card.stage1.normalisation, norm === 'batch' ? /running statistics/ : /its own statistics/)
    assert.equal(card.refiner, null)
    assert.equal(card.stage1.weights, 'as trained')
  })

test('a graph of other weights than the network’s is found out', async () => {
  const run = await openRun(at('residual'))
  const { params } = await loadPredictor(run, 'best')
  assert.ok(run.config.generator === 'residual')
  const network = stage1Network(run.config, run.plan, params)
  const file = at('other.onnx')
  writeFileSync(file, Buffer.concat(encodeModel(traceNetwork(traceable(network, [64, 64])), 'test', {})))
  const twins = { libtorch: libtorchNetwork(network), onnx: await openNetwork(file, 1) }
  requireParity('stage 1', await stage1Random(twins, 3, [64, 64], 2))
  noGrad(() => scope(() => void aten['add_.Scalar'](params.get('head.conv.bias'), 0.002)))
  const changed = await stage1Random(twins, 3, [64, 64], 2)
  assert.throws(() => requireParity('stage 1', changed), refusedAs('export.parity'))
  assert.throws(() => requireParity('stage 1', NaN), refusedAs('export.parity'))
  await twins.onnx.close()
  params.dispose()
})

test('a first stage that was trained on after its refiner is refused, and nothing is left behind', async () => {
  await trainHere(jobOn(store, 'moving', [...TINY.residual, 'steps=4']))
  await trainHere(
    jobOn(store, 'refines-moving', [...TINY.refiner, 'steps=2'], { stage: 'diffusion', stage1Dir: at('moving') }),
  )
  const record = JSON.parse(readFileSync(join(at('refines-moving'), 'run.json'), 'utf8')) as {
    stage1: { weightsSha256: string }
  }
  record.stage1.weightsSha256 = '0'.repeat(64)
  writeFileSync(join(at('refines-moving'), 'run.json'), JSON.stringify(record))
  await assert.rejects(exportModel(at('refines-moving'), at('refused-model'), options), refusedAs('run.mismatch'))
  assert.ok(!existsSync(at('refused-model')))
})

test('a store of another plan, a full output folder and a folder without a run are refused', async () => {
  const other = await smallStore({ neighbours: 0 })
  const elsewhere = { ...options, storeDir: other.storeDir }
  await assert.rejects(exportModel(at('residual'), at('wrong-store'), elsewhere), refusedAs('run.mismatch'))
  await other.remove()
  await assert.rejects(exportModel(at('residual'), at('two-stages'), options), refusedAs('usage.outputExists'))
  writeFileSync(at('a-file'), '')
  await assert.rejects(exportModel(at('residual'), at('a-file'), options), refusedAs('usage.outputExists'))
  await assert.rejects(exportModel(at('nowhere'), at('out'), options), refusedAs('input.notFound'))
  assert.deepEqual(
    readdirSync(store.dir).filter((name) => name.includes('.tmp-')),
    [],
  )
})

test('a run that is not finished is exported as it is so far, which is said', async () => {
  await assert.rejects(trainHere(jobOn(store, 'half', [...TINY.residual, 'steps=9']), 5), refusedAs('interrupted'))
  const told: string[] = []
  const report = (event: Event): void => void (event.at === 'note' && told.push(event.message))
  await exportModel(at('half'), at('half-model'), { ...options, report })
  assert.match(told.join(), /half is not finished \(interrupted\): these are its best weights so far, of step \d/)
  if (process.platform === 'linux') assert.equal(statSync(at('half-model')).mode & 0o777, 0o777 & ~process.umask())
})

test('a request to stop is heard while the programs are compared, and nothing is written', async () => {
  const stop = new AbortController()
  const report = (event: Event): void => {
    if (event.at === 'stage' && event.name.startsWith('comparing')) stop.abort()
  }
  const exported = exportModel(at('refiner'), at('stopped'), { threads: 1, report, signal: stop.signal })
  await assert.rejects(exported, refusedAs('interrupted'))
  assert.deepEqual(
    readdirSync(store.dir).filter((name) => name.includes('stopped')),
    [],
  )
})
