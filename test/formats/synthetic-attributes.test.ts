/** What the synthetic MR takes from its CT, what it says of itself, and what dciodvfy says of every object. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { findSeries, readImage, writeEnhancedMr, writeSyntheticMr } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { gridDistanceMm, volume } from '../../src/volume/index.ts'
import { elementBytes, fileBytes, put, sliceElements, uint } from './dicom-made.ts'
import type { Encoding, MadeElement } from './dicom-made.ts'
import { faultOf, installed } from './made.ts'
import { readWithDcmjs } from './second-reader.ts'
import { ctOn, ctSeries, errorsOf, madeOf, turned } from './synthetic-made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-attributes-'))
afterAll(() => rmSync(root, { recursive: true }))
const at = (name: string): string => join(root, name)
const nominal = { low: 0, high: 4095 }

function item(...elements: MadeElement[]): Buffer {
  const body = Buffer.concat(elements.map((one) => elementBytes(one, 'explicit')))
  return Buffer.concat([uint(0xfffe, 2), uint(0xe000, 2), uint(body.length, 4), body])
}

/** Of patient, study and frame of reference, in Japanese where people write (ISO 2022), in tag order. */
const CARRIED: MadeElement[] = [
  [0x00080005, 'CS', '\\ISO 2022 IR 87'],
  [0x00080020, 'DA', '20250203'],
  [0x00080030, 'TM', '101112.131415'],
  [0x00080050, 'SH', 'A-77'],
  [0x00080090, 'PN', 'Suzuki^Ichirou=\x1b$BNkLZ\x1b(B^\x1b$B0lO:\x1b(B'],
  [0x00080201, 'SH', '+0900'],
  [0x00081030, 'LO', '\x1b$BF,It\x1b(B planning'],
  [0x00081048, 'PN', 'Sato^Jirou'],
  [0x00100010, 'PN', 'Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B'],
  [0x00100020, 'LO', 'ID 0815 '],
  [0x00100021, 'LO', 'Hospital B'],
  [0x00100030, 'DA', '19500102'],
  [0x00100040, 'CS', 'M '],
  [0x00101001, 'PN', 'Yamada^T\\Yamada^Tarou^^Dr'],
  [0x00101010, 'AS', '075Y'],
  [0x00101030, 'DS', '71.50 '],
  [0x00102000, 'LO', 'Pacemaker\\Iodine'],
  [0x001021c0, 'US', [4]],
  [0x00104000, 'LT', 'see \x1b$BI8\x1b(B'],
  [0x00120040, 'LO', 'TRIAL-12'],
  [0x00185100, 'CS', 'HFS '],
  [0x0020000d, 'UI', '9.8.7'],
  [0x00200010, 'SH', 'ST1'],
  [0x00200052, 'UI', '4.5.6'],
  [0x00201040, 'LO', 'XY'],
]
const PROCEDURE: MadeElement = [
  0x00081032,
  'SQ',
  item([0x00080100, 'SH', 'CT-HN '], [0x00080102, 'SH', '99HOSP'], [0x00080104, 'LO', '\x1b$BF,It\x1b(B']),
]

async function japanese(name: string, encoding: Encoding) {
  const change = Object.fromEntries(
    [...CARRIED, ...(encoding === 'explicit' ? [PROCEDURE] : [])].map((one) => [one[0], one]),
  )
  for (let k = 0; k < 3; k++)
    put(join(at(name), `IM${k}`), fileBytes(sliceElements({ position: `-10\\-20\\${30 + 2.5 * k}`, change }), encoding))
  return (await findSeries([at(name)], silent)).series[0]!
}

test.each(['explicit', 'implicit', 'big', 'deflated'] as const)(
  'patient, study and frame of reference leave in the bytes that they came in (a CT in %s)',
  async (encoding) => {
    const source = await japanese(encoding, encoding)
    const made = await madeOf(source, { createdAt: new Date(Date.UTC(2026, 0, 1, 20, 0, 5)) })
    await writeSyntheticMr(at(`${encoding}-smri`), made)
    await writeEnhancedMr(at(`${encoding}-enhanced.dcm`), made)
    for (const path of [join(at(`${encoding}-smri`), 'smri-0002.dcm'), at(`${encoding}-enhanced.dcm`)]) {
      const bytes = readFileSync(path)
      for (const element of CARRIED)
        assert.ok(bytes.includes(elementBytes(element, 'explicit')), `${element[0].toString(16)} ${String(element[2])}`)
      if (encoding === 'explicit') assert.ok(bytes.includes(elementBytes(PROCEDURE, 'explicit')))
      // Dates and times of ours stand beside a time zone that the CT states, so they are in it: 20:00 UTC is 5:00 there.
      assert.ok(bytes.includes(elementBytes([0x00080013, 'TM', '050005'], 'explicit')))
      assert.ok(bytes.includes(elementBytes([0x00080012, 'DA', '20260102'], 'explicit')))
    }
  },
)

test('nothing that belongs to the CT alone comes along', async () => {
  const source = await ctSeries(at('alone'), ctOn(turned), { ConvolutionKernel: 'H30', ContrastBolusAgent: 'IODINE' })
  const made = await madeOf(source)
  await writeSyntheticMr(at('alone-smri'), made)
  await writeEnhancedMr(at('alone.dcm'), made)
  const ofCt = ['KVP', 'ConvolutionKernel', 'ContrastBolusAgent', 'AcquisitionNumber', 'MagneticFieldStrength']
  const ofPulse = ['ResonantNucleus', 'AcquisitionDateTime', 'PulseSequenceName', 'ImagingFrequency']
  for (const path of [join(at('alone-smri'), 'smri-0001.dcm'), at('alone.dcm')])
    for (const name of [...ofCt, ...ofPulse]) assert.equal(readWithDcmjs(readFileSync(path))[name], undefined, name)
  const classic = readWithDcmjs(readFileSync(join(at('alone-smri'), 'smri-0001.dcm')))
  for (const name of ['RescaleType', 'RescaleSlope', 'RescaleIntercept']) assert.equal(classic[name], undefined, name)
})

test('the uncertainty is a series of its own, on the same slices, and says its number of samples and its scale', async () => {
  const source = await ctSeries(at('spread-ct'), ctOn(turned))
  const made = await madeOf(source)
  await writeSyntheticMr(at('spread-smri'), made)
  const window = { low: 0, high: 1000 }
  await writeSyntheticMr(at('spread'), { ...made, window, uncertainty: { samples: 6, divisor: 'n - 1', nominal } })
  const [image, spread] = ['spread-smri/smri-0003.dcm', 'spread/uncertainty-0003.dcm'].map((name) =>
    readWithDcmjs(readFileSync(at(name))),
  )
  const same = [
    'ImagePositionPatient',
    'ImageOrientationPatient',
    'PixelSpacing',
    'FrameOfReferenceUID',
    'SliceThickness',
  ]
  for (const name of [...same, 'StudyInstanceUID', 'ImageType']) assert.deepEqual(spread![name], image![name], name)
  assert.notEqual(spread!['SeriesInstanceUID'], image!['SeriesInstanceUID'])
  assert.equal(spread!['SeriesDescription'], 'sMRI SYNTHETIC uncertainty (SD over 6 samples) t1')
  assert.match(
    String(spread!['DerivationDescription']),
    /deviation of 6 samples.*black at 0 and white at 4095.*Not for diag/,
  )
  const codes = (spread!['DerivationCodeSequence'] as Record<string, unknown>[]).map((code) => code['CodeValue'])
  assert.deepEqual(codes, ['SYNTHETICMR', '113061'])
})

test('an enhanced file is read back to the same voxels on the same grid, frame by frame from the same CT slice', async () => {
  const source = await ctSeries(at('enhanced-ct'), ctOn(turned))
  const made = await madeOf(source)
  const { slices } = await writeEnhancedMr(at('enhanced.dcm'), made)
  const back = await readImage(at('enhanced.dcm'))
  assert.ok(gridDistanceMm(back.volume.grid, turned) < 1e-6)
  assert.deepEqual(back.volume.values, made.mr.values)
  assert.equal(back.dicom!.frameOfReferenceUid, source.frameOfReferenceUid)
  const read = readWithDcmjs(readFileSync(at('enhanced.dcm')))
  assert.deepEqual(read['ImageType'], ['DERIVED', 'PRIMARY', 'OTHER', 'NONE'])
  const frames = read['PerFrameFunctionalGroupsSequence'] as Record<string, Record<string, unknown>[]>[]
  const sources = frames.map(({ DerivationImageSequence }) => {
    const [image] = DerivationImageSequence![0]!['SourceImageSequence'] as Record<string, unknown>[]
    return image!['ReferencedSOPInstanceUID']
  })
  assert.deepEqual(
    sources,
    slices.map((slice) => slice.sources[0]!.sopInstanceUid),
  )
  assert.equal(new Set(sources).size, 5)
  assert.equal((await faultOf(writeEnhancedMr(at('enhanced.dcm'), made))).kind, 'usage.outputExists')
})

test.skipIf(!installed('dciodvfy'))(
  'dciodvfy (skipped where it is not installed) finds no error in image, uncertainty and enhanced file, whatever the CT',
  async () => {
    const cts = [
      await ctSeries(at('valid-ct'), ctOn(turned)),
      await ctSeries(at('valid-unnamed'), ctOn(turned), {
        BodyPartExamined: '',
        PatientIdentityRemoved: 'YES',
        DeidentificationMethod: 'test',
      }),
      await ctSeries(
        at('valid-left'),
        ctOn({ ...turned, direction: [turned.direction[0], turned.direction[1], [0, 0, -1]] }),
      ),
    ]
    for (const [n, source] of cts.entries())
      for (const uncertainty of [undefined, { samples: 4, divisor: 'n - 1', nominal } as const]) {
        const made = { ...(await madeOf(source)), ...(uncertainty ? { uncertainty } : {}) }
        const name = `valid-${n}-${uncertainty ? 'spread' : 'image'}`
        await writeSyntheticMr(at(name), made)
        await writeEnhancedMr(at(`${name}.dcm`), made)
        for (const file of readdirSync(at(name)))
          assert.deepEqual(errorsOf(join(at(name), file)), { errors: [], kind: 'MRImage' }, name)
        assert.deepEqual(errorsOf(at(`${name}.dcm`)), { errors: [], kind: 'EnhancedMRImage' }, name)
      }
  },
)

test('an enhanced file that cannot be written leaves nothing', async () => {
  const source = await ctSeries(at('never-ct'), ctOn(turned))
  const made = await madeOf(source)
  const shifted = volume({ ...turned, originMm: [0, 0, 0] }, made.mr.values)
  assert.equal((await faultOf(writeEnhancedMr(at('never.dcm'), { ...made, mr: shifted }))).kind, 'geometry.gridsDiffer')
  const stopped = writeEnhancedMr(at('never.dcm'), { ...made, signal: AbortSignal.abort() })
  assert.equal((await faultOf(stopped)).kind, 'interrupted')
  assert.deepEqual(
    readdirSync(root).filter((name) => name.startsWith('never.dcm') || name.startsWith('.')),
    [],
  )
})
