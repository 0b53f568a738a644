import assert from 'node:assert/strict'
import { readFile, rename, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { buildStore, openStore, slicesOf } from '../../src/dataset/index.ts'
import { cutSlices, MR_STEPS } from '../../src/dataset/slices.ts'
import { LarmorError, type FaultKind } from '../../src/errors.ts'
import { makePlan, readPair, writePlan, type Plan } from '../../src/plan/index.ts'
import { silent, toTheEnd } from '../../src/progress.ts'
import { biasField, mapCt, mapMr, mrScaleOf } from '../../src/volume/index.ts'
import { pairOf, smallGrid, roomyMemory, temporaryFolder, writeSmallCohort } from '../plan/small-cohort.ts'

const plane = smallGrid.size[0] * smallGrid.size[1]
const refusedAs = (kind: FaultKind) => (error: unknown) => error instanceof LarmorError && error.fault.kind === kind

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let cohort: string
let plan: Plan

beforeAll(async () => {
  folder = await temporaryFolder()
  cohort = join(folder.dir, 'cohort')
  // The first patient's MR ends two slices early, and covers a third of the third slice from the top.
  const cut = (_: unknown, __: unknown, valid: Uint8Array) => valid.fill(0, 5 * plane + plane / 3)
  await writeSmallCohort(cohort, [{ change: cut }, {}, {}])
  plan = await makePlan(cohort, { seed: 1, report: silent, sliceSize: 64, test: 0, memory: roomyMemory })
})
afterAll(() => folder[Symbol.asyncDispose]())

test('slices without enough MR are kept, not used, and counted with their reason', async () => {
  const dir = join(folder.dir, 'counted')
  const manifest = await buildStore(cohort, plan, dir, { report: silent })
  const first = manifest.patients.find(({ id }) => id === 'p001')!
  assert.deepEqual([first.slices, first.usable, first.unusable], [8, 5, { 'too little MR': 3 }])
  const store = await openStore(dir)
  const used = [...slicesOf(store, 'train'), ...slicesOf(store, 'validation')]
  assert.deepEqual(
    used.filter(({ patient }) => patient === 'p001').map(({ k }) => k),
    [0, 1, 2, 3, 4],
  )
  store.close()
})

test('inside the body the stored MR is the mapped MR to half a step of int16; outside, both are air', async () => {
  // A frame of the cohort's own pixels round a body whose box has an odd size lies on the voxels: nothing is interpolated.
  const pair = await readPair(pairOf(cohort, 'p002', plan.target))
  const own: Plan = { ...plan, spacingMm: [6, 6], sliceSize: [64, 64] }
  const slices = toTheEnd(cutSlices([pair], own))
  const scale = mrScaleOf(pair.mr, pair.inside, plan.mr)
  const values = (of: Iterable<number>, keep: (n: number) => boolean) =>
    [...of].filter((_, n) => keep(n)).sort((a, b) => a - b)
  const stored = values(slices.mr, (n) => slices.body[n] === 1)
  const expected = values(mapMr(pair.mr.values, scale), (n) => pair.body.values[n] === 1)
  assert.equal(stored.length, expected.length)
  stored.forEach((value, n) => assert.ok(Math.abs(value / MR_STEPS - expected[n]!) <= 0.5 / MR_STEPS + 1e-6))
  for (let n = 0; n < slices.mr.length; n++)
    if (slices.body[n] === 0)
      assert.deepEqual([slices.mr[n], mapCt([slices.ct[n]!] as never, plan.ct)[0]], [-MR_STEPS, -1])
})

test('slices of a plan with bias correction are those of the even MR; metal is left out only where the plan says so', async () => {
  const pair = await readPair(pairOf(cohort, 'p002', plan.target))
  const field = biasField(pair.mr, pair.inside).values
  const even = { ...pair, mr: { ...pair.mr, values: pair.mr.values.map((v, n) => v / field[n]!) } }
  const corrected = toTheEnd(cutSlices([pair], { ...plan, mr: { ...plan.mr, biasCorrection: true } }))
  assert.deepEqual(corrected.mr, toTheEnd(cutSlices([even], plan)).mr)
  assert.notDeepEqual(corrected.mr, toTheEnd(cutSlices([pair], plan)).mr)

  const filling = pair.body.values.findIndex((one, n) => one === 1 && n > 3 * plane)
  const ct = { ...pair.ct, values: pair.ct.values.map((hu, n) => (n === filling ? 3071 : hu)) }
  assert.deepEqual(toTheEnd(cutSlices([{ ...pair, ct }], plan)).unusable, {})
  const strict: Plan = { ...plan, usable: { ...plan.usable, metalCm2: 0.1 } }
  const { usable, unusable } = toTheEnd(cutSlices([{ ...pair, ct }], strict))
  assert.deepEqual([unusable, usable.indexOf(0)], [{ metal: 1 }, 3])
})

test('a slice whose soft tissue gives no signal is left out as a drop-out', async () => {
  const pair = await readPair(pairOf(cohort, 'p002', plan.target))
  const mr = pair.mr.values.map((v, n) => (Math.floor(n / plane) === 2 ? Math.min(v, 3) : v))
  const { usable, unusable } = toTheEnd(cutSlices([{ ...pair, mr: { ...pair.mr, values: mr } }], plan))
  assert.deepEqual([unusable, usable.indexOf(0)], [{ 'signal drop-out': 1 }, 2])
})

test('an interrupted build goes on where it stopped: finished patients are not written again', async () => {
  const dir = join(folder.dir, 'resumed')
  const stop = new AbortController()
  const afterOne = {
    report: (event: { at: string; done?: number }) => event.done === 1 && stop.abort(),
    signal: stop.signal,
  }
  await assert.rejects(buildStore(cohort, plan, dir, afterOne), refusedAs('interrupted'))
  await assert.rejects(openStore(dir), refusedAs('store.damaged'))
  const first = join(dir, 'patients', 'p001.safetensors')
  const { mtimeMs } = await stat(first)
  const manifest = await buildStore(cohort, plan, dir, { report: silent })
  assert.equal((await stat(first)).mtimeMs, mtimeMs)
  const whole = await buildStore(cohort, plan, join(folder.dir, 'straight'), { report: silent })
  assert.deepEqual(manifest, whole)
})

test('a folder with another plan’s slices is refused, never mixed', async () => {
  const dir = join(folder.dir, 'counted')
  await assert.rejects(
    buildStore(cohort, { ...plan, neighbours: 0 }, dir, { report: silent }),
    refusedAs('usage.outputExists'),
  )
})

test('the same plan on a machine with another memory keeps every slice and brings its own batch', async () => {
  const dir = join(folder.dir, 'moved')
  const manifest = await buildStore(cohort, plan, dir, { report: silent })
  const first = join(dir, 'patients', 'p001.safetensors')
  const { mtimeMs } = await stat(first)
  const memory = { device: 'cpu', foundBytes: 2 ** 33, stepBytes: 2 ** 30 } as const
  const again = await buildStore(cohort, { ...plan, batch: 3, memory }, dir, { report: silent })
  assert.deepEqual(again, manifest)
  assert.equal((await stat(first)).mtimeMs, mtimeMs)
  const store = await openStore(dir)
  assert.equal(store.plan.batch, 3)
  store.close()
})

test('a store that was changed, cut or emptied since it was written is refused', async () => {
  const dir = join(folder.dir, 'damaged')
  await buildStore(cohort, plan, dir, { report: silent })
  const file = join(dir, 'patients', 'p002.safetensors')
  const bytes = await readFile(file)
  const damages: Record<string, () => Promise<unknown>> = {
    'a flipped bit': () =>
      writeFile(
        file,
        bytes.map((byte, n) => (n === bytes.length - 5 ? byte ^ 1 : byte)),
      ),
    'a cut file': () => truncate(file, bytes.length - 1),
    'a missing file': () => rename(file, `${file}.away`),
    'an edited plan': () => writePlan(join(dir, 'plan.json'), { ...plan, neighbours: 0 }),
  }
  for (const [what, damage] of Object.entries(damages)) {
    await damage()
    await assert.rejects(openStore(dir), refusedAs('store.damaged'), what)
    await writeFile(file, bytes)
  }
  await writePlan(join(dir, 'plan.json'), plan)
  ;(await openStore(dir)).close()
  await assert.rejects(openStore(join(folder.dir, 'nowhere')), refusedAs('store.damaged'))
})

test('a part of the split without one usable slice is refused', async () => {
  const strict: Plan = { ...plan, usable: { bodyCm2: 1e6, mrShare: 0.5 } }
  await assert.rejects(
    buildStore(cohort, strict, join(folder.dir, 'strict'), { report: silent }),
    refusedAs('plan.noUsableSlices'),
  )
})
