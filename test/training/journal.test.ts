import assert from 'node:assert/strict'
import { appendFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { sha256 } from '../../src/files.ts'
import { crc32c } from '../../src/training/event-file.ts'
import { trimJournal, writeLine, type MetricsLine } from '../../src/training/journal.ts'
import { freshState } from '../../src/training/loop.ts'
import { temporaryFolder } from '../plan/small-cohort.ts'
import { hasPython, readEvents } from './read-events.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(() => folder[Symbol.asyncDispose]())

const step = (n: number): MetricsLine => ({
  at: 'step',
  step: n,
  losses: { l1: 1 / n },
  watched: { gradientNorm: n },
  learningRate: 1e-3,
  imagesPerSecond: 5,
  memoryBytes: 2 ** 30,
  elapsedSeconds: n,
})
const validation = (n: number): MetricsLine => ({ at: 'validation', step: n, scores: { mae: 0.25 }, elapsedSeconds: n })
const score = { by: 'mae', value: 0.25, others: {} } as const
const picture = { png: Uint8Array.of(1, 2, 3), width: 3, height: 200, channels: 1 } as const

// RFC 3720, appendix B.4; the last is the check value of the catalogue of CRCs.
test('CRC-32C of the published examples', () => {
  const rising = Uint8Array.from({ length: 32 }, (_, n) => n)
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa)
  assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43)
  assert.equal(crc32c(rising), 0x46dd794e)
  assert.equal(crc32c(rising.toReversed()), 0x113fdb5c)
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
})

async function written(name: string): Promise<string> {
  const dir = join(folder.dir, name)
  await mkdir(join(dir, 'samples'), { recursive: true })
  writeLine(dir, validation(0), { samples: picture })
  for (const n of [100, 200, 300]) writeLine(dir, step(n))
  writeLine(dir, validation(300), { samples: picture })
  for (const n of ['00000000', '00000300']) await writeFile(join(dir, 'samples', `step-${n}.png`), picture.png)
  return dir
}
const stepsIn = async (dir: string) =>
  (await readFile(join(dir, 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as MetricsLine).step)

test.skipIf(!hasPython)(
  'an independent reader finds version, steps, scalars and pictures in the event file',
  async () => {
    const [read] = readEvents(join(await written('read'), 'events.out.tfevents.larmor'))
    const [version, first, second, ...others] = read!
    assert.equal(version!.version, 'brain.Event:2')
    assert.ok(Math.abs(version!.wall - Date.now() / 1000) < 60)
    assert.deepEqual(first!.scalars, { 'validation/mae': 0.25 })
    const image = { height: 200, width: 3, channels: 1, sha256: sha256(picture.png) }
    assert.deepEqual(first!.images, { 'validation/samples': image })
    assert.deepEqual([first!.step, second!.step, others.map((event) => event.step)], [0, 100, [200, 300, 300]])
    const { 'run/learningRate': rate, 'loss/l1': loss, ...rest } = second!.scalars
    assert.deepEqual([rate, loss], [Math.fround(1e-3), Math.fround(0.01)])
    assert.deepEqual(rest, { 'watched/gradientNorm': 100, 'run/imagesPerSecond': 5, 'run/memoryBytes': 2 ** 30 })
  },
)

test.skipIf(!hasPython)(
  'going on from a checkpoint cuts off what came after it; its own validation stays only if it is in it',
  async () => {
    const cases = [
      { at: { ...freshState, step: 200 }, steps: [0, 100, 200], pictures: 1 },
      { at: { ...freshState, step: 250 }, steps: [0, 100, 200], pictures: 1 },
      { at: { ...freshState, step: 300 }, steps: [0, 100, 200, 300], pictures: 1 },
      { at: { ...freshState, step: 300, score }, steps: [0, 100, 200, 300, 300], pictures: 2 },
      { at: freshState, steps: [], pictures: 0 },
    ]
    for (const [n, { at, steps, pictures }] of cases.entries()) {
      const dir = await written(`trim-${n}`)
      await trimJournal(dir, at)
      if (steps.length > 0) assert.deepEqual(await stepsIn(dir), steps)
      assert.equal((await readdir(join(dir, 'samples'))).length, pictures)
      writeLine(dir, step(400))
    }
    const read = readEvents(...cases.map((_, n) => join(folder.dir, `trim-${n}`, 'events.out.tfevents.larmor')))
    for (const [n, { steps }] of cases.entries())
      assert.deepEqual(
        read[n]!.slice(1).map((event) => event.step),
        [...steps, 400],
      )
  },
)

test('a line and a record that a kill cut in two, or a bit that turned, are cut off, too', async () => {
  const dir = await written('cut')
  const [metrics, events] = [join(dir, 'metrics.jsonl'), join(dir, 'events.out.tfevents.larmor')]
  const whole = await readFile(events)
  const at = { ...freshState, step: 300, score }
  const lengthAfter = async (damaged: Uint8Array): Promise<number> => {
    await writeFile(events, damaged)
    await trimJournal(dir, at)
    return (await stat(events)).size
  }
  assert.equal(await lengthAfter(whole), whole.length)
  const turned = Buffer.from(whole)
  turned[whole.length - 20]! ^= 4
  const withoutLast = await lengthAfter(turned)
  assert.ok(withoutLast < whole.length - 30)
  for (const bytes of [1, 11, 30]) assert.equal(await lengthAfter(whole.subarray(0, whole.length - bytes)), withoutLast)
  await appendFile(metrics, '{"at":"step","st')
  await trimJournal(dir, at)
  assert.deepEqual(await stepsIn(dir), [0, 100, 200, 300, 300])
})
