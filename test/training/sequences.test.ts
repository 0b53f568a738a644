/**
 * Several sequences learnt at once, from plan to evaluation. The answers come from plans of one sequence: what is known of a
 * sequence, and what a network starts from, must not depend on which others are learnt beside it.
 */
import assert from 'node:assert/strict'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { buildStore, openStore } from '../../src/dataset/index.ts'
import { LarmorError, type FaultKind } from '../../src/errors.ts'
import { cohortCases, evaluateCases } from '../../src/evaluation/index.ts'
import { exportModel } from '../../src/export/index.ts'
import { readNifti } from '../../src/formats/index.ts'
import { makePlan, mrOf, targetsOf, type Plan } from '../../src/plan/index.ts'
import { silent } from '../../src/progress.ts'
import { openModel, synthesizeCases } from '../../src/synthesis/index.ts'
import { narrow, scope } from '../../src/tensor/index.ts'
import { mrOfHu, otherMrOfHu, roomyMemory, temporaryFolder, writeSmallCohort } from '../plan/small-cohort.ts'
import { jobOn, TINY, trainHere, type SmallStore } from './small-store.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let cohort: string
/** Of both sequences, and of each alone. */
let [both, first, second]: SmallStore[] = []
const refusedAs = (kind: FaultKind) => (error: unknown) => error instanceof LarmorError && error.fault.kind === kind

/** Not by deepEqual, which would draw up the difference of millions of numbers. */
function sameNumbers(a: Int16Array, b: Int16Array): boolean {
  return a.length === b.length && a.every((value, n) => value === b[n])
}

async function storeOf(name: string, targets: readonly string[]): Promise<SmallStore> {
  const options = { seed: 1, report: silent, sliceSize: 64, test: 0, memory: roomyMemory, targets }
  const plan = await makePlan(cohort, options)
  const storeDir = join(folder.dir, name)
  await buildStore(cohort, plan, storeDir, { report: silent })
  return { dir: folder.dir, storeDir, plan, remove: async () => {} }
}

beforeAll(async () => {
  folder = await temporaryFolder()
  cohort = join(folder.dir, 'cohort')
  await writeSmallCohort(cohort, [{}, {}, {}], ['mr_t2', 'mr_t1'])
  both = await storeOf('both', ['mr_t2', 'mr_t1'])
  first = await storeOf('first', ['mr_t2'])
  second = await storeOf('second', ['mr_t1'])
})
afterAll(() => folder[Symbol.asyncDispose]())

test('a plan of two sequences holds what the plans of each hold, and its store their slices', async () => {
  assert.deepEqual(targetsOf(both!.plan), [...targetsOf(first!.plan), ...targetsOf(second!.plan)])
  const found = (plan: Plan) => plan.fingerprint.patients.map(mrOf)
  const alone = found(first!.plan).map((patient, n) => [...patient, ...found(second!.plan)[n]!])
  assert.deepEqual(found(both!.plan), alone)
  assert.notDeepEqual(first!.plan.huToMr, second!.plan.huToMr)

  const stores = await Promise.all([both!, first!, second!].map(({ storeDir }) => openStore(storeDir)))
  for (const id of stores[0]!.patients.keys()) {
    const [all, ...each] = stores.map(({ patients }) => patients.get(id)!.mr)
    for (const [n, mr] of each.entries())
      scope(() => assert.ok(sameNumbers(narrow(all!, 1, n, 1).values('int16'), mr.values('int16')), `${id}, ${n}`))
  }
  for (const store of stores) store.close()
})

test('a patient who lacks one of the sequences is left out, with the reason; a sequence named twice is refused', async () => {
  await using own = await temporaryFolder()
  await writeSmallCohort(own.dir, [{}, {}, {}], ['mr_t2', 'mr_t1'])
  await rm(join(own.dir, 'patients', 'p002', 'registration', 'mr_t1.nii.gz'))
  const options = { seed: 1, report: silent, sliceSize: 64, test: 0, memory: roomyMemory }
  const plan = await makePlan(own.dir, { ...options, targets: ['mr_t2', 'mr_t1'] })
  assert.deepEqual(
    plan.leftOut.map(({ id, kind }) => [id, kind]),
    [['p002', 'cohort.incomplete']],
  )
  await assert.rejects(makePlan(own.dir, { ...options, targets: ['mr_t1', 'mr_t1'] }), refusedAs('usage.wrong'))
})

test('before its first step a network of two sequences scores in each what a network of that one scores', async () => {
  const scoresOf = async (store: SmallStore, name: string): Promise<Record<string, number>> => {
    const job = jobOn(store, name, [...TINY.residual, 'steps=1'])
    await trainHere(job)
    const lines = (await readFile(join(job.runDir, 'metrics.jsonl'), 'utf8')).split('\n')
    return (JSON.parse(lines[0]!) as { scores: Record<string, number> }).scores
  }
  const [of2, one, other] = [
    await scoresOf(both!, 'start-both'),
    await scoresOf(first!, 'start-first'),
    await scoresOf(second!, 'start-second'),
  ]
  for (const metric of ['ssim_2d', 'psnr', 'mae']) {
    const close = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 1e-5, `${metric}: ${a}, ${b}`)
    close(of2[`${metric}/mr_t2`]!, one[metric]!)
    close(of2[`${metric}/mr_t1`]!, other[metric]!)
    close(of2[metric]!, (one[metric]! + other[metric]!) / 2)
  }
})

test('training improves both sequences; export, synthesis and evaluation keep them apart', async () => {
  const at = (name: string): string => join(folder.dir, name)
  // The U-Net starts from nothing: what it learns is of both.
  const small = ['generator=unet', 'width=8', 'criticWidth=4', 'downs=3', 'norm=instance', 'dropout=0', 'batch=2']
  const unet = jobOn(both!, 'unet', [...small, 'learningRate=0.005', 'steps=100'])
  const { record } = await trainHere(unet)
  const before = JSON.parse((await readFile(join(unet.runDir, 'metrics.jsonl'), 'utf8')).split('\n')[0]!) as {
    scores: Record<string, number>
  }
  for (const role of ['mr_t1', 'mr_t2']) {
    const [was, is] = [before.scores[`mae/${role}`]!, record.scores![`mae/${role}`]!]
    assert.ok(is < 0.8 * was, `${role}: ${was} before, ${is} after`)
  }
  const run = jobOn(both!, 'stage1', [...TINY.residual, 'align=true', 'steps=4'])
  await trainHere(run)
  const stage2 = { stage: 'diffusion' as const, stage1Dir: run.runDir }
  await trainHere(jobOn(both!, 'refiner', [...TINY.refiner, 'steps=4'], stage2))

  await exportModel(at('refiner'), at('model'), { threads: 1, report: silent })
  const model = await openModel(at('model'), { threads: 1 })
  const cts = ['p001', 'p002', 'p003'].map((id) => join(cohort, 'patients', id, 'ct.nii.gz'))
  const common = { outputDir: at('smri'), seed: 1, report: silent, force: true }
  const { done } = await synthesizeCases(model, cts, { ...common, mode: 'mean', samples: 2, uncertainty: true })
  assert.deepEqual(
    done.slice(0, 2).map(({ caseId, sequence, folder, uncertainty }) => [caseId, sequence, folder, uncertainty]),
    ['mr_t2', 'mr_t1'].map((role) => ['p001', role, at(`smri/${role}/p001`), at(`smri/${role}/p001_uncertainty`)]),
  )
  const qa = JSON.parse(await readFile(at('smri/mr_t1/p001/qa.json'), 'utf8')) as { sequence: string }
  assert.equal(qa.sequence, 'mr_t1')
  await model.close()

  // Fat is brighter than soft tissue in the first sequence and darker in the second: the images must show it.
  const { values: hu } = await readNifti(cts[0]!)
  for (const [role, contrast] of [
    ['mr_t2', mrOfHu],
    ['mr_t1', otherMrOfHu],
  ] as const) {
    const { values } = await readNifti(at(`smri/${role}/p001/smri.nii.gz`))
    const mean = (low: number, high: number): number => {
      const inside = [...values].filter((_, n) => hu[n]! > low && hu[n]! < high)
      return inside.reduce((sum, value) => sum + value, 0) / inside.length
    }
    const brighterFat = contrast.get(-100)! > contrast.get(40)!
    assert.equal(mean(-130, -70) > mean(10, 70), brighterFat, role)
    const [own, crossed] = [await maeOf(role, role), await maeOf(role, role === 'mr_t1' ? 'mr_t2' : 'mr_t1')]
    assert.ok(own < 0.5 * crossed, `${role}: ${own} against ${crossed} of the other's image`)
  }
})

/** Of the images of one sequence against the MRs of one. */
async function maeOf(role: string, ofImages: string): Promise<number> {
  const range = both!.plan.mr
  const predictions = [{ name: 'smri', folder: join(folder.dir, 'smri', ofImages) }]
  const cases = await cohortCases(cohort, predictions, { seed: 1, role, range })
  const evaluation = await evaluateCases(
    cases.map((each) => ({ ...each, baselines: [] })),
    { range, seed: 1, report: silent, larmor: '0', created: '2026-01-01T00:00:00Z' },
  )
  const { mae } = evaluation.predictions[0]!.metrics
  return mae?.mean ?? NaN
}
