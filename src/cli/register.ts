/** `larmor register`: every MR of a cohort, or of one pair, on its CT's grid, with figures and a verdict. */
import { join } from 'node:path'
import { z } from 'zod'
import { LarmorError } from '../errors.ts'
import { refuseFilled, sha256, writeJson } from '../files.ts'
import { nameTwoPatients, readImage } from '../formats/index.ts'
import {
  askingToLook,
  imageRecord,
  maskOf,
  readLandmarksRas,
  readPointsRas,
  registerPair,
  saveDicomRegistration,
  sourceOfSeries,
  registrationRecord,
  writeImages,
  writePointsRas,
  writeValid,
} from '../registration/index.ts'
import type { RegisteredPair } from '../registration/index.ts'
import { requireDevice, setThreads } from '../tensor/index.ts'
import type { Volume } from '../volume/index.ts'
import { transformPoints } from '../volume/index.ts'
import type { Context, Outcome } from './command.ts'
import { command } from './command.ts'
import type { HowToRegister } from './register-cohort.ts'
import { registerCohort, savePicture, summaryOf } from './register-cohort.ts'

const options = z.strictObject({
  cohort: z.string().optional(),
  jobs: z.coerce.number().int().min(1).max(256).default(1),
  patient: z.array(z.string()).optional(),
  fixed: z.string().optional(),
  moving: z.string().optional(),
  output: z.string().optional(),
  points: z.string().optional(),
  rigidOnly: z.boolean().default(false),
  affine: z.boolean().default(false),
  backward: z.boolean().default(true),
  fixedMask: z.string().optional(),
  movingMask: z.string().optional(),
  landmarks: z.string().optional(),
})
type Options = z.infer<typeof options>

export { registerPatient } from './register-cohort.ts'

export const registerCommand = command({
  name: 'register',
  summary: 'Align MR with CT and put it on the CT grid.',
  arguments: [['[cohort]', 'all patients that are not excluded; those already registered are passed over']],
  flags: [
    ['-j, --jobs <n>', 'patients at a time, each in a process of its own (default 1)'],
    ['--patient <id...>', 'only these patients'],
    ['--fixed <ct>', 'one pair without a cohort: the CT (DICOM folder, .nii, .nii.gz or .mha)'],
    ['--moving <mr>', 'and the MR'],
    ['--output <dir>', 'where mr.nii.gz, valid.nii.gz, registration.json and pictures of the pair go'],
    ['--points <csv>', 'points x,y,z in the CT (RAS mm); points.csv gets the same points in the MR'],
    ['--rigid-only', 'turn and shift, and deform nothing'],
    ['--affine', 'let the MR also be scaled and sheared'],
    ['--no-backward', 'do without the run from MR to CT: half the time, no inverse consistency, verdict look at best'],
    ['--fixed-mask <mask>', 'of a pair: compare only what is 1 in this image, which lies on the CT’s grid'],
    ['--moving-mask <mask>', 'and in this one, on the MR’s'],
    ['--landmarks <csv>', 'of a pair: fixed_x … moving_z, places in both images (RAS mm) to be brought together'],
  ],
  options,
  cuda: true,

  async run(given, context) {
    // Before libtorch is loaded: its threads sleep while they wait. On a shared machine spinning costs fifteenfold.
    process.env['OMP_WAIT_POLICY'] ??= 'passive'
    requireDevice(context.device)
    setThreads(context.threads)
    const { cohort, jobs, patient } = given
    if (cohort === undefined) return registerOnePair(given, context)
    const ofPairs = [given.fixed, given.moving, given.output, given.points, given.fixedMask, given.movingMask]
    if ([...ofPairs, given.landmarks].some((value) => value !== undefined)) {
      throw wrong('a cohort and a pair', 'either a cohort, or --fixed, --moving and --output')
    }
    return registerCohort(cohort, { jobs, only: patient, how: howOf(given) }, context)
  },
})

function howOf({ rigidOnly, affine, backward }: Options): HowToRegister {
  return { rigidOnly, affine, backward }
}

async function registerOnePair(given: Options, context: Context): Promise<Outcome> {
  const { fixed, moving, output, points } = given
  if (fixed === undefined || moving === undefined || output === undefined) {
    throw wrong('neither a cohort nor a whole pair', 'a cohort, or --fixed, --moving and --output')
  }
  await refuseFilled(output)
  const inCt = points === undefined ? undefined : await readPointsRas(points)
  const [ct, mr] = [await readImage(fixed, context), await readImage(moving, context)]
  checkModality(ct.modality, 'CT', fixed)
  checkModality(mr.modality, 'MR', moving)
  const helped = { masks: await masksOf(given, ct.volume, mr.volume, context), landmarks: await landmarksOf(given) }
  const aligned = await registerPair(ct.volume, mr.volume, { ...context, ...howOf(given), ...helped })
  const isDoubtful = ct.dicom !== undefined && mr.dicom !== undefined && nameTwoPatients(ct.dicom, mr.dicom)
  const pair = isDoubtful ? withDoubt(aligned, TWO_PATIENTS) : aligned
  const files = await writeImages(output, 'mr', ct.volume, mr.volume, pair, savePicture)
  const source = ct.dicom && mr.dicom && files.file !== null ? sourceOfSeries(ct.dicom, mr.dicom) : undefined
  if (source) await saveDicomRegistration(output, 'mr', pair.result.transform, source, new Date())
  await writeValid(output, files.file === null ? undefined : pair.valid)
  if (inCt) await writePointsRas(join(output, 'points.csv'), transformPoints(pair.result.transform, inCt))
  const record = registrationRecord(
    { role: 'ct', sha256: hashOf(ct.volume) },
    [imageRecord({ role: 'mr', sha256: hashOf(mr.volume), ...files }, pair)],
    context,
  )
  await writeJson(join(output, 'registration.json'), record)
  const pictures = record.verdict === 'good' ? '' : `; look at ${join(output, 'mr_*.png')}`
  const text = `${summaryOf(record, false)}\nResults in ${output}${pictures}`
  return { json: { output, ...record }, text, exitCode: record.verdict === 'reject' ? 3 : 0 }
}

/** No refusal: two hospitals, or two pseudonyms, may have named one patient. */
const TWO_PATIENTS = 'the DICOM headers of CT and MR name two patients (number or name differs)'

function withDoubt({ result, ...images }: RegisteredPair, says: string): RegisteredPair {
  return { ...images, result: { ...result, ...askingToLook(result, says) } }
}

async function masksOf({ fixedMask, movingMask }: Options, ct: Volume, mr: Volume, context: Context) {
  const read = async (path: string | undefined, image: Volume, name: 'CT' | 'MR') =>
    path === undefined ? undefined : maskOf((await readImage(path, context)).volume, image.grid, name, path)
  return { fixed: await read(fixedMask, ct, 'CT'), moving: await read(movingMask, mr, 'MR') }
}

async function landmarksOf({ landmarks }: Options) {
  return landmarks === undefined ? undefined : readLandmarksRas(landmarks)
}

/** Of a pair's voxels: a DICOM series is many files, so the values themselves are named. */
function hashOf({ values }: Volume): string {
  return sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
}

function checkModality(found: 'CT' | 'MR' | 'unknown', expected: 'CT' | 'MR', where: string): void {
  if (found === 'unknown' || found === expected) return
  throw new LarmorError({
    kind: 'input.wrongModality',
    message: 'An image is of another kind than was asked for.',
    where,
    found,
    expected,
    fix: 'Give the CT with --fixed and the MR with --moving.',
  })
}

function wrong(found: string, expected: string): LarmorError {
  return new LarmorError({
    kind: 'usage.wrong',
    message: 'The command cannot be understood.',
    where: 'larmor register',
    found,
    expected,
    fix: 'Run: larmor register --help',
  })
}
