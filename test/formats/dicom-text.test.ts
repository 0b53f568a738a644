/** Names in the character sets of the shared files, as pydicom reads them (see README of dicom_broken). */
import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, test } from 'vitest'
import { textOf } from '../../src/formats/dicom/attributes.ts'
import { decodeText } from '../../src/formats/dicom/charset.ts'
import { openDicomFile } from '../../src/formats/dicom/file.ts'
import { findSeries } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { sharedData } from '../shared-data.ts'
import { writeSeries } from './dicom-made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-text-'))
afterAll(() => rmSync(root, { recursive: true }))

const set = sharedData('dicom_broken')
describe.skipIf(!set)('dicom_broken/text (skipped where ../shared/data is not there)', () => {
  test.each([
    ['chrX1', 'Wang^XiaoDong=王^小東='], // the third part is there, and empty,
    ['chrX2', 'Wang^XiaoDong=王^小东='],
    ['chrH31', 'Yamada^Tarou=山田^太郎=やまだ^たろう'],
    ['chrH32', 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう'],
    ['chrI2', 'Hong^Gildong=洪^吉洞=홍^길동'],
    ['chrArab', 'قباني^لنزار'],
    ['chrFrenMulti', 'Buc^Jérôme'],
  ])('%s', async (name, expected) => {
    const file = (await openDicomFile(join(set!, 'text', `${name}.dcm`)))!
    assert.equal(textOf(file.dataSet, 'PatientName'), expected)
  })

  test('a DICOMDIR that is given itself stands for the folder that it lies in', async () => {
    const folder = writeSeries(join(root, 'disc'), 3)
    copyFileSync(join(set!, 'no_image', 'DICOMDIR'), join(folder, 'DICOMDIR'))
    const { series, passedOver } = await findSeries([join(folder, 'DICOMDIR')], silent)
    assert.equal(series[0]!.frames.length, 3)
    assert.deepEqual([...passedOver], [['DICOMDIR', 1]])
  })
})

// PS3.5 annex H.3.1: the example of a value with two escapes, byte for byte.
test('an escape holds until the next one, or until a delimiter', () => {
  const bytes = Buffer.from('Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B', 'latin1')
  assert.equal(decodeText(bytes, ['', 'ISO 2022 IR 87']), 'Yamada^Tarou=山田^太郎')
  const korean = Buffer.from('\x1b$)C\xb1\xe8^\x1b$)C\xc8\xf1', 'latin1')
  assert.equal(decodeText(korean, ['', 'ISO 2022 IR 149']), '김^희')
  const cyrillic = Buffer.from('\x1b-L\xbb^\xbb', 'latin1') // after the delimiter G1 is what it was first
  assert.equal(decodeText(cyrillic, ['ISO 2022 IR 100', 'ISO 2022 IR 144']), 'Л^»')
})

test('bytes that no set has come back as some text, not as an error', () => {
  for (const sets of [[], ['ISO_IR 192'], ['nonsense'], ['', 'ISO 2022 IR 87'], ['GB18030']])
    assert.equal(typeof decodeText(Buffer.from([0x1b, 0x24, 0x42, 0x21, 0xff, 0x1b, 0x1b]), sets), 'string')
})
