/** What `larmor synthesize` leaves beside the image: uncertainty, multi-frame files, structure sets; in every format. */
import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import {
  findSeries,
  imageOf,
  rasterise,
  readImage,
  readStructureSet,
  writeImage,
  type DicomSeries,
} from '../../src/formats/index.ts'
import { silent, type Event } from '../../src/progress.ts'
import { openModel, synthesizeCases, type CasesOptions } from '../../src/synthesis/index.ts'
import { gridDistanceMm, identityDirection, type Mat3 } from '../../src/volume/index.ts'
import { fileBytes, put } from '../formats/dicom-made.ts'
import { ctSeries, structuresOn } from '../formats/synthetic-made.ts'
import { centredGrid, sampledCt } from './phantom.ts'
import { gaussianRefiner, modelFolder, weightedChannels } from './small-models.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-outputs-'))
const packageDir = modelFolder({ stage1: weightedChannels([0, 1, 0]), refiner: gaussianRefiner(0), size: [48, 48] })
const [c, s] = [Math.cos(0.2), Math.sin(0.2)]
const oblique: Mat3 = [
  [c, s, 0],
  [-s, c, 0],
  [0, 0, -1],
]
const ct = sampledCt(centredGrid([48, 44, 9], [1.6, 1.6, 4], identityDirection, [12, -18, 30]))
let runs = 0

async function run(paths: string[], options: Partial<CasesOptions> = {}, folder = packageDir) {
  const model = await openModel(folder, { threads: 1 })
  const outputDir = options.outputDir ?? join(root, `out${++runs}`)
  try {
    const asked = {
      seed: 1,
      mode: 'mean',
      samples: 2,
      steps: 2,
      uncertainty: true,
      report: silent,
      ...options,
    } as const
    return { outputDir, ...(await synthesizeCases(model, paths, { ...asked, outputDir })) }
  } finally {
    await model.close()
  }
}

async function dicomCt(name: string): Promise<string> {
  await ctSeries(join(root, name), ct)
  return join(root, name)
}

const single = { mode: 'single', samples: undefined } as const
const jsonIn = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, never>
const fault = (kind: string) => (error: unknown) => error instanceof LarmorError && error.fault.kind === kind

test('in DICOM the uncertainty is a second series in a folder beside the image, which holds nothing but the image', async () => {
  const source = await dicomCt('both')
  const { outputDir, done } = await run([source])
  assert.deepEqual(readdirSync(outputDir).toSorted(), ['smri_001', 'smri_001_uncertainty'])
  assert.equal(done[0]!.uncertainty, join(outputDir, 'smri_001_uncertainty'))
  const [original, image, spread] = [
    await readImage(source),
    await readImage(join(outputDir, 'smri_001')),
    await readImage(join(outputDir, 'smri_001_uncertainty')),
  ]
  for (const { volume, dicom } of [image, spread]) {
    assert.ok(gridDistanceMm(volume.grid, original.volume.grid) < 1e-6)
    assert.equal(dicom!.frameOfReferenceUid, original.dicom!.frameOfReferenceUid)
    assert.equal(dicom!.studyUid, original.dicom!.studyUid)
  }
  assert.equal(spread.dicom!.description, 'sMRI SYNTHETIC uncertainty (SD over 2 samples) test')
  expect(jsonIn(join(outputDir, 'smri_001_uncertainty', 'uncertainty.json'))).toMatchObject({
    schema: 'larmor/uncertainty@1',
    samples: 2,
    definition: 'standard deviation of the samples in each voxel, divided by n - 1',
    unit: 'units of the synthetic MR, which is black at 0 and white at 1000',
    seriesUid: spread.dicom!.seriesUid,
  })
  expect(jsonIn(join(outputDir, 'smri_001', 'qa.json'))).toMatchObject({
    samples: 2,
    output: { seriesUid: image.dicom!.seriesUid, uncertainty: { folder: 'smri_001_uncertainty', regions: [] } },
  })
})

// samples.ts: squares around the mean of mirrored pairs are divided by n. A coverage holds for as many samples as it was measured with.
test('the uncertainty says by what it was divided, and a coverage only where as many samples were drawn as in calibration', async () => {
  const perLevel = (half: number, more: number, most: number) => ({ '50': half, '80': more, '90': most })
  const calibrated = {
    samples: 2,
    scale: 1,
    floor: 0,
    factors: perLevel(0.7, 1.3, 1.7),
    coverage: perLevel(51, 79, 90),
  }
  const folder = modelFolder(
    { stage1: weightedChannels([0, 1, 0]), refiner: gaussianRefiner(0), size: [48, 48] },
    (card) => {
      const { refiner } = card
      const sampler = { ...refiner!.sampler, noise: 'mirrored' }
      return {
        ...card,
        refiner: { ...refiner, sampler, uncertainty: { ...calibrated, heldOut: 'patients', bins: [] } },
      }
    },
  )
  const source = await dicomCt('calibrated')
  const said = async (samples: number) => {
    const { outputDir } = await run([source], { samples }, folder)
    const spread = join(outputDir, 'smri_001_uncertainty')
    const about = jsonIn(join(spread, 'uncertainty.json')) as unknown as { definition: string; calibration: object }
    const { path } = (await readImage(spread)).dicom!.files[0]!
    return { ...about, text: readFileSync(path, 'latin1') }
  }
  const same = await said(2)
  assert.match(same.definition, /^calibrated standard deviation.*divided by n: .*as often as stated$/)
  assert.match(same.text, /Calibrated.*\(divided by n\).*within 0\.70 of it in 50 % and 1\.70 of it in 90 %/)
  const { factors, coverage } = calibrated
  assert.deepEqual(same.calibration, { samples: 2, factors, coverage, heldOut: 'patients', sameSamples: true })
  const other = await said(3)
  assert.match(
    other.definition,
    /^calibrated standard deviation.*divided by n - 1\/n: .*measured with 2 samples alone$/,
  )
  assert.match(other.text, /Calibrated.*\(divided by n - 1\/n\).*calibrated with 2 samples; .* was not measured/)
  assert.doesNotMatch(other.text, /In validation|50 %/)
  assert.deepEqual(other.calibration, { samples: 2, heldOut: 'patients', sameSamples: false })
})

test('stored in DICOM is the uncertainty of NIfTI and MetaImage, rounded; without it, there is one folder', async () => {
  const source = await dicomCt('formats')
  const files = { nifti: 'smri_uncertainty.nii.gz', mha: 'smri_uncertainty.mha' }
  const stored = (await readImage(join((await run([source], { steps: 6 })).outputDir, 'smri_001_uncertainty'))).volume
    .values
  for (const format of ['nifti', 'mha'] as const) {
    const { outputDir } = await run([source], { format, steps: 6 })
    const { volume } = await readImage(join(outputDir, 'smri_001_uncertainty', files[format]))
    assert.deepEqual(stored, Float32Array.from(volume.values, Math.round), format)
    assert.ok(volume.values.some((value) => value > 20))
  }
  const { outputDir, done } = await run([source], { uncertainty: false })
  assert.deepEqual([readdirSync(outputDir), done[0]!.uncertainty], [['smri_001'], null])
})

test('NIfTI keeps the CT’s sform and qform to the bit, MetaImage its geometry to the last digit', async () => {
  const turned = sampledCt(centredGrid([48, 44, 9], [1.6, 1.6001, 4], oblique, [12.3456789, -18.1, 30]))
  const [nifti, mha] = [join(root, 'exact.nii'), join(root, 'exact.mha')]
  await writeImage(nifti, turned)
  await writeImage(mha, turned)
  const { outputDir } = await run([nifti, mha], { mode: 'stage-1', samples: undefined, steps: undefined })
  // The second file has the same stem, and so a number.
  const folders = readdirSync(outputDir).toSorted()
  const written = folders.flatMap((folder) =>
    readdirSync(join(outputDir, folder)).map((file) => join(outputDir, folder, file)),
  )
  const image = (ending: string): string => written.find((path) => path.endsWith(ending))!
  const made = await readImage(image('.nii.gz'))
  await writeImage(join(root, 'plain.nii'), made.volume)
  const geometry = (path: string): Buffer => {
    const bytes = readFileSync(path)
    return Buffer.concat([bytes.subarray(76, 108), bytes.subarray(252, 328)]) // pixdim; codes, quaternion, offsets, sform
  }
  assert.deepEqual(geometry(join(root, 'plain.nii')), geometry(nifti))
  const lines = (path: string): string[] =>
    readFileSync(path, 'latin1')
      .split('\n')
      .filter((line) => /^(TransformMatrix|Offset|ElementSpacing|DimSize)/.test(line))
  assert.equal(lines(mha).length, 4)
  assert.deepEqual(lines(image('.mha')), lines(mha))
})

test('--enhanced gives one file for the image and one for the uncertainty, on the same grid', async () => {
  const source = await dicomCt('enhanced')
  const { outputDir } = await run([source], { enhanced: true })
  assert.deepEqual(readdirSync(join(outputDir, 'smri_001')).toSorted(), ['qa.json', 'smri.dcm'])
  const original = await readImage(source)
  for (const folder of ['smri_001', 'smri_001_uncertainty']) {
    const made = await readImage(join(outputDir, folder))
    assert.ok(gridDistanceMm(made.volume.grid, original.volume.grid) < 1e-6)
    assert.equal(made.dicom!.files.length, 1)
  }
})

test('--rtstruct gives each synthetic MR a copy of the sets that were drawn on its CT, and of no other', async () => {
  const [one, two] = [await dicomCt('one'), await dicomCt('two')]
  mkdirSync(join(root, 'sets'))
  const series = (await findSeries([two], silent)).series[0]!
  await structuresOn(join(root, 'sets', 'two.dcm'), series)
  const { outputDir, done, refused } = await run([one, two], {
    rtstruct: join(root, 'sets'),
    mode: 'single',
    samples: undefined,
  })
  assert.deepEqual([done.map(({ structures }) => structures), refused], [[0, 1], []])
  const copy = await findSeries([join(outputDir, 'smri_002')], silent)
  const set = readStructureSet(copy.structureSets[0]!)
  assert.equal(imageOf(set, [series, ...copy.series]), copy.series[0])
  const original = readStructureSet((await findSeries([join(root, 'sets')], silent)).structureSets[0]!)
  const smri = (await readImage(join(outputDir, 'smri_002'))).volume
  for (const [n, roi] of original.rois.entries())
    assert.deepEqual(rasterise(set.rois[n]!, smri.grid, '').mask.values, rasterise(roi, ct.grid, '').mask.values)
  expect(jsonIn(join(outputDir, 'smri_002', 'qa.json'))).toMatchObject({
    output: { structures: [{ file: 'rtstruct.dcm', sopInstanceUid: set.sopInstanceUid, unmatched: 0 }] },
  })
})

test('a set that belongs to none of the CTs is said; alone with one CT it ends the command before anything is computed', async () => {
  const [here, other] = [await dicomCt('here'), await dicomCt('other')]
  const rtstruct = await structuresOn(join(root, 'other.dcm'), (await findSeries([other], silent)).series[0]!)
  const events: Event[] = []
  const alone = run([here], { rtstruct, report: (event) => events.push(event) })
  await assert.rejects(alone, fault('input.noReferencedImage'))
  assert.ok(!events.some((event) => event.at === 'progress' && event.task === 'synthesis'))
  const both = await run([here, await dicomCt('third')], { rtstruct, mode: 'single', samples: undefined })
  assert.deepEqual([both.done.length, both.refused.map((each) => each.fault.kind)], [2, ['input.noReferencedImage']])
  await assert.rejects(run([here], { rtstruct: here }), fault('input.empty'))

  mkdirSync(join(root, 'mixed'))
  cpSync(rtstruct, join(root, 'mixed', 'other.dcm'))
  await structuresOn(join(root, 'mixed', 'own.dcm'), (await findSeries([here], silent)).series[0]!)
  const mixed = await run([here], { rtstruct: join(root, 'mixed'), mode: 'single', samples: undefined })
  assert.deepEqual(
    [mixed.done[0]!.structures, mixed.refused.map((each) => each.fault.kind)],
    [1, ['input.noReferencedImage']],
  )
})

test('a structure set that cannot be read is named before anything is computed, and takes no CT with it', async () => {
  const sources = [await dicomCt('whole'), await dicomCt('badly-drawn')]
  const [whole, other] = (await findSeries(sources, silent)).series.toSorted((a) => (inFolder(a, 'whole') ? -1 : 1))
  const sets = join(root, 'some-bad')
  mkdirSync(sets)
  await structuresOn(join(sets, 'good.dcm'), whole!)
  const miscounted = await structuresOn(join(sets, 'miscounted.dcm'), other!)
  const bytes = readFileSync(miscounted)
  bytes.write('9', bytes.indexOf(Buffer.from('\x06\x30\x46\x00IS', 'latin1')) + 8, 'latin1') // Number of Contour Points
  writeFileSync(miscounted, bytes)
  const empty = put(join(sets, 'empty.dcm'), fileBytes([[0x0008_0016, 'UI', '1.2.840.10008.5.1.4.1.1.481.3']]))
  const cut = put(join(sets, 'cut.dcm'), bytes.subarray(0, 2000))
  const events: Event[] = []
  const options = { mode: 'single', samples: undefined, report: (event: Event) => events.push(event) } as const
  const { done, refused } = await run(sources, { ...options, rtstruct: sets })
  assert.deepEqual(
    done.map(({ structures }) => structures),
    [1, 0],
  )
  assert.deepEqual(refused.map((each) => each.fault.where).toSorted(), [cut, empty, miscounted])
  const said = events.slice(
    0,
    events.findIndex(({ at }) => at === 'stage'),
  )
  for (const [path, kind] of [
    [miscounted, 'input.badValue'],
    [empty, 'input.missingAttribute'],
    [cut, 'input.truncated'],
  ] as const)
    assert.ok(
      said.some((event) => event.at === 'note' && event.message.includes(path) && event.message.includes(kind)),
      path,
    )
  await assert.rejects(run([sources[1]!], { ...options, rtstruct: miscounted }), fault('input.badValue'))
})

const inFolder = ({ files }: DicomSeries, name: string): boolean => files[0]!.path.startsWith(join(root, name))

test('what only DICOM has is refused in other formats', async () => {
  const source = await dicomCt('only')
  const set = await structuresOn(join(root, 'only.dcm'), (await findSeries([source], silent)).series[0]!)
  await assert.rejects(run([source], { format: 'nifti', enhanced: true }), fault('usage.wrong'))
  await assert.rejects(run([source], { format: 'mha', rtstruct: set }), fault('usage.wrong'))
})

test('an option of DICOM among CTs of several formats is refused for those alone; with another --format, before any is read', async () => {
  const [first, last] = [await dicomCt('format-first'), await dicomCt('format-last')]
  const between = join(root, 'between.nii')
  await writeImage(between, ct)
  const { done, refused } = await run([first, between, last], { ...single, enhanced: true })
  assert.deepEqual(
    [done.map(({ caseId }) => caseId), refused.map(({ caseId, fault }) => [caseId, fault.kind])],
    [['smri_001', 'smri_003'], [['between', 'usage.wrong']]],
  )
  const missing = [join(root, 'none-1.nii'), join(root, 'none-2.nii')]
  await assert.rejects(run(missing, { format: 'mha', enhanced: true }), fault('usage.wrong'))
})

test('an uncertainty that is there is told before the first CT is read, and without one it is left alone', async () => {
  const missing = [join(root, 'gone-1.nii'), join(root, 'gone-2.nii')]
  const outputDir = join(root, 'theirs')
  mkdirSync(join(outputDir, 'gone-2_uncertainty'), { recursive: true })
  await assert.rejects(run(missing, { outputDir }), fault('usage.outputExists'))
  const { refused } = await run(missing, { ...single, outputDir })
  assert.deepEqual([refused.length, readdirSync(outputDir)], [2, ['gone-2_uncertainty']])
})

test('the same command again passes over multi-frame files, uncertainty and structure sets; with others of these it refuses', async () => {
  const source = await dicomCt('all-of-it')
  const here = (await findSeries([source], silent)).series[0]!
  const rtstruct = await structuresOn(join(root, 'all-of-it.dcm'), here)
  const first = await run([source], { enhanced: true, rtstruct })
  const asked = { enhanced: true, rtstruct, outputDir: first.outputDir }
  assert.deepEqual(await run([source], asked), first)
  const changes: [Partial<CasesOptions>, string][] = [
    [{ enhanced: false }, '--enhanced'],
    [{ rtstruct: undefined }, '--rtstruct'],
    [{ uncertainty: false }, '--no-uncertainty'],
    [{ steps: 3 }, 'number of steps'],
    [{ samples: 4 }, 'number of samples, number of steps'],
  ]
  for (const [change, what] of changes)
    await assert.rejects(run([source], { ...asked, ...change }), (error) => {
      assert.ok(fault('usage.outputExists')(error), String(error))
      assert.equal((error as LarmorError).fault.found, `a synthetic MRI of another ${what}`)
      return true
    })
  rmSync(join(first.outputDir, 'smri_001_uncertainty'), { recursive: true })
  await assert.rejects(run([source], asked), fault('usage.outputExists'))
})

test('interrupted while it writes, it leaves neither image nor uncertainty nor a temporary folder', async () => {
  const source = await dicomCt('late')
  for (const format of ['dicom', 'nifti', 'mha'] as const) {
    const stop = new AbortController()
    const report = (event: Event): void =>
      void (event.at === 'progress' && event.task === 'synthesis' && event.done === event.of && stop.abort())
    await assert.rejects(run([source], { format, report, signal: stop.signal }), fault('interrupted'))
    const outputDir = join(root, `out${runs}`)
    assert.deepEqual(existsSync(outputDir) ? readdirSync(outputDir) : [], [])
  }
})

test('a CT whose gantry was tilted is refused, or made upright on request, and qa.json says so', async () => {
  const source = join(root, 'tilted')
  // An origin of many digits leaves room for the sheared one in its place.
  await ctSeries(source, { ...ct, grid: { ...ct.grid, originMm: [-25.6, -52.4000001, 14] } })
  for (const name of readdirSync(source)) shear(join(source, name))
  await assert.rejects(run([source]), fault('geometry.sheared'))
  const { outputDir } = await run([source], {
    correctTilt: true,
    mode: 'stage-1',
    samples: undefined,
    steps: undefined,
  })
  const { volume } = await readImage(join(outputDir, 'smri_001'))
  const expected = await readImage(source, { correctTilt: true })
  assert.ok(gridDistanceMm(volume.grid, expected.volume.grid) < 1e-6)
  expect(jsonIn(join(outputDir, 'smri_001', 'qa.json'))).toMatchObject({ input: { resampled: ['tilt'] } })
})

/** Moves the slice by half a millimetre along y for each slice below it, in the text of its position. */
function shear(path: string): void {
  const bytes = readFileSync(path)
  const at = bytes.indexOf(Buffer.from('\x20\x00\x32\x00DS', 'latin1'))
  const [start, end] = [at + 8, at + 8 + bytes.readUInt16LE(at + 6)]
  const [x, y, z] = bytes.toString('latin1', start, end).split('\\').map(Number) as [number, number, number]
  const text = [x, (y + (z - 14) / 8).toFixed(2), z].join('\\')
  bytes.write(text.padEnd(end - start), start, 'latin1')
  assert.ok(text.length <= end - start)
  writeFileSync(path, bytes)
}
