/** From files to a volume: order, rescale, padding, and every reason for which a stack of slices is refused. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { findSeries, readDicomVolume, readImage } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { fileBytes, put, sliceElements, writeSeries } from './dicom-made.ts'
import type { MadeElement, MadeSlice } from './dicom-made.ts'
import { faultOf } from './made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-series-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0
const folder = (): string => join(root, `f${++folders}`)
const kindOf = async (path: string): Promise<string> => (await faultOf(readImage(path))).kind
const changed = (...elements: MadeElement[]): Record<number, MadeElement> =>
  Object.fromEntries(elements.map((element) => [element[0], element]))

test('slices are sorted by position along the normal, whatever their names and numbers say', async () => {
  const path = writeSeries(folder(), 5, (k) => ({ pixels: Array.from({ length: 8 }, (_, n) => 1024 + 100 * k + n) }))
  const { volume, modality, dicom } = await readImage(path)
  assert.equal(modality, 'CT')
  assert.equal(dicom?.frameOfReferenceUid, '4.5.6')
  assert.deepEqual(volume.grid.size, [4, 2, 5])
  assert.deepEqual(volume.grid.spacingMm, [0.5, 0.75, 2.5])
  assert.deepEqual(volume.grid.originMm, [-10, -20, 30])
  assert.ok(volume.values instanceof Int16Array)
  for (let k = 0; k < 5; k++) assert.equal(volume.values[8 * k + 3], 100 * k + 3)
})

test('a stack whose normal points to the feet begins at its highest slice', async () => {
  const flipped = '1\\0\\0\\0\\-1\\0'
  const { volume } = await readImage(
    writeSeries(folder(), 4, (k) => ({ orientation: flipped, pixels: Array(8).fill(k) })),
  )
  assert.deepEqual(
    volume.grid.direction[2].map((x) => x + 0),
    [0, 0, -1],
  )
  assert.equal(volume.grid.originMm[2], 37.5)
})

test('CT becomes HU slice by slice; padding and what is below −1024 become −1024', async () => {
  const made = (k: number): MadeSlice => ({
    pixels: [0, 10, 2000, 2001, 2002, 4000, 500, 499],
    change: changed(
      [0x00281052, 'DS', k === 0 ? '-1000' : '-1500'],
      [0x00280120, 'US', [2000]],
      [0x00280121, 'US', [2001]],
    ),
  })
  const { volume } = await readImage(writeSeries(folder(), 2, made))
  assert.deepEqual([...volume.values.subarray(0, 8)], [-1000, -990, -1024, -1024, 1002, 3000, -500, -501])
  assert.deepEqual([...volume.values.subarray(8)], [-1024, -1024, -1024, -1024, 502, 2500, -1000, -1001])
})

test('MR keeps its own scale as float32, rescaled slice by slice where the file says so', async () => {
  const made = (k: number): MadeSlice => ({
    modality: 'MR',
    pixels: [0, 1, 2, 3, 4, 5, 6, 7],
    change: k === 0 ? changed([0x00281052, 'DS', '0.25'], [0x00281053, 'DS', '0.5']) : {},
  })
  const { volume, modality } = await readImage(writeSeries(folder(), 2, made))
  assert.equal(modality, 'MR')
  assert.deepEqual(
    volume.values,
    Float32Array.from([0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 0, 1, 2, 3, 4, 5, 6, 7]),
  )
})

test('MR pixels outside the image are 0', async () => {
  const pixels = [0x8000, 1, 2, 3, 4, 5, 0x8000, 7]
  const change = changed(
    [0x00280103, 'US', [1]],
    [0x00280120, 'SS', [0x8000]],
    [0x00281052, 'DS', '5'],
    [0x00281053, 'DS', '2'],
  )
  const { volume } = await readImage(writeSeries(folder(), 2, () => ({ modality: 'MR', pixels, change })))
  assert.deepEqual([...volume.values.subarray(0, 8)], [0, 7, 9, 11, 13, 15, 0, 19])
})

test('a missing slice is refused with the gap and where it is', async () => {
  const path = writeSeries(folder(), 6, (k) => ({ position: `-10\\-20\\${30 + 2.5 * (k < 3 ? k : k + 1)}` }))
  const fault = await faultOf(readImage(path))
  assert.equal(fault.kind, 'geometry.missingSlice')
  assert.match(fault.found, /5\.00 mm/)
  assert.match(fault.expected, /2\.50 mm/)
  assert.match(fault.where, /slices 3 and 4 \(35\.00 and 40\.00 mm/)
})

test('positions rounded to a tenth of a millimetre are even enough, three tenths are not', async () => {
  const jitter = (mm: number) => (k: number) => ({ position: `-10\\-20\\${30 + 2.5 * k + (k % 2) * mm}` })
  const { volume } = await readImage(writeSeries(folder(), 5, jitter(0.09)))
  assert.equal(volume.grid.spacingMm[2], 2.5)
  assert.equal(await kindOf(writeSeries(folder(), 5, jitter(0.3))), 'geometry.missingSlice')
})

test('stacks that are no grid are refused by kind', async () => {
  const refused: [kind: string, made: (k: number) => MadeSlice][] = [
    ['geometry.duplicateSlice', (k) => ({ position: `-10\\-20\\${30 + 2.5 * (k % 3)}` })],
    ['geometry.sheared', (k) => ({ position: `-10\\${-20 + 0.8 * k}\\${30 + 2.5 * k}` })],
    ['input.severalSeries', (k) => ({ orientation: k < 3 ? '1\\0\\0\\0\\1\\0' : '0\\1\\0\\0\\0\\-1' })],
    ['input.severalSeries', (k) => ({ change: changed([0x00280030, 'DS', k < 3 ? '0.75\\0.5' : '0.75\\0.8']) })],
    ['geometry.inconsistent', (k) => ({ orientation: k < 5 ? '1\\0\\0\\0\\1\\0' : '0\\1\\0\\0\\0\\-1' })],
    ['input.badValue', () => ({ orientation: '1\\0\\0\\0.5\\1\\0' })],
    ['input.badValue', () => ({ orientation: '1\\0\\0\\x\\1\\0' })],
    ['input.badValue', () => ({ change: changed([0x00280030, 'DS', '0\\0.5']) })],
    ['input.missingAttribute', () => ({ change: { 0x00280030: undefined } })],
    ['input.missingAttribute', () => ({ change: { 0x00200037: undefined } })],
    ['input.missingAttribute', () => ({ change: { 0x00200032: undefined } })],
    ['input.missingAttribute', () => ({ change: { 0x00281053: undefined } })],
    ['input.missingAttribute', () => ({ change: { 0x00281052: undefined } })],
    ['input.missingAttribute', () => ({ change: { 0x00280010: undefined } })],
    ['input.missingAttribute', () => ({ change: { 0x7fe00010: undefined } })],
    ['input.badValue', () => ({ change: changed([0x00281054, 'LO', 'US']) })],
    ['input.badValue', () => ({ change: changed([0x00280102, 'US', [14]]) })],
    ['input.unsupported', () => ({ change: changed([0x00280004, 'CS', 'RGB']) })],
    ['input.unsupported', () => ({ change: changed([0x00280008, 'IS', '4']) })],
    ['input.unsupported', () => ({ change: changed([0x00080008, 'CS', 'ORIGINAL\\PRIMARY\\M\\MOSAIC']) })],
  ]
  for (const [n, [kind, made]] of refused.entries())
    assert.equal(await kindOf(writeSeries(folder(), 6, made)), kind, `case ${n}: ${kind}`)
})

test('one image alone is not a volume', async () => {
  assert.equal(await kindOf(writeSeries(folder(), 1)), 'geometry.missingSlice')
})

test('a series that no decoder reads is refused once, with the name of its transfer syntax', async () => {
  const path = folder()
  for (const z of [30, 32.5]) put(join(path, `${z}`), fileBytes(sliceElements({ position: `0\\0\\${z}` }), 'jpeg12'))
  const fault = await faultOf(readImage(path))
  assert.equal(fault.kind, 'input.unsupported')
  assert.match(fault.found, /JPEG Extended/)
})

test('two patients or two series in one folder are refused, and no name is said', async () => {
  const path = folder()
  writeSeries(join(path, 'a'), 2)
  writeSeries(join(path, 'b'), 2, () => ({ series: '1.2.4' }))
  const series = await faultOf(readImage(path))
  assert.equal(series.kind, 'input.severalSeries')
  writeSeries(join(path, 'c'), 2, () => ({ series: '1.2.5', patient: 'Roe^Richard' }))
  const patients = await faultOf(readImage(path))
  assert.equal(patients.kind, 'input.severalPatients')
  assert.match(patients.found, /2 patients/)
  assert.doesNotMatch(JSON.stringify([series, patients]), /Doe|Roe|Richard|ID-/)
})

test('one patient whose name is written in two ways is one patient', async () => {
  const path = writeSeries(folder(), 4, (k) => ({ patient: k < 2 ? 'Doe^Jane ' : 'DOE^JANE^' }))
  assert.equal((await findSeries([path], silent)).series.length, 1)
})

test('other files are passed over, by kind: text, hidden files, DICOMDIR, other modalities', async () => {
  const path = writeSeries(folder(), 3)
  put(join(path, 'README.txt'), Buffer.from('about this export'))
  put(join(path, '.DS_Store'), Buffer.from('x'))
  put(
    join(path, 'plan'),
    fileBytes([
      [0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.481.5'],
      [0x00080060, 'CS', 'RTPLAN'],
    ]),
  )
  put(join(path, 'DICOMDIR'), fileBytes([[0x00080016, 'UI', '1.2.840.10008.1.3.10']]))
  const { series, refused, passedOver } = await findSeries([path], silent)
  assert.equal(series.length, 1)
  assert.deepEqual(refused, [])
  assert.deepEqual(Object.fromEntries(passedOver), { 'not DICOM': 1, RTPLAN: 1, DICOMDIR: 1 })
})

test('a series beside a truncated file is not read, even where the other slices are even', async () => {
  const path = writeSeries(folder(), 4)
  const last = fileBytes(sliceElements({ position: '-10\\-20\\40' }))
  put(join(path, 'LAST'), last.subarray(0, last.length - 4))
  assert.equal(await kindOf(path), 'input.truncated')
  put(join(path, 'LAST'), Buffer.alloc(0))
  assert.equal(await kindOf(path), 'input.notDicom')
})

test('a file that is there twice, byte for byte, counts once', async () => {
  const path = writeSeries(folder(), 3)
  cpSync(join(path, 'IM00'), join(path, 'copy'))
  assert.equal((await readImage(path)).volume.grid.size[2], 3)
})

test('a folder without an image, a missing path and an unknown format say what they are', async () => {
  const path = folder()
  put(join(path, 'a.txt'), Buffer.from('text'))
  assert.equal(await kindOf(path), 'input.empty')
  assert.equal(await kindOf(join(path, 'a.txt')), 'input.unknownFormat')
  assert.equal(await kindOf(join(path, 'nowhere')), 'input.notFound')
})

test('a series whose images disagree on the frame of reference is refused', async () => {
  const path = writeSeries(folder(), 4, (k) => ({ change: changed([0x00200052, 'UI', k < 2 ? '4.5.6' : '4.5.7']) }))
  const found = await findSeries([path], silent)
  assert.equal((await faultOf(readDicomVolume(found.series[0]!))).kind, 'geometry.inconsistent')
})
