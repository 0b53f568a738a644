/** The import rules: what they can say, what becomes of mistakes, and that the rule a refusal names settles it. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { importSources, openCohort } from '../../src/cohort/index.ts'
import type { ImportResult } from '../../src/cohort/index.ts'
import { fits } from '../../src/cohort/roles.ts'
import { readRules } from '../../src/cohort/rules.ts'
import type { Conditions } from '../../src/cohort/rules.ts'
import type { DicomSeries } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { writeSeries } from '../formats/dicom-made.ts'
import type { MadeElement } from '../formats/dicom-made.ts'
import { faultOf } from '../formats/made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-rules-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0
const folder = (): string => join(root, `f${++folders}`)
const run = (source: string, cohort: string, rules?: string): Promise<ImportResult> =>
  importSources([source], cohort, { report: silent, rules })
function rulesFile(text: string): string {
  const path = join(root, `rules-${++folders}.yaml`)
  writeFileSync(path, `schema: larmor/import-rules@1\n${text}`)
  return path
}

const other = { modality: 'MR', frameOfReferenceUid: '1.1' }
const series = {
  modality: 'CT',
  description: 'Hals nativ',
  frameOfReferenceUid: '1.1',
  plane: 'axial',
  imageType: ['ORIGINAL', 'PRIMARY'],
  part: 'echo 4.6',
  seriesNumber: '7',
  seriesUid: '1.2.3',
  frames: [1, 2, 3],
  acquisition: {
    protocolName: 'HN Planung',
    contrastAgent: 'Imeron',
    scanningSequence: ['SE', 'IR'],
    scanOptions: ['FS'],
    kernel: 'Br40f',
    sliceThicknessMm: 2,
    repetitionTimeMs: 600,
    echoTimeMs: undefined,
  },
} as unknown as DicomSeries
const beside = { series: [series, other as unknown as DicomSeries], drawnOn: new Set([series]) }
type Said = Required<Omit<Conditions, 'because'>>

// What holds for the series above beside what does not. A word of the schema without a line here does not compile.
const WORDS: { [Key in keyof Said]: [yes: Conditions[Key], no: Conditions[Key]] } = {
  modality: ['CT', 'MR'],
  words: [/planung/i, /^planung/i],
  notWords: [/bone/i, /nativ/i],
  contrast: [true, false],
  orientation: ['axial', 'coronal'],
  frameOfReference: ['1.1', '1.2'],
  sharesFrameWith: ['MR', 'CT'],
  structures: [true, false],
  imageType: ['PRIMARY', 'DERIVED'],
  scanningSequence: ['IR', 'GR'],
  scanOptions: ['FS', 'PFP'],
  kernel: [/^Br/, /^Hr/],
  part: [/echo/, /b-value/],
  seriesNumber: ['7', '07'],
  seriesUid: ['1.2.3', '1.2.3.4'],
  images: [{ min: 3 }, { min: 4 }],
  sliceThicknessMm: [{ min: 1, max: 2 }, { max: 1.9 }],
  repetitionTimeMs: [{ max: 600 }, { min: 601 }],
  echoTimeMs: [undefined, { min: 0 }],
}
test.each(Object.entries(WORDS))('%s alone decides whether a rule fits', (word, [yes, no]) => {
  assert.equal(fits({ [word]: yes }, series, beside), true)
  assert.equal(fits({ [word]: no }, series, beside), false)
  assert.equal(fits({ modality: 'CT', [word]: no }, series, beside), false, 'all that is said must hold')
})

test('docs/import.md explains every word that a rule can say', () => {
  const docs = readFileSync(new URL('../../docs/import.md', import.meta.url), 'utf8')
  for (const word of Object.keys(WORDS)) assert.ok(docs.includes(`\`${word}\``), word)
})

test('each mistake is named by line and column, all of them at once', async () => {
  const mistakes = async (text: string): Promise<string> => {
    const fault = await faultOf(readRules(rulesFile(text)))
    assert.equal(fault.kind, 'config.refused')
    return fault.found
  }
  const two = await mistakes("rules:\n  - role: ct\n    wrods: x\n  - { role: mri, words: '(' }\n")
  assert.match(two, /^4:12 rules\.0\.wrods: /)
  assert.match(two, /5:13 rules\.1\.role: none, ct, ct_contrast or mr_/)
  assert.match(two, /5:25 rules\.1\.words: .*Invalid regular expression/)
  assert.match(await mistakes('rules:\n  - { role: ct\n'), /^4:1 /)
  assert.match(await mistakes('rules: []\nrules: []\n'), /^3:1 .*unique/)
  assert.match(await mistakes("rules: [{ role: 'mr_t1{late}' }]"), /\{late\}/)
  assert.match(await mistakes('rules: [{ role: ct, images: { min: 5, max: 2 } }]'), /2:\d+ rules\.0\.images: min/)
  assert.equal((await faultOf(readRules(join(root, 'nowhere.yaml')))).kind, 'input.notFound')
  const bomb = [
    'a: &a [x]',
    ...'bcdefgh'.split('').map((name, n) => `${name}: &${name} [${`*${'abcdefg'[n]},`.repeat(9)}]`),
  ]
  assert.match((await faultOf(readRules(rulesFile(bomb.join('\n'))))).kind, /config\.refused/)
})

const changed = (...elements: MadeElement[]): Record<number, MadeElement> =>
  Object.fromEntries(elements.map((element) => [element[0], element]))
/** Two CTs of one patient in one study, told apart by the elements given. */
function twoCts(first: MadeElement[], second: MadeElement[]): string {
  const source = folder()
  writeSeries(join(source, 'a'), 4, () => ({ series: '1.8.1', change: changed(...first) }))
  writeSeries(join(source, 'b'), 4, () => ({ series: '1.8.2', change: changed(...second) }))
  return source
}
async function chosenSeries(cohort: string, role = 'ct'): Promise<string> {
  const image = (await openCohort(cohort)).patients[0]!.images.find((one) => one.role === role)!
  const { source } = JSON.parse(readFileSync(join(cohort, image.sidecar), 'utf8')) as { source: { seriesUid: string } }
  return source.seriesUid
}

const described = (text: string): MadeElement => [0x0008103e, 'LO', text]
test.each<[what: string, a: MadeElement[], b: MadeElement[]]>([
  ['descriptions that YAML and patterns find special', [described("H31s 'bone' (1.0)")], [described('H31s: [soft]?')]],
  ['one description that begins as the other', [described('Neck')], [described('Neck 2')]],
  ['series numbers', [described('Neck')], [described('Neck'), [0x00200011, 'IS', '8']]],
  ['nothing but their UIDs', [], []],
])('the line that a refusal names settles it: %s', async (_, a, b) => {
  const [source, cohort] = [twoCts(a, b), folder()]
  const [refused] = (await run(source, cohort)).cases
  assert.equal(refused!.status, 'refused')
  const fix = refused!.refused[0]!.fix
  const [first, second] = [
    /the line {2}(rules: \[.*?\}\]) {2}and/.exec(fix)![1]!,
    /it is (\{.*?\})\. More/.exec(fix)![1]!,
  ]
  assert.equal((await run(source, cohort, rulesFile(`rules: [${second}]`))).cases[0]!.status, 'new')
  assert.equal(await chosenSeries(cohort), '1.8.2')
  const again = folder()
  const { cases } = await run(source, again, rulesFile(first))
  assert.equal(await chosenSeries(again), '1.8.1')
  assert.match(cases[0]!.leftOut.join(), /goes before it \(rule 1 of /)
})

test('a rule can send a series to another role, leave one out, or name an MR in the frame of the CT', async () => {
  const [source, cohort] = [twoCts([described('nativ')], [described('arteriell')]), folder()]
  const mr = (name: string, uid: string, frame: string): string =>
    writeSeries(join(source, name), 3, () => ({
      series: uid,
      modality: 'MR',
      change: changed(described('T1'), [0x00200052, 'UI', frame]),
    }))
  mr('c', '1.8.3', '4.5.6') // as the CTs of these tests
  mr('d', '1.8.4', '7.7.7')
  const rules = rulesFile(`rules:
  - { role: ct_contrast, words: arteriell, because: the phase is named }
  - { role: mr_t1sim, modality: MR, sharesFrameWith: CT }
  - { role: none, seriesNumber: 12 }`)
  const [one] = (await run(source, cohort, rules)).cases
  assert.deepEqual(
    one!.images.map(({ role, why }) => [role, why.replace(/of .*/, '')]),
    [
      ['ct', 'CT, no contrast agent'],
      ['ct_contrast', 'the phase is named'],
      ['mr_t1', 'MR, its description says T1'],
      ['mr_t1sim', 'rule 2 '],
    ],
  )
})

test('between a rule for words and one for weighting of our own there is no order: two T1 are refused', async () => {
  const [source, cohort] = [folder(), folder()]
  const mr = (name: string, uid: string, ...elements: MadeElement[]): string =>
    writeSeries(join(source, name), 3, () => ({ series: uid, modality: 'MR', change: changed(...elements) }))
  mr('a', '1.8.1', described('T1 tse'))
  mr('b', '1.8.2', described('Hals'), [0x00180020, 'CS', 'SE'], [0x00180080, 'DS', '500'], [0x00180081, 'DS', '10'])
  writeSeries(join(source, 'ct'), 4, () => ({ series: '1.8.3' }))
  const [one] = (await run(source, cohort)).cases
  assert.deepEqual(
    [one!.status, one!.images.map(({ role }) => role), one!.refused.map(({ kind }) => kind)],
    ['new', ['ct'], ['input.severalSeries']],
  )
})

test('a mark of a person is added to the name where it fits, and replaces ours of that name', async () => {
  const source = folder()
  const mr = (name: string, uid: string, text: string): string =>
    writeSeries(join(source, name), 3, () => ({ series: uid, modality: 'MR', change: changed(described(text)) }))
  writeSeries(join(source, 'ct'), 4, () => ({ series: '1.8.3' }))
  mr('a', '1.8.1', 'T1 late gd')
  mr('b', '1.8.2', 'T1 gd')
  const rules = rulesFile(`rules: [{ role: 'mr_t1{late}{gd}', words: t1 }]
marks: { late: [{ words: late }], gd: [{ words: nothing like this }] }`)
  const roles = async (given?: string) =>
    (await run(source, folder(), given)).cases.flatMap(({ images }) => images.map(({ role }) => role))
  assert.deepEqual(await roles(rules), ['ct', 'mr_t1', 'mr_t1late'])
  assert.deepEqual(await roles(), ['ct'], 'ours gives both mr_t1gd, so both are refused')
})
