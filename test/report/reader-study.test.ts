/** A reader study: what the page gives away (nothing), what the answers say, and what of them is refused. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readerStudyCommand } from '../../src/cli/reader-study.ts'
import { LarmorError } from '../../src/errors.ts'
import { defaultRange, readReaderKey, weightedKappa, wilson } from '../../src/evaluation/index.ts'
import type { EvaluationCase, ReaderKey } from '../../src/evaluation/index.ts'
import { silent } from '../../src/progress.ts'
import { stream } from '../../src/random.ts'
import { writeReaderStudy } from '../../src/report/index.ts'
import { identityDirection, volume } from '../../src/volume/index.ts'
import type { Grid } from '../../src/volume/index.ts'

const grid: Grid = { size: [40, 44, 12], spacingMm: [3, 2, 4], originMm: [0, 0, 0], direction: identityDirection }
const count = 40 * 44 * 12
function caseOf(id: string): EvaluationCase {
  const random = stream(3, id)
  const image = (noise: number): Float32Array =>
    Float32Array.from({ length: count }, () => 100 + noise * random.normal())
  const mask = volume(
    grid,
    Uint8Array.from({ length: count }, (_, n) => (n % 40 > 8 && n % 40 < 30 ? 1 : 0)),
  )
  const [reference, made] = [volume(grid, image(30)), volume(grid, image(10))]
  const ct = volume(
    grid,
    image(40).map((v) => v - 100),
  )
  return {
    id,
    load: async () => ({ reference, mask, ct }),
    predictions: [{ name: 'refiner-x9', load: async () => ({ volume: made }) }],
  }
}

let folder: string
let page: string
let key: ReaderKey
const make = (output: string, seed = 1) =>
  writeReaderStudy(output, [caseOf('p001'), caseOf('p002')], {
    range: defaultRange,
    seed,
    created: '2026-01-01T00:00:00.000Z',
    report: silent,
  })
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'larmor-readers-'))
  const made = await make(join(folder, 'study'))
  page = await readFile(made.page, 'utf8')
  key = await readReaderKey(made.key)
})
afterAll(() => rm(folder, { recursive: true }))

describe('the page', () => {
  test('shows twelve slices of each of two patients three times, each item once, in an order of its own', () => {
    expect(key.items).toHaveLength(2 * 12 * 3)
    expect(new Set(key.items.map(({ item }) => item)).size).toBe(72)
    const kinds = key.items.map(({ kind }) => kind)
    expect(kinds.slice(0, 24).filter((kind) => kind === 'real').length).toBeLessThan(20)
    expect(kinds).not.toEqual(kinds.toSorted())
  })
  test('says nowhere which is which: no patient, model, kind or slice beside a picture', () => {
    for (const word of ['p001', 'p002', 'refiner-x9', '"kind"', 'sliceIndex', '"ct"', 'sMRI'])
      expect(page).not.toContain(word)
    const items = JSON.parse(/const data = (.*)$/m.exec(page)![1]!).items as Record<string, unknown>[]
    expect(items).toHaveLength(72)
    for (const item of items) expect(Object.keys(item)).toEqual(['item', 'source', 'ratio'])
    expect(items.map(({ item }) => item)).toEqual(key.items.map(({ item }) => item))
  })
  test('asks for nothing from a network', () => {
    expect(page).not.toMatch(/https?:|@import|url\(|<link/)
    expect(page).toContain("default-src 'none'")
  })
  test('shows kinds of one slice in one size, and is another for another seed', async () => {
    const items = JSON.parse(/const data = (.*)$/m.exec(page)![1]!).items as { item: string; source: string }[]
    const sizeOf = (source: string): string =>
      Buffer.from(source.split(',')[1]!, 'base64').subarray(16, 25).toString('hex')
    const bySlice = Map.groupBy(key.items, ({ patient, sliceIndex }) => `${patient} ${sliceIndex}`)
    for (const own of bySlice.values())
      expect(new Set(own.map(({ item }) => sizeOf(items.find((each) => each.item === item)!.source))).size).toBe(1)
    const other = await make(join(folder, 'other'), 2)
    expect((await readReaderKey(other.key)).study).not.toBe(key.study)
  })
})

const header = 'study,reader,item,answer,conspicuity,artefact,seconds'
/** `call` and grades by item; every picture is answered. */
function csv(reader: string, of: (item: ReaderKey['items'][number], n: number) => [string, number, number]): string {
  const rows = key.items.map((item, n) => [key.study, reader, item.item, ...of(item, n), 4.5].join(','))
  return [header, ...rows].join('\n')
}
const context = { report: silent, signal: new AbortController().signal, seed: 1, threads: 1, device: 'cpu' as const }
async function analysed(...files: string[]) {
  const paths = await Promise.all(
    files.map(async (text, n) => {
      const path = join(folder, `answers-${n}.csv`)
      await writeFile(path, text)
      return path
    }),
  )
  return readerStudyCommand.run({ answers: paths, key: join(folder, 'study', 'key', 'key.json') }, context)
}
const kindOf = (error: unknown): string => (error instanceof LarmorError ? error.fault.kind : String(error))

describe('the answers', () => {
  test('of one who always knows and one who always says real: 1 and ½, and what they think of each kind', async () => {
    const knows = csv('anna', ({ kind }) => [kind === 'synthetic' ? 'synthetic' : 'real', kind === 'real' ? 5 : 3, 4])
    const naive = csv('ben', ({ kind }) => ['real', kind === 'real' ? 4 : 2, 4])
    const { json, text } = await analysed(knows, naive)
    expect(json['readers']).toMatchObject([
      { reader: 'anna', judged: 48, right: 48, accuracy: 1, sensitivity: 1, specificity: 1, secondsMedian: 4.5 },
      { reader: 'ben', accuracy: 0.5, sensitivity: 0, specificity: 1 },
    ])
    expect(json['together']).toMatchObject({ accuracy: 0.75, interval95: [0.75, 0.75] })
    const grades = json['grades'] as { kind: string; conspicuity: { mean: number } }[]
    expect(grades.map(({ kind, conspicuity }) => [kind, conspicuity.mean])).toEqual([
      ['CT', 2.5],
      ['real MR', 4.5],
      ['synthetic · refiner-x9', 2.5],
    ])
    expect(json['comparisons']).toMatchObject([
      { model: 'synthetic · refiner-x9', conspicuity: { meanDifference: -2, pValue: 0.5 }, artefact: { pValue: null } },
    ])
    // Equal grades of artefacts throughout say nothing about agreement; one who never says synthetic agrees by chance.
    expect(json['agreement']).toMatchObject([{ readers: ['anna', 'ben'], pictures: 72, answer: 0, artefact: null }])
    expect(text).toContain('24 of 48 right, 0.50')
  })
  test('that are none, of another study, twice there, or not a grade are refused, and where', async () => {
    const good = csv('anna', () => ['real', 3, 3])
    const line = good.split('\n')[1]!
    for (const [text, words] of [
      [good.replace(header, 'a,b'), 'line 1'],
      [good.replace(line, line.replace(key.study, 'ffffffff')), 'line 2'],
      [good.replace(line, line.replace(',3,3,', ',6,3,')), 'line 2'],
      [good.replace(line, line.replace(key.items[0]!.item, '00000000')), 'line 2'],
      [`${good}\n${line}`, 'line 74'],
    ] as const) {
      const error: unknown = await analysed(text).catch((thrown: unknown) => thrown)
      expect(kindOf(error)).toBe('input.badValue')
      expect((error as LarmorError).fault.where).toContain(words)
    }
  })
})

test('Wilson’s interval is SciPy’s (binomtest(40, 48).proportion_ci, method wilson)', () => {
  const [low, high] = wilson(40, 48)!
  expect([low, high].map((v) => Number(v.toFixed(6)))).toEqual([0.704222, 0.913045])
})
test('kappa with quadratic weights is NumPy’s from the table of both readers; plain for two categories', () => {
  const [a, b] = [
    [1, 2, 3, 4, 5, 3, 2, 4, 5, 5, 1, 3],
    [1, 2, 4, 4, 4, 3, 1, 5, 5, 4, 2, 3],
  ]
  expect(
    weightedKappa(
      a.map((v, n) => [v, b[n]!]),
      5,
    ),
  ).toBeCloseTo(0.8676470588235294, 12)
  const [c, d] = [
    [1, 1, 2, 2, 1, 2, 1, 1],
    [1, 2, 2, 2, 1, 1, 1, 1],
  ]
  expect(
    weightedKappa(
      c.map((v, n) => [v, d[n]!]),
      2,
    ),
  ).toBeCloseTo(0.4666666666666667, 12)
  expect(weightedKappa([], 5)).toBeNull()
})
