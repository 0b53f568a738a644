/** The copy of a structure set for the synthetic MR: other references, the same contours. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, describe, test } from 'vitest'
import {
  findSeries,
  imageOf,
  newUid,
  rasterise,
  readDicomVolume,
  readStructureSet,
  writeEnhancedMr,
  writeStructureSetCopy,
  writeSyntheticMr,
} from '../../src/formats/index.ts'
import type { DicomSeries, StructureSet, WrittenSeries } from '../../src/formats/index.ts'
import { LarmorError } from '../../src/errors.ts'
import { silent } from '../../src/progress.ts'
import { sharedData } from '../shared-data.ts'
import { installed } from './made.ts'
import { readWithDcmjs } from './second-reader.ts'
import { ctOn, ctSeries, errorsOf, madeOf, structuresOn, turned } from './synthetic-made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-structures-'))
afterAll(() => rmSync(root, { recursive: true }))
let copies = 0

/** A CT, a set drawn on it, its synthetic MR (one frame a slice with `enhanced`), and the copy for that. */
async function copied(source: DicomSeries, setPath: string, enhanced = false) {
  const folder = join(root, `${++copies}`)
  const [file] = (await findSeries([setPath], silent)).structureSets
  const made = await madeOf(source)
  const series: WrittenSeries = enhanced
    ? await writeEnhancedMr(join(folder, 'smri.dcm'), made)
    : await writeSyntheticMr(join(folder, 'smri'), made)
  const path = join(folder, 'rtstruct.dcm')
  const written = await writeStructureSetCopy(path, {
    file: file!,
    source,
    made: series,
    seenOn: 'sMRI SYNTHETIC t1',
    createdAt: new Date(),
  })
  const found = await findSeries([folder], silent)
  return { path, written, original: readStructureSet(file!), copy: readStructureSet(found.structureSets[0]!), found }
}

async function phantom(name: string) {
  const source = await ctSeries(join(root, name), ctOn(turned))
  return { source, set: await structuresOn(join(root, `${name}.dcm`), source) }
}

/** Each region of both sets on its own image: the same voxels, or refused for the same reason. */
async function assertSameMasks(original: StructureSet, ct: DicomSeries, copy: StructureSet, smri: DicomSeries) {
  const grids = [(await readDicomVolume(ct)).grid, (await readDicomVolume(smri)).grid] as const
  let voxels = 0
  for (const [n, roi] of original.rois.entries()) {
    const masks = (
      [
        [roi, grids[0]],
        [copy.rois[n]!, grids[1]],
      ] as const
    ).map(([one, grid]) => {
      try {
        return rasterise(one, grid, 'here').mask.values
      } catch (error) {
        if (error instanceof LarmorError) return error.fault.kind
        throw error
      }
    })
    assert.deepEqual(masks[1], masks[0], roi.name)
    if (typeof masks[0] !== 'string') voxels += masks[0]!.reduce((sum, value) => sum + value, 0)
  }
  assert.ok(voxels > 0)
}

test.each([false, true])(
  'the copy belongs to the synthetic MR, and fills the same voxels of it (enhanced: %s)',
  async (enhanced) => {
    const { source, set } = await phantom(`phantom-${enhanced}`)
    const { copy, original, found } = await copied(source, set, enhanced)
    const smri = imageOf(copy, [source, ...found.series])
    assert.equal(smri, found.series[0])
    await assertSameMasks(original, source, copy, smri)
  },
)

test('an independent reader finds new references, the same contours and frame of reference, and that it is a copy', async () => {
  const { source, set } = await phantom('read')
  const { path, written, found } = await copied(source, set)
  const [before, after] = [readWithDcmjs(readFileSync(set)), readWithDcmjs(readFileSync(path))]
  const same = ['PatientID', 'StudyInstanceUID', 'StudyDate', 'StructureSetROISequence', 'RTROIObservationsSequence']
  for (const name of [...same, 'FrameOfReferenceUID']) assert.deepEqual(after[name], before[name], name)
  assert.notEqual(after['SeriesInstanceUID'], before['SeriesInstanceUID'])
  assert.equal(after['SOPInstanceUID'], written.sopInstanceUid)
  assert.equal(after['StructureSetLabel'], 'RTstruct copy')
  assert.equal(after['SeriesDescription'], 'Copy of RTSTRUCT for sMRI SYNTHETIC t1')
  assert.deepEqual([before['ApprovalStatus'], after['ApprovalStatus']], ['APPROVED', 'UNAPPROVED'])
  const [predecessor] = after['PredecessorStructureSetSequence'] as Item[]
  assert.equal(predecessor!['ReferencedSOPInstanceUID'], before['SOPInstanceUID'])

  const instances = new Set(
    found.series[0]!.files.map(({ path }) => readWithDcmjs(readFileSync(path))['SOPInstanceUID']),
  )
  const referenced = imagesIn(after)
  assert.deepEqual(new Set(referenced.map((image) => image['ReferencedSOPInstanceUID'])), instances)
  assert.deepEqual(
    new Set(referenced.map((image) => image['ReferencedSOPClassUID'])),
    new Set(['1.2.840.10008.5.1.4.1.1.4']),
  )
  const data = (read: Item) => contoursIn(read).map((contour) => contour['ContourData'])
  assert.deepEqual(data(after), data(before))
  // Each contour references the slice at its own place: slice k of both series lies in the plane of contour k.
  const placeOf = (k: number) => newUid(found.series[0]!.seriesUid, 'slice', k)
  const [ring] = (after['ROIContourSequence'] as Item[])[1]!['ContourSequence'] as Item[]
  assert.equal((ring!['ContourImageSequence'] as Item[])[0]!['ReferencedSOPInstanceUID'], placeOf(0))
})

type Item = Record<string, unknown>
const contoursIn = (read: Item): Item[] =>
  (read['ROIContourSequence'] as Item[]).flatMap((roi) => (roi['ContourSequence'] ?? []) as Item[])
/** Of the contours and of the referenced series. */
function imagesIn(read: Item): Item[] {
  const series = (read['ReferencedFrameOfReferenceSequence'] as Item[])
    .flatMap((frame) => frame['RTReferencedStudySequence'] as Item[])
    .flatMap((study) => study['RTReferencedSeriesSequence'] as Item[])
  return [...series, ...contoursIn(read)].flatMap((item) => (item['ContourImageSequence'] ?? []) as Item[])
}

test.skipIf(!installed('dcmconv'))(
  'in every transfer syntax (made by dcmconv; skipped where it is not installed) the contours keep their bytes',
  async () => {
    const { source, set } = await phantom('syntaxes')
    for (const [option, syntax] of [
      ['+ti', '1.2.840.10008.1.2\0'],
      ['+tb', '1.2.840.10008.1.2.2\0'],
      ['+td', '1.2.840.10008.1.2.1.99'],
    ] as const) {
      for (const lengths of ['+e', '-e']) {
        const converted = join(root, `set${option}${lengths}.dcm`)
        execFileSync('dcmconv', [option, lengths, set, converted])
        const { path, copy, original, found } = await copied(source, converted)
        assert.ok(readFileSync(path).includes(Buffer.from(syntax, 'latin1')), option)
        const dump = (file: string): string =>
          execFileSync('dcmdump', ['+P', '3006,0050', '+L', file], { encoding: 'utf8' })
        assert.ok(dump(converted).length > 100)
        assert.equal(dump(path), dump(converted), option)
        await assertSameMasks(original, source, copy, found.series[0]!)
      }
    }
  },
)

test('a set that names no series gets the synthetic MR’s, and keeps references to other images as they are', async () => {
  const { source } = await phantom('other')
  const other = await ctSeries(join(root, 'another'), ctOn(turned))
  // Drawn on another series in the frame of reference of ours: that reference stays, ours is added.
  const set = await structuresOn(join(root, 'foreign.dcm'), {
    ...other,
    frameOfReferenceUid: source.frameOfReferenceUid,
  })
  const { copy, written, found } = await copied(source, set)
  assert.equal(written.unmatched, copy.rois.flatMap(({ contours }) => contours).length)
  assert.deepEqual(copy.referencedSeriesUids, [other.seriesUid, found.series[0]!.seriesUid])
  assert.deepEqual(copy.frameOfReferenceUids, [source.frameOfReferenceUid])
})

test('a label that cannot be cut safely gives way to one that can, and a long one stays within 16 characters', async () => {
  const { source } = await phantom('labels')
  for (const [label, expected] of [
    ['輪郭', 'sMRI copy'],
    ['0123456789ABCDEF', '0123456789A copy'],
  ] as const) {
    const set = await structuresOn(join(root, `${expected}.dcm`), source, label)
    assert.equal((await copied(source, set)).copy.label, expected)
  }
})

const shared = sharedData('dicom_rtstruct')
const SETS = [
  'rs_keyhole',
  'rs_nested_and_islands',
  'rs_hole_as_second_contour',
  'rs_edge_cases',
  'rs_plastimatch_threshold',
]

describe.skipIf(!shared)('dicom_rtstruct on its real CT (skipped where ../shared/data is not there)', () => {
  test.each(SETS.map((name) => join(shared ?? '', 'made_on_ct_philips', `${name}.dcm`)))('%s', async (set) => {
    const ct = await findSeries([join(sharedData('dicom_series')!, 'ct_philips_axial_with_scout')], silent)
    const source = ct.series.find(({ files }) => files.length === 3)!
    const { path, written, copy, original, found } = await copied(source, set)
    assert.equal(written.unmatched, basename(set) === 'rs_edge_cases.dcm' ? 1 : 0)
    await assertSameMasks(original, source, copy, found.series[0]!)
    if (!installed('dciodvfy')) return
    // Errors of the original's own contours (an empty sequence, a type younger than dicom3tools) stay, and no other.
    const { errors, kind } = errorsOf(path)
    assert.equal(kind, 'RTStructureSet')
    assert.deepEqual(
      errors.filter((error) => !/ContourSequence|CLOSEDPLANAR_XOR/.test(error)),
      [],
    )
  })
})

test.skipIf(!installed('dciodvfy'))(
  'dciodvfy (skipped where it is not installed) finds no error in a copy',
  async () => {
    const { source, set } = await phantom('valid')
    for (const enhanced of [false, true])
      assert.deepEqual(errorsOf((await copied(source, set, enhanced)).path), { errors: [], kind: 'RTStructureSet' })
  },
)
