/**
 * How good the presets are at equal time, on test patients that nothing has seen: virtual patients, and real necks (OpenKBP)
 * with simulated MR where the shared data lie beside the clone. Every row is trained for the same processor seconds of one
 * thread, steps and augmentation included, and scored in body ∩ MR by evaluation's metrics, mean ± SD over test patients.
 *
 * The peer "the reference" is our preset `paper`, which equals PyTorch's to 1e-7 (test/models); at 192² it halves six times.
 *
 * npm run bench -- quality [--seconds 120] [--seed 1] [--kinds virtual,necks] [--parts presets,refiner,off,contrast]
 *                          [--patients 40] [--slices 8] [--off 1,2,4] [--output <folder>]
 * Patients are made once (about 15 minutes of one core) and kept in .cache/bench-quality.
 */
import { mkdir } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { buildStore, openStore, slicesOf, type Store } from '../src/dataset/index.ts'
import { planSha256, type Plan } from '../src/plan/index.ts'
import { silent } from '../src/progress.ts'
import { setThreads } from '../src/tensor/index.ts'
import { alignedCohort, misregistered, neckCount, planOf, withContrast, type Kind } from './quality/cohorts.ts'
import { writePictures } from './quality/pictures.ts'
import { refinerRows, scoreAsReference, scoreFirst, trainFirst, type Bench, type First } from './quality/rows.ts'
import { summaryOf, tableOf, type Scored } from './quality/scores.ts'

const { values: given } = parseArgs({
  args: process.argv.slice(3),
  options: {
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string', default: '1' },
    kinds: { type: 'string', default: 'virtual,necks' },
    parts: { type: 'string', default: 'presets,refiner,off,contrast' },
    patients: { type: 'string', default: '40' },
    slices: { type: 'string', default: '8' },
    off: { type: 'string', default: '1,2,4' },
    output: { type: 'string' },
  },
})
const bench: Bench = { seed: Number(given.seed), seconds: Number(given.seconds), slices: Number(given.slices) }
const parts = new Set(given.parts.split(','))
const cache = fileURLToPath(new URL('../.cache/bench-quality', import.meta.url))
const output = given.output ?? join(cache, 'pictures')
/** Left misregistered by so much, mean over the body. */
const OFF_MM = given.off.split(',').map(Number)
const AGENT = ['contrastShare=0.5']

setThreads(1)
await mkdir(output, { recursive: true })
const ratios: Record<string, number> = {}
for (const kind of given.kinds.split(',') as Kind[]) {
  const count = kind === 'virtual' ? Number(given.patients) : await neckCount()
  if (count === 0) console.log('\nnecks: no shared data beside this clone, left out')
  else await benchOf(kind, count)
}
console.log(
  JSON.stringify({
    bench: 'quality',
    ratios,
    seconds: bench.seconds,
    seed: bench.seed,
    machine: { cpu: cpus()[0]?.model, node: process.version },
  }),
)

async function benchOf(kind: Kind, count: number): Promise<void> {
  const folder = join(cache, `${kind}-${count}-seed${bench.seed}`)
  const aligned = await alignedCohort(folder, kind, count, bench.seed)
  const plan = await planOf(aligned, bench.seed, { validation: kind === 'virtual' ? 4 : 3, test: 6 })
  const store = await storeOf(aligned, plan)
  const { train, test } = plan.split
  const counted = `${train.length} patients (${slicesOf(store, 'train').length} slices) train, ${test.length} test`
  console.log(`\n${kind}: ${counted}, ${bench.slices} slices each; ${bench.seconds} s of one thread a row`)

  const rows: Scored[] = []
  const tell = (...more: Scored[]): void => {
    rows.push(...more)
    console.error(tableOf(more))
  }
  const scored = (name: string, first: First, on = store): Promise<Scored> => scoreFirst(name, first, on, bench.slices)
  const untrained = { ...bench, seconds: 0 }
  const [table, averaged] = [trainFirst(store, 'best', untrained, ['tissueHu=0']), trainFirst(store, 'best', untrained)]
  tell(await scored('CT mapped to MR (table)', table))
  tell(await scored('CT averaged within tissue, mapped to MR', averaged))
  const [paper, best] = [trainFirst(store, 'paper', bench), trainFirst(store, 'best', bench)]
  tell(await scored(`paper (${paper.trained.images} slices seen)`, paper))
  tell(await scoreAsReference('paper, batch statistics and dropout on', paper, store, bench.slices))
  tell(await scored(`best (${best.trained.images} slices seen)`, best))
  if (parts.has('refiner')) {
    tell(...(await refinerRows('best + refiner', store, best, bench)))
    tell(...(await refinerRows('refiner from CT alone', store, averaged, bench)))
  }
  if (parts.has('contrast') && kind === 'virtual') tell(...(await contrastRows(aligned, plan, store, best)))
  if (parts.has('off') && kind === 'virtual') tell(...(await offRows(aligned, plan, store)))
  for (const first of [table, averaged, paper, best]) first.stage.dispose()
  console.log(tableOf(rows))
  await writePictures(join(output, `${kind}.png`), store, bench.slices, rows)
  console.log(`pictures: ${join(output, `${kind}.png`)} (CT, MR, then the rows above from left to right)`)
  addRatios(kind, rows)
  store.close()
}

async function storeOf(cohort: string, plan: Plan): Promise<Store> {
  const folder = join(cohort, `store-${planSha256(plan).slice(0, 12)}`)
  await buildStore(cohort, plan, folder, { report: silent })
  return openStore(folder)
}

/** Trained on CT without an agent and scored on CT with one; then the same with simulated enhancement in training. */
async function contrastRows(aligned: string, plan: Plan, store: Store, best: First): Promise<Scored[]> {
  const made = await withContrast(aligned, plan, bench.seed)
  const enhanced = await storeOf(made.cohort, made.plan)
  const used = trainFirst(store, 'best', bench, AGENT)
  const rows = [
    await scoreFirst('best, on contrast CT', best, enhanced, bench.slices),
    await scoreFirst('best with agent augmentation', used, store, bench.slices),
    await scoreFirst('best with agent augmentation, on contrast CT', used, enhanced, bench.slices),
  ]
  used.stage.dispose()
  enhanced.close()
  return rows
}

/** Trained on pairs that are left misregistered; scored on the aligned test patients. */
async function offRows(aligned: string, plan: Plan, on: Store): Promise<Scored[]> {
  const rows: Scored[] = []
  for (const mm of OFF_MM) {
    const cohort = await misregistered(aligned, plan, mm, bench.seed)
    const parts = { validation: plan.split.validation.length, test: plan.split.test.length }
    const store = await storeOf(cohort, await planOf(cohort, bench.seed, parts, plan))
    for (const preset of ['paper', 'best'] as const) {
      const first = trainFirst(store, preset, bench)
      rows.push(await scoreFirst(`${preset}, pairs ${mm} mm off`, first, on, bench.slices))
      first.stage.dispose()
    }
    store.close()
  }
  return rows
}

/** Scores as ratios where bigger is better for us, and plain differences of ms_ssim_2d by name. */
function addRatios(kind: Kind, rows: readonly Scored[]): void {
  const of = (name: string): number | undefined => {
    const row = rows.find((each) => each.name.replace(/ \(.*/, '') === name)
    return row && (summaryOf(row, 'ms_ssim_2d').mean ?? undefined)
  }
  const [table, paper, best] = [of('CT mapped to MR'), of('paper'), of('best')]
  const put = (name: string, value: number | undefined): void => {
    if (value !== undefined && Number.isFinite(value)) ratios[`${kind}: ${name}`] = Number(value.toFixed(4))
  }
  put('best / paper', best! / paper!)
  put('best / table', best! / table!)
  for (const mode of ['one step', 'single', 'mean of 8']) {
    const refined = of(`best + refiner, ${mode}`)
    if (refined !== undefined) put(`refiner ${mode} / best`, refined / best!)
  }
  const [agentPlain, agentOn, plainOn] = [
    of('best with agent augmentation'),
    of('best with agent augmentation, on contrast CT'),
    of('best, on contrast CT'),
  ]
  if (plainOn !== undefined) put('contrast drop without augmentation', best! - plainOn)
  if (agentOn !== undefined) put('contrast drop with augmentation', agentPlain! - agentOn)
  for (const mm of OFF_MM) {
    const [offPaper, offBest] = [of(`paper, pairs ${mm} mm off`), of(`best, pairs ${mm} mm off`)]
    if (offBest !== undefined) {
      put(`lost by best at ${mm} mm`, best! - offBest)
      put(`lost by paper at ${mm} mm`, paper! - offPaper!)
    }
  }
}
