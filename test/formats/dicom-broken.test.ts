/**
 * The broken, odd and nasty files of ../shared/data/dicom_broken: each is refused with its kind and what was found, or is
 * passed over as what it is. None is a volume: all are single images or no images.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import type { FaultKind } from '../../src/errors.ts'
import { openDicomFile } from '../../src/formats/dicom/file.ts'
import { readImage } from '../../src/formats/index.ts'
import { sharedData } from '../shared-data.ts'
import { faultOf } from './made.ts'

/** input.empty is a file that was read and is no CT or MR image: what was found says what it is. */
const TABLE: Record<string, [kind: FaultKind, found: string]> = {
  'truncated/MR_truncated.dcm': ['input.truncated', '8130 bytes left for it'],
  'truncated/rtplan_truncated.dcm': ['input.truncated', '711 bytes left for it'],
  'truncated/3gb-bulk-data-truncated': ['input.truncated', '98080 bytes left for it'],
  'truncated/emri_small_jpeg_2k_lossless_too_short.dcm': ['input.corrupt', '0 functional groups'],
  'meta/no_meta.dcm': ['input.notDicom', 'no DICM at byte 128'],
  'meta/ExplVR_LitEndNoMeta.dcm': ['input.notDicom', 'no DICM at byte 128'],
  'meta/ExplVR_BigEndNoMeta.dcm': ['input.notDicom', 'no DICM at byte 128'],
  'meta/no_meta_group_length.dcm': ['input.empty', '1 DICOM without modality'],
  'meta/meta_missing_tsyntax.dcm': ['input.missingAttribute', 'no TransferSyntaxUID (0002,0010)'],
  'meta/empty_charset_LEI.dcm': ['input.empty', '1 DICOM without modality'],
  'vr_and_sequences/badVR.dcm': ['input.empty', '1 RTDOSE'],
  'vr_and_sequences/UN_sequence.dcm': ['input.empty', '1 DICOM without modality'],
  'vr_and_sequences/nested_priv_SQ.dcm': ['input.empty', '1 DICOM without modality'],
  'vr_and_sequences/priv_SQ.dcm': ['input.empty', '1 DICOM without modality'],
  'vr_and_sequences/JPEG2000-embedded-sequence-delimiter.dcm': ['input.empty', '1 NM'],
  'vr_and_sequences/GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm': ['geometry.missingSlice', '1 slice'],
  'no_image/no-pixel-data.dcm': ['input.empty', '1 SR'],
  'no_image/GH1146.dcm': ['input.truncated', '0 bytes'],
  'no_image/test-SR.dcm': ['input.empty', '1 SR'],
  'no_image/rtdose_1frame.dcm': ['input.empty', '1 RTDOSE'],
  'no_image/DICOMDIR': ['input.truncated', '0 bytes'],
  'no_image/DICOMDIR-nooffset': ['input.truncated', '0 bytes'],
  'image_traps/2026-05-26-oob-monochrome-46341.dcm': ['input.empty', '1 OT'],
  'image_traps/1403-OB.dcm': ['input.empty', '1 OT'],
  'image_traps/dwv-test_no-number-rows.dcm': ['input.empty', '1 MR secondary capture or other object'],
  'image_traps/no-pixel-spacing.dcm': ['input.empty', '1 US'],
  'image_traps/2020-09-12-ELSCINT1-PMSCT_RLE1.dcm': ['input.missingAttribute', 'no PixelData (7fe0,0010)'],
  'image_traps/SC_rgb_small_odd.dcm': ['input.empty', '1 OT'],
  'image_traps/liver_1frame.dcm': ['input.empty', '1 SEG'],
  'text/chrX2.dcm': ['input.empty', '1 OT'],
  'text/chrX1.dcm': ['input.empty', '1 OT'],
  'text/chrH31.dcm': ['input.empty', '1 OT'],
  'text/chrH32.dcm': ['input.empty', '1 OT'],
  'text/chrI2.dcm': ['input.empty', '1 OT'],
  'text/chrArab.dcm': ['input.empty', '1 OT'],
  'text/chrSQEncoding.dcm': ['input.empty', '1 DICOM without modality'],
  'text/chrFrenMulti.dcm': ['input.empty', '1 OT'],
}

const set = sharedData('dicom_broken')
type Broken = { files: Record<string, { right_reader: { action: string } }> }
const files = set ? (JSON.parse(readFileSync(join(set, 'expected.json'), 'utf8')) as Broken).files : {}

describe.skipIf(!set)('dicom_broken (skipped where ../shared/data is not there)', () => {
  test('every file is in the table, but for the mutants', () => {
    const named = Object.keys(files).filter((name) => !name.startsWith('fuzz_made_here/'))
    assert.deepEqual(Object.keys(TABLE).toSorted(), named.toSorted())
  })

  test.each(Object.entries(files))('%s', async (name, { right_reader }) => {
    const path = join(set!, name)
    const started = performance.now()
    const opened = await openDicomFile(path).catch((error: unknown) => {
      if (error instanceof LarmorError) return error
      throw error
    })
    if (right_reader.action === 'read') assert.ok(opened && !(opened instanceof LarmorError), 'the data set is parsed')
    const fault = await faultOf(readImage(path))
    assert.match(fault.kind, /^(input|geometry)\./)
    const [kind, found] = TABLE[name] ?? [fault.kind, '']
    assert.equal(fault.kind, kind)
    assert.ok(fault.found.includes(found), fault.found)
    assert.ok(performance.now() - started < 2000)
  })
})
