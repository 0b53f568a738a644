/** Bad input as a user meets it: a clear typed refusal, the promised exit code, and nothing lost that was finished. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { newUid, writeDicomSeries } from '../../src/formats/index.ts'
import { identityDirection, type Volume } from '../../src/volume/index.ts'
import { writeSmallCohort } from '../plan/small-cohort.ts'
import { centredGrid, sampledCt } from '../synthesis/phantom.ts'
import { modelFolder, weightedChannels } from '../synthesis/small-models.ts'
import { smallStore, TINY, type SmallStore } from '../training/small-store.ts'
import { larmor, type Ended } from './larmor.ts'

let folder: string
let model: string
let store: SmallStore
const ct = sampledCt(centredGrid([48, 44, 12], [1.6, 1.6, 4], identityDirection, [12, -18, 30]))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'larmor-cli-'))
  model = modelFolder({ stage1: weightedChannels([0, 1, 0]), size: [48, 48] })
  store = await smallStore()
})
afterAll(async () => {
  await rm(folder, { recursive: true })
  await store.remove()
})

async function series(name: string, patient: string, volume: Volume = ct, modality: 'CT' | 'MR' = 'CT') {
  const path = join(folder, name)
  await writeDicomSeries(path, {
    volume,
    modality,
    patient: { id: patient, name: `TEST^${patient}` },
    studyUid: newUid(patient, 'study'),
    seriesUid: newUid(name, 'series'),
    frameOfReferenceUid: newUid(name, 'frame'),
    seriesNumber: 1,
    description: 'test',
    patientPosition: 'HFS',
  })
  return path
}

/** The kinds of refusal that --json prints, wherever the object keeps them. */
function kindsIn({ stdout }: Ended): string[] {
  JSON.parse(stdout) // one object, and nothing else on standard output
  return [...stdout.matchAll(/"kind":"([\w.]+)"/g)].map(([, kind]) => kind!)
}

async function refused(args: readonly string[], code: number, kind: string): Promise<Ended> {
  const ended = await larmor([...args, '--json'])
  assert.equal(ended.code, code, ended.stderr)
  assert.ok(kindsIn(ended).includes(kind), `${kind} in ${ended.stdout}`)
  assert.doesNotMatch(ended.stderr, /\n\s+at .*:\d+:\d+/, 'a person is shown no stack')
  return ended
}

const newFolder = (name: string): string => join(folder, name)

test('an unknown setting of a run is refused before the folder is made, with the setting that is near', async () => {
  const run = newFolder('run-misspelt')
  const args = ['train', 'pix2pix', store.storeDir, '--run', run, '--set', 'lerningRate=1']
  const { stderr } = await refused(args, 2, 'config.refused')
  assert.match(stderr, /learningRate/)
  await assert.rejects(readdir(run))
})

test('an empty folder, files that are no images, and a path that is not there are refused', async () => {
  const empty = newFolder('empty')
  await mkdir(empty)
  await refused(['import', empty, '--cohort', newFolder('c0')], 3, 'input.empty')
  await writeFile(join(empty, 'notes.txt'), 'nothing here is an image')
  await refused(['import', empty, '--cohort', newFolder('c0')], 3, 'input.empty')
  await refused(['import', join(folder, 'nowhere'), '--cohort', newFolder('c0')], 3, 'input.notFound')
  await refused(['synthesize', empty, '--model', model, '--output', newFolder('s0')], 3, 'input.empty')
})

test('a truncated slice and a missing slice are refused with figures; the good patient beside them comes in', async () => {
  const sources = newFolder('mixed')
  const [cut, gap] = [await series('mixed/cut', 'A'), await series('mixed/gap', 'B')]
  await series('mixed/good', 'C')
  const [first] = (await readdir(cut)).toSorted()
  await writeFile(join(cut, first!), (await readFile(join(cut, first!))).subarray(0, 2500))
  const names = (await readdir(gap)).toSorted()
  await rm(join(gap, names[5]!))
  const ended = await refused(['import', sources, '--cohort', newFolder('c1')], 5, 'geometry.missingSlice')
  assert.ok(kindsIn(ended).includes('input.truncated'))
  assert.match(ended.stdout, /8\.00 mm/)
  const { stdout } = await larmor(['cohort', newFolder('c1'), '--json'])
  assert.equal((JSON.parse(stdout) as { patients: unknown[] }).patients.length, 1)
  await refused(['synthesize', gap, '--model', model, '--output', newFolder('s1')], 3, 'geometry.missingSlice')
})

test('two patients in one folder: import makes two, synthesize refuses to choose, and no name is shown', async () => {
  const both = newFolder('both')
  for (const patient of ['ONE', 'TWO']) {
    const path = await series(`apart-${patient}`, patient)
    await mkdir(both, { recursive: true })
    for (const file of await readdir(path)) await copyFile(join(path, file), join(both, `${patient}-${file}`))
  }
  const imported = await larmor(['import', both, '--cohort', newFolder('c2'), '--json'])
  assert.equal(imported.code, 0, imported.stderr)
  assert.equal((JSON.parse(imported.stdout) as { cases: unknown[] }).cases.length, 2)
  const ended = await refused(
    ['synthesize', both, '--model', model, '--output', newFolder('s2')],
    3,
    'input.severalPatients',
  )
  assert.doesNotMatch(ended.stdout + ended.stderr + imported.stdout, /TEST\^/)
})

test('an MR in the place of the CT, and a model of another input size than its card says, are refused', async () => {
  const mr = await series('an-mr', 'M', { grid: ct.grid, values: ct.values.map((hu) => hu + 1000) }, 'MR')
  await refused(['synthesize', mr, '--model', model, '--output', newFolder('s3')], 3, 'input.wrongModality')
  const other = modelFolder({ stage1: weightedChannels([0, 1, 0], [32, 32]), size: [48, 48] })
  const good = await series('a-ct', 'G')
  await refused(['synthesize', good, '--model', other, '--output', newFolder('s3')], 3, 'model.mismatch')
  await assert.rejects(readdir(newFolder('s3')))
})

test('a second synthesis into the same folder is refused, the same one passed over; the first is left as it is', async () => {
  const args = ['synthesize', await series('again', 'R'), '--model', model, '--output', newFolder('s4')]
  assert.equal((await larmor(args)).code, 0)
  const qa = (): Promise<string> => readFile(join(newFolder('s4'), 'smri_001', 'qa.json'), 'utf8')
  const before = await qa()
  await refused([...args, '--seed', '77'], 2, 'usage.outputExists')
  const again = await larmor(args)
  assert.equal(again.code, 0)
  assert.match(again.stderr, /is there already, made by the same model from the same CT/)
  assert.equal(await qa(), before)
})

test('a cohort without a patient to make anything of is refused, not done in no time', async () => {
  const cohort = newFolder('excluded')
  await writeSmallCohort(cohort, [{}])
  const listed = JSON.parse(await readFile(join(cohort, 'cohort.json'), 'utf8')) as { patients: object[] }
  const patients = listed.patients.map((patient) => ({ ...patient, excluded: { reason: 'test' } }))
  await writeFile(join(cohort, 'cohort.json'), JSON.stringify({ ...listed, patients }))
  await refused(['synthesize', cohort, '--model', model, '--output', newFolder('s5')], 3, 'cohort.noPatient')
  await assert.rejects(readdir(newFolder('s5')))
})

test('CUDA where there is none ends with 4', async (context) => {
  const { stdout } = await larmor(['doctor', '--json'])
  if (/"cuda":\{"available":true|"cuda":true/.test(stdout)) context.skip('this machine has CUDA')
  const args = ['train', 'pix2pix', store.storeDir, '--run', newFolder('cuda'), '--device', 'cuda']
  await refused(args, 4, 'machine.noCuda')
})

test('Ctrl-C during training ends with 130 within two seconds, and --resume goes on', async () => {
  const run = newFolder('interrupted')
  const settings = [
    '--set',
    ...TINY.residual,
    'steps=100000',
    'validations=1',
    'validationSlices=1',
    'checkpointSeconds=0.2',
  ]
  let askedMs = 0
  const ended = await larmor(['train', 'pix2pix', store.storeDir, '--run', run, '--threads', '1', ...settings], {
    onStderr(soFar, kill) {
      if (askedMs > 0 || !soFar.includes('checkpoint')) return
      askedMs = performance.now()
      kill('SIGINT')
    },
  })
  assert.equal(ended.code, 130, ended.stderr)
  assert.ok(performance.now() - askedMs < 2000, `${performance.now() - askedMs} ms`)
  const listed = await larmor(['runs', run, '--json'])
  assert.match(listed.stdout, /"state":"interrupted"/)
  const again = await larmor(['train', 'pix2pix', store.storeDir, '--run', run, '--resume'], {
    onStderr: (soFar, kill) => soFar.includes('step ') && kill('SIGINT'),
  })
  assert.equal(again.code, 130, again.stderr)
})

test('a full disk ends with 4 and no half series; with room, the same command does its work (skipped where nothing may be mounted)', async (context) => {
  const disk = newFolder('disk')
  await mkdir(disk)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32k', 'tmpfs', disk], { stdio: 'ignore' })
  } catch {
    context.skip('this user may not mount a file system')
  }
  try {
    const args = ['synthesize', await series('full', 'F'), '--model', model, '--output', join(disk, 'smri')]
    await refused(args, 4, 'machine.diskFull')
    assert.deepEqual(
      (await readdir(disk, { recursive: true })).filter((name) => /dcm|qa/.test(name)),
      [],
    )
    execFileSync('mount', ['-o', 'remount,size=8m', disk])
    assert.equal((await larmor(args)).code, 0)
  } finally {
    execFileSync('umount', [disk])
  }
})
