/**
 * De-identification of real series (skipped without ../shared/data): what dcmjs reads as identifying in the originals is
 * in no byte of the copies, dciodvfy finds no error that it did not find in the original, and pixels are the same bytes.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { deidentifySources } from '../../src/formats/index.ts'
import type { Deidentified } from '../../src/formats/index.ts'
import { ruleOf } from '../../src/formats/dicom/deidentify/rules.ts'
import { silent } from '../../src/progress.ts'
import { sharedData } from '../shared-data.ts'
import { rawWithDcmjs } from './second-reader.ts'
import type { RawDataSet } from './second-reader.ts'

const sources = ['dicom_series', 'dicom_rtstruct', 'head-t1-dicom'].map(sharedData).filter((path) => path !== undefined)
const available = sources.length === 3
const withoutData = test.skipIf(!available)
const installed = spawnSync('dciodvfy', ['-version']).error === undefined

let dir = ''
let done: Deidentified
let originalOf: ReadonlyMap<string, string>
let copies: string[] = []
beforeAll(async () => {
  if (!available) return
  dir = mkdtempSync(join(tmpdir(), 'larmor-deidentify-shared-'))
  const options = { cleanDescriptors: false, retainIntervals: false, keyFile: join(dir, 'key.json'), report: silent }
  done = await deidentifySources(sources, join(dir, 'out'), options)
  const mapping = JSON.parse(readFileSync(done.mapping, 'utf8')) as { uids: Record<string, string> }
  // Twins in several transfer syntaxes have one UID; the first in the order of the sources is the one that is copied.
  const paths = sources.flatMap((source) => filesBelow(source).toSorted()).toReversed()
  const byUid = new Map(paths.flatMap((path) => uidOf(path).map((uid) => [uid, path] as const)))
  copies = filesBelow(join(dir, 'out')).filter((path) => path.endsWith('.dcm'))
  originalOf = new Map(copies.map((path) => [path, byUid.get(mapping.uids[uidOf(path)[0]!]!)!]))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** The SOP instance UID, found in the bytes (explicit or implicit VR, little endian); none in a file that is no DICOM. */
function uidOf(path: string): string[] {
  const bytes = readFileSync(path)
  const at = bytes.indexOf(Buffer.from([8, 0, 0x18, 0]), 132)
  if (bytes.toString('latin1', 128, 132) !== 'DICM' || at < 0) return []
  const length =
    bytes.toString('latin1', at + 4, at + 6) === 'UI' ? bytes.readUInt16LE(at + 6) : bytes.readUInt32LE(at + 4)
  return [bytes.toString('latin1', at + 8, at + 8 + length).replace(/[\0 ]+$/, '')]
}

/** dcmjs reads no value in several character sets; what it cannot read is passed over here, and counted below. */
function readIfCan(path: string): RawDataSet | undefined {
  try {
    return rawWithDcmjs(readFileSync(path))
  } catch {
    return undefined
  }
}

/** Values that the rules do not keep, on every level, each as dcmjs reads it; and those that are kept. */
function sortValues(dataSet: RawDataSet, identifying: Set<string>, kept: Set<string>, lost = false): void {
  for (const [key, { vr, Value = [] }] of Object.entries(dataSet)) {
    const tag = parseInt(key, 16)
    const action = ruleOf(tag)?.action
    const goes = lost || action === undefined || action !== 'K'
    for (const value of Value) {
      if (vr === 'SQ') sortValues(value as RawDataSet, identifying, kept, lost || (action !== 'K' && action !== 'U'))
      else
        for (const text of textsIn(value)) (goes && !text.startsWith('1.2.840.10008.') ? identifying : kept).add(text)
    }
  }
}

/** Texts and long numbers; person names have parts. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value.trim(), ...value.split(/[\^= ]/)].filter((text) => text.length >= 6)
  if (typeof value === 'number' && String(value).length >= 9) return [String(value)]
  if (value instanceof Object && !(value instanceof ArrayBuffer)) return Object.values(value).flatMap(textsIn)
  return []
}

withoutData('no identifying value of the real originals is in any byte of the copies, whose names are new', () => {
  assert.deepEqual(done.objects, { MR: 166, CT: 18, RTSTRUCT: 7 })
  const identifying = new Set<string>()
  const kept = new Set<string>()
  const originals = [...new Set(originalOf.values())].map(readIfCan).filter((one) => one !== undefined)
  assert.ok(originals.length >= 180, `${originals.length} originals`)
  for (const original of originals) sortValues(original, identifying, kept)
  const keptText = [...kept].join('\n')
  const sought = [...identifying].filter((text) => !keptText.includes(text) && text !== 'REMOVED') // one was de-identified before
  assert.ok(sought.length > 1200, `${sought.length} values`)
  const headers = copies.map((path) => ({ path, text: headerText(path) }))
  const found: string[] = []
  const all = headers.map(({ text }) => text).join('\n')
  // New UIDs and ids are random digits, among which a short number of the original comes up by chance now and then.
  const withoutNew = all.replaceAll(/2\.25\.\d+|\bP-[0-9A-F]+/g, ' ')
  for (const value of sought) {
    const isNumber = /^[\d.]+$/.test(value) && !value.startsWith('2.25.')
    if ((isNumber ? withoutNew : all).includes(Buffer.from(value, 'utf8').toString('latin1'))) found.push(value)
  }
  assert.deepEqual(found, [])
  for (const path of copies) assert.match(path.slice(join(dir, 'out').length), /^(\/[-P\d.A-F]+)+\.dcm$/)
})

/** Everything before the pixels, and everything of an object without pixels: random pixels hold any six bytes. */
function headerText(path: string): string {
  const bytes = readFileSync(path)
  const pixels = Math.max(
    bytes.indexOf(Buffer.from([0xe0, 0x7f, 0x10, 0])),
    bytes.indexOf(Buffer.from([0x7f, 0xe0, 0, 0x10])),
  )
  return bytes.toString('latin1', 0, pixels < 0 ? bytes.length : pixels)
}

test.skipIf(!available || !installed)(
  'dciodvfy (skipped where it is not installed) finds no error in a copy that it does not find in its original',
  () => {
    const errorsOf = (path: string): string[] => {
      const { stderr } = spawnSync('dciodvfy', [path], { encoding: 'utf8' })
      return stderr.split('\n').filter((line) => line.startsWith('Error'))
    }
    const oneOfEachSeries = [...new Map(copies.map((path) => [path.split('/').slice(0, -1).join('/'), path])).values()]
    for (const copy of oneOfEachSeries) {
      const withoutUids = (line: string): string => line.replace(/<[\d.]+>/, '')
      const before = new Set(errorsOf(originalOf.get(copy)!).map(withoutUids))
      const fresh = errorsOf(copy).filter((line) => !before.has(withoutUids(line)))
      assert.deepEqual(fresh, [], originalOf.get(copy))
    }
    assert.equal(oneOfEachSeries.length, 39)
  },
)

withoutData('the pixel data leave as they came, compressed or not, but for the comments of encoders', () => {
  let compared = 0
  for (const [copy, original] of originalOf) {
    const [after, before] = [copy, original].map((path) => readIfCan(path)?.['7FE00010']?.Value)
    if (!after || !before) continue
    assert.equal(after.length, before.length)
    after.forEach((frame, n) => {
      const [a, b] = [frame, before[n]].map((one) => Buffer.from(one as ArrayBuffer))
      const changed = a!.filter((byte, at) => byte !== b![at])
      // Blanks in the place of a JPEG 2000 comment (which encoder wrote it), and a byte of padding at the end.
      assert.ok(changed.every((byte) => byte === 0x20) && changed.length < 64, original)
      assert.ok(b!.length - a!.length <= 1, original)
    })
    compared++
  }
  assert.ok(compared >= 170, `${compared} pairs`)
})
