/** What import --deidentify writes: no original value in any byte, and UIDs that follow from the key alone. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, test } from 'vitest'
import { importSources } from '../../src/cohort/index.ts'
import type { Sidecar } from '../../src/cohort/sidecar.ts'
import { LarmorError } from '../../src/errors.ts'
import { openSecret, uidFor } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { writeSeries } from '../formats/dicom-made.ts'
import type { MadeElement } from '../formats/dicom-made.ts'
import { rectangle, writeStructureSet } from './made-structure-set.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-deidentified-'))
afterAll(() => rmSync(root, { recursive: true }))

// Every text that a hospital writes into a header and that could lead to a person, each with a mark of its own.
const MARKED: MadeElement[] = [
  [0x00080020, 'DA', '19991231'],
  [0x00080030, 'TM', '235958.125000'],
  [0x00080050, 'SH', 'MARKACC'],
  [0x00080080, 'LO', 'MARKHOSPITAL'],
  [0x00080090, 'PN', 'MARKREFERRER'],
  [0x00081010, 'SH', 'MARKSTATION'],
  [0x00081030, 'LO', 'MARKSTUDY'],
  [0x0008103e, 'LO', 'T1 MARKSERIES'],
  [0x00081070, 'PN', 'MARKOPERATOR'],
  [0x00100030, 'DA', '19420101'],
  [0x00104000, 'LT', 'MARKCOMMENT'],
  [0x00180010, 'LO', 'Gadovist MARKAGENT'],
  [0x00180024, 'SH', 'MARKSEQUENCE'],
  [0x00181000, 'LO', 'MARKSERIAL'],
  [0x00181030, 'LO', 'MARKPROTOCOL'],
  [0x00200010, 'SH', 'MARKSTUDYID'],
]
const change = Object.fromEntries(MARKED.map((element) => [element[0], element]))
const source = join(root, 'source')
writeSeries(join(source, 'ct'), 4, () => ({ patient: 'MARKNAME^Jane', series: '1.77.1', change }))
writeSeries(join(source, 'mr'), 3, () => ({ patient: 'MARKNAME^Jane', series: '1.77.2', modality: 'MR', change }))
writeStructureSet(source, {
  patient: 'MARKNAME^Jane',
  uid: '1.77.3',
  series: '1.77.1',
  regions: [{ name: 'MARKREGION left', contours: [rectangle(32.5, -9.7, -19.5, -8.8, -19)] }],
})
const imported = async (cohort: string, options = {}) =>
  (await importSources([source], cohort, { report: silent, deidentify: true, ...options })).cases

function bytesUnder(folder: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const contents = files.map(({ parentPath, name }) => {
    const bytes = readFileSync(join(parentPath, name))
    return name + (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('latin1')
  })
  return contents.join('\n')
}
const sidecar = (cohort: string, role: string): Extract<Sidecar['source'], { kind: 'dicom' }> =>
  (JSON.parse(readFileSync(join(cohort, 'patients', 'p001', `${role}.json`), 'utf8')) as never as { source: never })
    .source

test('no original identifier, text, date or UID is in any byte of the cohort', async () => {
  const cohort = join(root, 'cohort')
  const [one] = await imported(cohort)
  assert.deepEqual([one!.images.map(({ role }) => role), one!.structures], [['ct_contrast', 'mr_t1gd'], ['structure']])
  const bytes = bytesUnder(cohort)
  for (const original of ['MARK', '19991231', '235958.125', '19420101', '1.77.', '"9.8.13"', '"4.5.6"', 'ID-13'])
    assert.ok(!bytes.includes(original), original)
  assert.equal(sidecar(cohort, 'mr_t1gd').contrastAgent, 'named')
})

test('UIDs follow from the key beside the cohort: by it CT, MR and other exports still belong together', async () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => join(root, name))
  await imported(a!)
  await imported(b!)
  await imported(c!, { key: `${a!}.key.json` })
  const [ct, mr] = [sidecar(a!, 'ct_contrast'), sidecar(a!, 'mr_t1gd')]
  assert.equal(ct.frameOfReferenceUid, mr.frameOfReferenceUid)
  assert.notEqual(ct.seriesUid, mr.seriesUid)
  assert.equal(ct.seriesUid, uidFor(await openSecret(`${a!}.key.json`), '1.77.1'), 'as larmor deidentify makes it')
  assert.notEqual(sidecar(b!, 'ct_contrast').seriesUid, ct.seriesUid, 'another key, other UIDs')
  assert.deepEqual(sidecar(c!, 'ct_contrast'), ct)
  assert.ok(!bytesUnder(a!).includes((JSON.parse(readFileSync(`${a!}.key.json`, 'utf8')) as { key: string }).key))
})

test('with the key the patient is known again, with and without deidentify; a dry run makes no key', async () => {
  const cohort = join(root, 'again')
  assert.equal((await imported(cohort, { dryRun: true }))[0]!.status, 'planned')
  assert.deepEqual([existsSync(cohort), existsSync(`${cohort}.key.json`)], [false, false])
  await imported(cohort)
  assert.equal((await imported(cohort))[0]!.status, 'known')
  assert.equal((await imported(cohort, { deidentify: false }))[0]!.status, 'known')
})

test('new images without deidentify are refused, so that no original UID lies beside what stands for it', async () => {
  const cohort = join(root, 'forgotten')
  await importSources([join(source, 'ct')], cohort, { report: silent, deidentify: true })
  const before = bytesUnder(cohort)
  await assert.rejects(imported(cohort, { deidentify: false }), (error: unknown) => {
    assert.ok(error instanceof LarmorError)
    assert.equal(error.fault.kind, 'usage.wrong')
    assert.match(error.fault.fix, /--deidentify/)
    return true
  })
  assert.equal(bytesUnder(cohort), before)
  assert.equal((await imported(cohort))[0]!.status, 'added')
})

test('two runs at once that both need a key make one, and nothing else stays beside it', async () => {
  const keys = await Promise.all(Array.from({ length: 12 }, () => openSecret(join(root, 'race', 'k.json'))))
  assert.equal(new Set(keys.map((secret) => uidFor(secret, '1.2.3'))).size, 1)
  assert.deepEqual(readdirSync(join(root, 'race')), ['k.json'])
})
