/** From files to files, as `larmor synthesize` does it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { newUid, readImage, writeDicomSeries, writeImage } from '../../src/formats/index.ts'
import { silent, type Event } from '../../src/progress.ts'
import { caseIds, openModel, synthesizeCases, type CasesOptions } from '../../src/synthesis/index.ts'
import { gridDistanceMm, identityDirection, type Mat3, type Volume } from '../../src/volume/index.ts'
import { centredGrid, centreOfGravityMm, sampledCt } from './phantom.ts'
import { gaussianRefiner, modelFolder, weightedChannels, weightedSequences } from './small-models.ts'

const folder = mkdtempSync(join(tmpdir(), 'larmor-cases-'))
const ownPackage = modelFolder({ stage1: weightedChannels([0, 1, 0]), refiner: gaussianRefiner(0), size: [48, 48] })
const grid = centredGrid([48, 44, 12], [1.6, 1.6, 4], identityDirection, [12, -18, 30])
const ct = sampledCt(grid)
let outputs = 0

type Changes = Partial<CasesOptions> & { packageDir?: string }

async function run(paths: string[], { packageDir = ownPackage, ...options }: Changes = {}) {
  const model = await openModel(packageDir, { threads: 1 })
  const outputDir = options.outputDir ?? join(folder, `out${++outputs}`)
  try {
    return {
      outputDir,
      ...(await synthesizeCases(model, paths, { seed: 1, mode: 'stage-1', report: silent, ...options, outputDir })),
    }
  } finally {
    await model.close()
  }
}

async function dicomCt(name: string, volume: Volume, modality: 'CT' | 'MR' = 'CT'): Promise<string> {
  const path = join(folder, name)
  await writeDicomSeries(path, {
    volume,
    modality,
    patient: { id: 'T1', name: 'TEST^PHANTOM' },
    studyUid: newUid(name, 'study'),
    seriesUid: newUid(name, 'series'),
    frameOfReferenceUid: newUid(name, 'frame'),
    seriesNumber: 1,
    description: 'test',
    patientPosition: 'HFS',
  })
  return path
}

const fault = (kind: string) => (error: unknown) => error instanceof LarmorError && error.fault.kind === kind
const qaIn = (dir: string) => JSON.parse(readFileSync(join(dir, 'qa.json'), 'utf8')) as Record<string, unknown>

test('a DICOM CT gives a DICOM MR series on its grid, in its study, marked as synthetic', async () => {
  const source = await dicomCt('dicom-ct', ct)
  const { done, outputDir } = await run([source])
  assert.deepEqual(
    done.map(({ caseId, format }) => [caseId, format]),
    [['smri_001', 'dicom']],
  )
  const made = await readImage(join(outputDir, 'smri_001'))
  const original = await readImage(source)
  assert.equal(made.modality, 'MR')
  assert.ok(gridDistanceMm(made.volume.grid, original.volume.grid) < 1e-6)
  assert.equal(made.dicom?.studyUid, original.dicom?.studyUid)
  assert.equal(made.dicom?.frameOfReferenceUid, original.dicom?.frameOfReferenceUid)
  assert.match(made.dicom!.description, /SYNTHETIC/)
  const [before, after] = [centreOfGravityMm(original.volume, 200), centreOfGravityMm(made.volume, 600)]
  assert.ok(Math.hypot(...before.map((x, axis) => x - after[axis]!)) < 0.1)
})

test('qa.json says what was made from what, by which model, and for what use', async () => {
  const source = await dicomCt('dicom-qa', ct)
  const { outputDir } = await run([source], { mode: 'single', steps: 2, seed: 9 })
  const model = await openModel(ownPackage, { threads: 1 })
  await model.close()
  const { bodyShare, seconds: _, ...qa } = qaIn(join(outputDir, 'smri_001')) as { bodyShare: number; seconds: unknown }
  assert.ok(bodyShare > 0.2 && bodyShare < 0.5)
  expect(qa).toMatchObject({
    schema: 'larmor/qa@1',
    synthetic: true,
    intendedUse: 'research; contouring aid beside the CT; not for diagnosis or dose',
    model: { name: 'test', sha256: model.sha256 },
    input: { format: 'dicom', seriesUid: newUid('dicom-qa', 'series') },
    nominal: { low: 0, high: 1000 },
    seed: 9,
    mode: 'single',
    evaluationsPerSlice: 2,
  })
})

test('two sequences of one CT are two series of its study, each with a number of its own', async () => {
  const both = modelFolder(
    {
      stage1: weightedSequences([
        [0, 1, 0],
        [0, -1, 0],
      ]),
      size: [48, 48],
    },
    (card) => ({
      ...card,
      mr: { ...card.mr, further: [{ target: 'mr_other', mapping: card.mr.mapping }] },
    }),
  )
  const model = await openModel(both, { threads: 1 })
  const outputDir = join(folder, 'two-sequences')
  const source = await dicomCt('dicom-two', ct)
  await synthesizeCases(model, [source], { seed: 1, mode: 'stage-1', report: silent, outputDir })
  await model.close()
  const series = await Promise.all(
    ['mr_test', 'mr_other'].map(async (name) => (await readImage(join(outputDir, name, 'smri_001'))).dicom!),
  )
  assert.deepEqual(
    series.map(({ seriesNumber }) => seriesNumber),
    ['9001', '9011'],
  )
  assert.equal(new Set(series.map(({ seriesUid }) => seriesUid)).size, 2)

  // Killed between the two: the same command makes the one that is missing, and leaves the other as it is.
  const qa = () => readFileSync(join(outputDir, 'mr_test', 'smri_001', 'qa.json'), 'utf8')
  const before = qa()
  rmSync(join(outputDir, 'mr_other'), { recursive: true })
  const reopened = await openModel(both, { threads: 1 })
  const { done } = await synthesizeCases(reopened, [source], { seed: 1, mode: 'stage-1', report: silent, outputDir })
  await reopened.close()
  assert.deepEqual(
    done.map(({ sequence }) => sequence),
    ['mr_test', 'mr_other'],
  )
  assert.equal(qa(), before)
  assert.ok(existsSync(join(outputDir, 'mr_other', 'smri_001', 'qa.json')))
})

test('NIfTI in, NIfTI out; MetaImage in, MetaImage out; or as asked', async () => {
  const [nifti, mha] = [join(folder, 'one.nii.gz'), join(folder, 'two.mha')]
  await writeImage(nifti, ct)
  await writeImage(mha, ct)
  const own = await run([nifti, mha])
  const made = await readImage(join(own.outputDir, 'one', 'smri.nii.gz'))
  assert.ok(gridDistanceMm(made.volume.grid, grid) < 1e-3)
  assert.ok(existsSync(join(own.outputDir, 'two', 'smri.mha')))
  const asked = await run([nifti], { format: 'mha' })
  assert.ok(existsSync(join(asked.outputDir, 'one', 'smri.mha')))
})

test('DICOM asked for a NIfTI is refused, with what to do', async () => {
  const path = join(folder, 'plain.nii')
  await writeImage(path, ct)
  await assert.rejects(run([path], { format: 'dicom' }), (error) => {
    assert.ok(fault('input.unsupported')(error))
    return /--format nifti/.test((error as LarmorError).fault.fix)
  })
})

test('a bad CT among good ones is refused, the others are made, and the bad one leaves nothing', async () => {
  const [good, mr, cut] = [
    join(folder, 'good.nii.gz'),
    await dicomCt('an-mr', positive(ct), 'MR'),
    join(folder, 'none.nii'),
  ]
  await writeImage(good, ct)
  const events: Event[] = []
  const { done, refused, outputDir } = await run([mr, cut, good], { report: (event) => events.push(event) })
  assert.deepEqual(
    done.map(({ caseId }) => caseId),
    ['good'],
  )
  assert.deepEqual(
    refused.map(({ caseId, fault }) => [caseId, fault.kind]),
    [
      ['smri_001', 'input.wrongModality'],
      ['none', 'input.notFound'],
    ],
  )
  assert.deepEqual(readdirSync(outputDir), ['good'])
  assert.equal(events.filter(({ at }) => at === 'case.refused').length, 2)
})

test('a single bad CT is the command’s own refusal', async () => {
  await assert.rejects(run([await dicomCt('mr-alone', positive(ct), 'MR')]), fault('input.wrongModality'))
})

test('nothing is overwritten: what another seed, model, CT or program has left is refused before the first CT is read', async () => {
  const path = join(folder, 'twice.nii.gz')
  await writeImage(path, ct)
  const { outputDir } = await run([path])
  const missing = join(folder, 'no-such-one.nii')
  const isTaken = (what: RegExp) => (error: unknown) =>
    fault('usage.outputExists')(error) && what.test((error as LarmorError).fault.found)
  await assert.rejects(run([missing, path], { outputDir, seed: 2 }), isTaken(/another seed$/))
  await assert.rejects(run([missing, path], { outputDir, format: 'mha' }), isTaken(/another format$/))
  const other = modelFolder({ stage1: weightedChannels([0, 0.9, 0]), size: [48, 48] })
  await assert.rejects(run([path], { outputDir, packageDir: other }), isTaken(/another model$/))
  await writeImage(path, positive(ct))
  await assert.rejects(run([path], { outputDir }), isTaken(/another CT$/))
  writeFileSync(join(outputDir, 'twice', 'qa.json'), '{}')
  await assert.rejects(run([path], { outputDir }), isTaken(/without a qa\.json/))
})

test('the same command again passes over what is finished, says so, and tells of it what the first told', async () => {
  const source = await dicomCt('again', ct)
  const file = join(folder, 'again.nii.gz')
  await writeImage(file, ct)
  const first = await run([source, file])
  const before = readFileSync(join(first.outputDir, 'smri_001', 'qa.json'))
  const events: Event[] = []
  const report = (event: Event): void => void events.push(event)
  const again = await run([source, file], { outputDir: first.outputDir, report })
  assert.deepEqual(again, first)
  assert.deepEqual(readFileSync(join(first.outputDir, 'smri_001', 'qa.json')), before)
  const notes = events.flatMap((event) => (event.at === 'note' ? [event.message] : []))
  assert.deepEqual(
    notes,
    ['smri_001', 'again'].map(
      (id) => `${join(first.outputDir, id)} is there already, made by the same model from the same CT`,
    ),
  )
  assert.ok(!events.some((event) => event.at === 'progress' && event.task === 'synthesis'))
})

test('interrupted, it leaves no half series', async () => {
  const source = await dicomCt('stopped', ct)
  const stop = new AbortController()
  const outputDir = join(folder, 'stopped-out')
  const report = (event: Event): void => void (event.at === 'progress' && event.done >= 4 && stop.abort())
  await assert.rejects(run([source], { outputDir, report, signal: stop.signal }), fault('interrupted'))
  assert.ok(!existsSync(outputDir))
})

test('interrupted at the second CT, the same command goes on with it', async () => {
  const paths = [await dicomCt('first-of-two', ct), await dicomCt('second-of-two', ct)]
  const outputDir = join(folder, 'goes-on')
  const stop = new AbortController()
  const report = (event: Event): void => void (event.at === 'case.done' && stop.abort())
  await assert.rejects(run(paths, { outputDir, report, signal: stop.signal }), (error) => {
    assert.ok(fault('interrupted')(error))
    return /^Run the same command again: what was finished is kept\.$/.test((error as LarmorError).fault.fix)
  })
  assert.deepEqual(readdirSync(outputDir), ['smri_001'])
  const made: string[] = []
  const { done } = await run(paths, {
    outputDir,
    report: (event) => void (event.at === 'case.done' && made.push(event.caseId)),
  })
  assert.deepEqual([done.map(({ caseId }) => caseId), made], [['smri_001', 'smri_002'], ['smri_002']])
})

test('outputs are named by the cohort’s id or the file’s own stem, and DICOM ones by number, never by their folder', () => {
  const paths = ['/c/patients/p007/ct.nii.gz', 'study/x.mha', '/export/DOE^JANE/CT', 'other/y.nii']
  assert.deepEqual(caseIds(paths), ['p007', 'x', 'smri_003', 'y'])
  assert.deepEqual(caseIds(['/a/pt_1/ct.nii.gz', '/a/pt_2/ct.nii.gz', '/b/pt_2/ct.nii']), ['pt_1', 'pt_2', 'pt_2_2'])
})

test('no two outputs have one name, and none has that of another’s uncertainty', () => {
  assert.deepEqual(caseIds(['/a/s/ct.nii', '/b/s/ct.nii', '/c/s_2.nii']), ['s', 's_3', 's_2'])
  assert.deepEqual(caseIds(['/c/smri_002.nii', '/export/CT']), ['smri_002', 'smri_002_2'])
  assert.deepEqual(caseIds(['a.nii', 'a_uncertainty.nii']), ['a', 'a_uncertainty_2'])
  assert.deepEqual(caseIds(['a_uncertainty.nii', 'a.nii']), ['a_uncertainty', 'a_2'])
})

test('a tilted, flipped CT in DICOM comes back on its own grid', async () => {
  const [c, s] = [Math.cos(0.2), Math.sin(0.2)]
  const tilted: Mat3 = [
    [1, 0, 0],
    [0, c, s],
    [0, -s, c],
  ]
  const source = await dicomCt(
    'tilted',
    sampledCt({ ...grid, ...centredGrid([48, 44, 12], [1.6, 1.6, 4], tilted, [12, -18, 30]) }),
  )
  const { outputDir } = await run([source])
  const [made, original] = [await readImage(join(outputDir, 'smri_001')), await readImage(source)]
  assert.ok(gridDistanceMm(made.volume.grid, original.volume.grid) < 1e-6)
  const [before, after] = [centreOfGravityMm(original.volume, 200), centreOfGravityMm(made.volume, 600)]
  assert.ok(Math.hypot(...before.map((x, axis) => x - after[axis]!)) < 0.1)
})

test('the command synthesises without ever loading libtorch or the addon', async () => {
  const path = join(folder, 'child.nii.gz')
  await writeImage(path, ct)
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
  const atExit =
    'import { readFileSync } from "node:fs"; process.on("exit", () => process.stderr.write("\\nMAPS " + ' +
    'readFileSync("/proc/self/maps", "utf8").split("\\n").map((line) => line.split("/").pop()).join(" ")))'
  const words = [
    'synthesize',
    path,
    '--model',
    ownPackage,
    '--output',
    join(folder, 'child-out'),
    '--json',
    '--threads',
    '1',
  ]
  const child = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(atExit)}`, main, ...words],
    {
      encoding: 'utf8',
    },
  )
  assert.equal(child.status, 0, child.stderr)
  const maps = child.stderr.slice(child.stderr.indexOf('MAPS '))
  assert.match(maps, /libonnxruntime/)
  assert.doesNotMatch(maps, /libtorch|libc10|larmor-[\d.]+-\w+\.node/)
  const printed = JSON.parse(child.stdout) as { done: { id: string }[] }
  assert.deepEqual(
    printed.done.map(({ id }) => id),
    ['child'],
  )
})

function positive({ grid, values }: Volume): Volume {
  return { grid, values: Int16Array.from(values, (hu) => Math.max(0, hu + 300)) }
}

test('what cannot be made or written is told before the CT is read', async () => {
  const missing = join(folder, 'no-such-ct.nii.gz')
  await assert.rejects(run([missing], { mode: 'single', samples: 3 }), fault('usage.wrong'))
  const file = join(folder, 'a-file')
  writeFileSync(file, '')
  await assert.rejects(run([missing], { outputDir: join(file, 'within') }), fault('usage.outputExists'))
  const outputDir = join(folder, 'new', 'and', 'deep')
  await assert.rejects(run([missing], { outputDir }), fault('input.notFound'))
  assert.ok(!existsSync(join(folder, 'new')), 'trying whether it can be written leaves nothing')
})
