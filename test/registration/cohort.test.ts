import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, test } from 'vitest'
import { registerCommand } from '../../src/cli/register.ts'
import type { Fault } from '../../src/errors.ts'
import { LarmorError } from '../../src/errors.ts'
import { sha256OfFile, writeJson } from '../../src/files.ts'
import { readNifti, readVectorField, writeNifti } from '../../src/formats/index.ts'
import type { Event } from '../../src/progress.ts'
import { affineOfRows, openTransform, registrationSchema } from '../../src/registration/index.ts'
import { affineOf, rotationAbout } from '../../src/registration/pose.ts'
import type { Volume } from '../../src/volume/index.ts'
import {
  apply,
  fieldOfViewThrough,
  fromTotalDisplacement,
  gridDistanceMm,
  norm,
  subtract,
  transformPoint,
  volume,
} from '../../src/volume/index.ts'
import { headCt, headMr, mrGridFor } from './head.ts'

const truth = affineOf({ rotation: rotationAbout([0, 0, 1], 0.1), shiftMm: [6, -4, 9] }, [0, 0, 0])
const ct = headCt()
const mr = headMr(truth, mrGridFor(truth))
const folder = await mkdtemp(join(tmpdir(), 'larmor-register-'))
const cohort = join(folder, 'cohort')
const results = join(cohort, 'patients', 'p001', 'registration')

const events: Event[] = []
const context = {
  report: (event: Event) => void events.push(event),
  signal: new AbortController().signal,
  seed: 1,
  threads: 1,
  device: 'cpu',
} as const
/** What the command line fills in. */
const usual = { jobs: 1, rigidOnly: false, affine: false, backward: true }
const record = async (path: string) => registrationSchema.parse(JSON.parse(await readFile(path, 'utf8')))

/** As import leaves it; p001 came from DICOM, the others from NIfTI. */
function sidecarFor(role: string, { grid }: Volume, id: string) {
  const unknown = {
    seriesNumber: null,
    description: null,
    protocolName: null,
    patientPosition: null,
    manufacturer: null,
  }
  const notMeasured = { modelName: null, sliceThicknessMm: null, kvp: null, kernel: null, contrastAgent: null }
  const sequence = {
    scanningSequence: [],
    sequenceVariant: [],
    sequenceName: null,
    repetitionTimeMs: null,
    echoTimeMs: null,
  }
  const source =
    id === 'p001'
      ? {
          kind: 'dicom',
          studyUid: '1.2.1',
          seriesUid: `1.2.${role.length}`,
          frameOfReferenceUid: `1.3.${role.length}`,
          sopClassUid: '1.2.840.10008.5.1.4.1.1.4',
          images: 3,
          ...unknown,
          ...notMeasured,
          ...sequence,
          inversionTimeMs: null,
          flipAngleDegrees: null,
          fieldStrengthT: null,
        }
      : { kind: 'nifti', file: `${role}.nii.gz`, sha256: '' }
  const { size, spacingMm } = grid
  return { schema: 'larmor/image@1', role, why: '', deidentified: false, source, size, spacingMm, larmor: '0.1.0' }
}

async function patient(id: string, images: Record<string, Volume>, excluded: { reason: string } | null = null) {
  const own = join('patients', id)
  await mkdir(join(cohort, own), { recursive: true })
  const listed = []
  for (const [role, image] of Object.entries(images)) {
    const file = join(own, `${role}.nii.gz`)
    await writeNifti(join(cohort, file), image)
    await writeJson(join(cohort, own, `${role}.json`), sidecarFor(role, image, id))
    listed.push({ role, file, sidecar: join(own, `${role}.json`), sha256: await sha256OfFile(join(cohort, file)) })
  }
  return { id, images: listed, structures: [], excluded }
}

beforeAll(async () => {
  const constant = volume(mr.grid, new Float32Array(mr.values.length).fill(3))
  const patients = [
    await patient('p001', { ct, mr_t1: mr }),
    await patient('p002', { ct, mr_t1: constant }),
    await patient('p003', { ct, mr_t1: constant }, { reason: 'moved' }),
    await patient('p004', { ct }),
  ]
  await writeJson(join(cohort, 'cohort.json'), { schema: 'larmor/cohort@1', patients })
})

test('a cohort is registered: the good one done, the bad ones refused by kind, the excluded one left alone, exit 5', async () => {
  const { json, exitCode } = await registerCommand.run({ ...usual, cohort }, context)
  assert.equal(exitCode, 5)
  const refused = events.filter((event) => event.at === 'case.refused')
  assert.deepEqual(
    refused.map(({ caseId, fault }) => [caseId, fault.kind]),
    [
      ['p002', 'input.badValue'],
      ['p004', 'cohort.incomplete'],
    ],
  )
  assert.equal(json['excluded'], 1)
  assert.deepEqual((await readdir(results)).sort(), [
    'deformable_mr_t1.dcm',
    'deformation_mr_t1.nii.gz',
    'mr_t1.nii.gz',
    'mr_t1_axial.png',
    'mr_t1_coronal.png',
    'mr_t1_deformation_axial.png',
    'mr_t1_deformation_coronal.png',
    'mr_t1_deformation_sagittal.png',
    'mr_t1_sagittal.png',
    'registration.json',
    'rigid_mr_t1.dcm',
    'valid.nii.gz',
  ])
})

test('what is written is the MR on the grid of the CT, where it has data, and the transform that puts it there', async () => {
  const found = await record(join(results, 'registration.json'))
  const rigid = affineOfRows(found.images[0]!.movingFromFixedMm)
  const field = await readVectorField(join(results, 'deformation_mr_t1.nii.gz'))
  const transform = fromTotalDisplacement(field, rigid)
  for (const point of [
    [0, -85, 0],
    [70, 0, 0],
    [0, 0, 70],
    [0, 15, -80],
  ] as const) {
    assert.ok(norm(subtract(apply(rigid, point), apply(truth, point))) < 0.6)
    // The truth is rigid: what is deformed beyond it is error. Voxels of 4 mm, each of one tissue: half of one.
    assert.ok(norm(subtract(transformPoint(transform, point), apply(truth, point))) < 2)
  }
  // On voxels this coarse there and back ends off by nearly the limit, and a person may be asked to look.
  assert.notEqual(found.verdict, 'reject', found.reason)
  assert.ok(found.inverseConsistencyMm! > 0 && found.inverseConsistencyMm! < 2)
  assert.ok(found.jacobian.min > 0.5 && found.jacobian.foldedShare === 0)
  const onCt = await readNifti(join(results, 'mr_t1.nii.gz'))
  const valid = await readNifti(join(results, 'valid.nii.gz'))
  assert.ok(gridDistanceMm(onCt.grid, ct.grid) < 0.01)
  assert.ok(onCt.values instanceof Float32Array && valid.values instanceof Uint8Array)
  const expected = fieldOfViewThrough(transform, mr.grid, ct.grid).values
  // What is written is the spline itself; what was read has passed through a file of 4 mm.
  assert.ok(valid.values.filter((inside, at) => inside !== expected[at]).length < 0.005 * expected.length)
})

test('the DICOM objects and the folder itself lead to the same places, in the frames of reference of the images', async () => {
  const { transform, fixedFrameUid, movingFrameUid } = await openTransform(join(results, 'deformable_mr_t1.dcm'), {})
  assert.deepEqual([fixedFrameUid, movingFrameUid], ['1.3.2', '1.3.5'])
  const { transform: saved } = await openTransform(results, {})
  for (const point of [
    [0, -80, 0],
    [65, 0, 10],
    [0, 15, -70],
  ] as const)
    assert.ok(norm(subtract(transformPoint(transform, point), transformPoint(saved, point))) < 0.05)
  const { transform: rigid } = await openTransform(join(results, 'rigid_mr_t1.dcm'), {})
  const matrix = affineOfRows((await record(join(results, 'registration.json'))).images[0]!.movingFromFixedMm)
  assert.ok(norm(subtract(transformPoint(rigid, [50, 0, 0]), apply(matrix, [50, 0, 0]))) < 1e-6)
  await assert.rejects(openTransform(results, { role: 'mr_t2' }), (error) => isFault(error, 'input.badValue'))
})

function isFault(error: unknown, kind: string): boolean {
  return error instanceof LarmorError && error.fault.kind === kind
}

test('a second run passes over what is registered already, and tells so', async () => {
  const before = (await stat(join(results, 'mr_t1.nii.gz'))).mtimeMs
  const { text } = await registerCommand.run({ ...usual, cohort }, context)
  assert.match(text, /p001 {2}mr_t1 (good|look).*already registered/)
  assert.equal((await stat(join(results, 'mr_t1.nii.gz'))).mtimeMs, before)
})

test('several at a time, each in a process of its own, end as one after the other', async () => {
  const { json, exitCode } = await registerCommand.run({ ...usual, cohort, jobs: 2 }, context)
  assert.equal(exitCode, 5)
  const { registered, refused } = json as { registered: { id: string }[]; refused: ({ id: string } & Fault)[] }
  assert.deepEqual(
    registered.map(({ id }) => id),
    ['p001'],
  )
  assert.deepEqual(
    refused.map(({ id, kind }) => [id, kind]),
    [
      ['p002', 'input.badValue'],
      ['p004', 'cohort.incomplete'],
    ],
  )
})

test('one pair with points: the points in the MR are where the transform puts them', async () => {
  const output = join(folder, 'pair')
  const points = join(folder, 'points.csv')
  await writeFile(points, 'x,y,z\n0,85,0\n-70,0,0\n')
  const fixed = join(cohort, 'patients', 'p001', 'ct.nii.gz')
  const moving = join(cohort, 'patients', 'p001', 'mr_t1.nii.gz')
  // Half of the work: the way back is shown by the cohort above, and alone by rigid.test.ts.
  const how = { ...usual, rigidOnly: true, backward: false }
  const { json } = await registerCommand.run({ ...how, fixed, moving, output, points }, context)
  assert.equal(json['verdict'], 'look')
  assert.match(String(json['reason']), /no backward run/)
  assert.equal(json['inverseConsistencyMm'], null)
  const [, ...lines] = (await readFile(join(output, 'points.csv'), 'utf8')).trim().split('\n')
  const inMr = lines.map((line) => line.split(',').map(Number))
  const expected = [apply(truth, [0, -85, 0]), apply(truth, [70, 0, 0])].map(([x, y, z]) => [-x, -y, z])
  inMr.forEach((point, n) => assert.ok(Math.hypot(...point.map((mm, axis) => mm - expected[n]![axis]!)) < 0.6))
})

test('neither a cohort nor a whole pair is wrong usage', async () => {
  const isUsage = (error: unknown): boolean => error instanceof LarmorError && error.fault.kind === 'usage.wrong'
  await assert.rejects(registerCommand.run({ ...usual, fixed: 'a.nii' }, context), isUsage)
  await assert.rejects(registerCommand.run({ ...usual, cohort, fixed: 'a.nii' }, context), isUsage)
})
