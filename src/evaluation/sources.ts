/**
 * Cases from files: a single pair, or the patients of a cohort with one folder of images a prediction.
 *
 * Of a cohort is read: patients/<id>/ct.nii.gz, and in registration/ the MR on the CT's grid (mr_<sequence>.nii.gz),
 * valid.nii.gz (where it has data) and registration.json. A prediction's folder holds <id>.nii.gz, .nii or .mha, or a
 * folder <id>/ with one such file or one DICOM series; a JSON beside it may state its black and white.
 */
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { LarmorError } from '../errors.ts'
import { exists, readJson } from '../files.ts'
import { isMetaImage, isNifti, readImage } from '../formats/index.ts'
import { bodyMask } from '../volume/index.ts'
import type { Mask, MrScale, Volume } from '../volume/index.ts'
import type { Baseline } from './baseline.ts'
import type { EvaluationCase, Finding, LoadedCase, Prediction } from './evaluation.ts'

export type PairPaths = {
  readonly reference: string
  readonly test: string
  readonly mask?: string | undefined
  /** Shown in the report; makes the mask where none is given. */
  readonly ct?: string | undefined
  readonly testScale?: MrScale | undefined
}

/** One pair of images, whatever wrote them. Its id is `pair`: a file's name may be a person's. */
export function pairCase({ reference, test, mask, ct, testScale }: PairPaths): EvaluationCase {
  return {
    id: 'pair',
    load: async (): Promise<LoadedCase> => {
      const ctVolume = ct === undefined ? undefined : (await readImage(ct)).volume
      const given = mask === undefined ? undefined : asMask((await readImage(mask)).volume)
      return {
        reference: (await readImage(reference)).volume,
        mask: given ?? (ctVolume && bodyMask(ctVolume)),
        ct: ctVolume,
      }
    },
    predictions: [
      {
        name: 'test',
        load: async () => ({ volume: (await readImage(test)).volume, scale: testScale ?? (await statedScale(test)) }),
      },
    ],
  }
}

export type PredictionFolder = { readonly name: string; readonly folder: string }

export type CohortOptions = {
  /** 'mr_t1', …; left out where each patient has one registered MR. */
  readonly role?: string | undefined
  /** Black and white of every prediction, instead of what stands beside them. */
  readonly testScale?: MrScale | undefined
  /** Which part of the split a patient is in, where that is known: a training patient's score is no evidence. */
  readonly splitOf?: ((id: string) => string) | undefined
  /** Made from the CT by the program itself and scored beside the predictions. */
  readonly baseline?: Baseline | undefined
}

/**
 * The patients of a cohort for whom at least one prediction is there, in the cohort's order; excluded ones are left out.
 * @throws cohort.noPatient   none of them has a prediction
 * @throws input.notFound, json.refused  no cohort
 */
export async function cohortCases(
  cohortDir: string,
  folders: readonly PredictionFolder[],
  options: CohortOptions = {},
): Promise<EvaluationCase[]> {
  const { patients } = await readJson(join(cohortDir, 'cohort.json'), CohortIndex)
  const cases: EvaluationCase[] = []
  for (const { id, excluded } of patients) {
    if (excluded) continue
    const found = await Promise.all(folders.map(async ({ folder }) => await findImage(folder, id)))
    if (found.some((path) => path !== undefined)) cases.push(patientCase(cohortDir, id, folders, options))
  }
  if (cases.length > 0) return cases
  throw new LarmorError({
    kind: 'cohort.noPatient',
    message: 'No patient of the cohort has a prediction.',
    where: folders.map(({ folder }) => folder).join(', '),
    found: 'no file or folder named after a patient of the cohort',
    expected: '<id>.nii.gz or <id>/ for some of its patients',
    fix: 'Run larmor synthesize on the cohort, or name the images after the patients (p001 …).',
  })
}

/** Only what is needed here: who is in the cohort, and who is left out. */
const CohortIndex = z.looseObject({
  schema: z.literal('larmor/cohort@1'),
  patients: z.array(z.looseObject({ id: z.string().regex(/^[\w-]+$/), excluded: z.unknown() })),
})

function patientCase(
  cohortDir: string,
  id: string,
  folders: readonly PredictionFolder[],
  { role, testScale, splitOf, baseline }: CohortOptions,
): EvaluationCase {
  const folder = join(cohortDir, 'patients', id)
  return {
    id,
    load: async () => {
      const registration = join(folder, 'registration')
      const [reference, ct] = [
        await registeredMr(registration, id, role),
        (await readImage(join(folder, 'ct.nii.gz'))).volume,
      ]
      const valid = join(registration, 'valid.nii.gz')
      return {
        reference: (await readImage(reference)).volume,
        mask: bodyMask(ct),
        fieldOfView: (await exists(valid)) ? asMask((await readImage(valid)).volume) : undefined,
        ct,
        findings: [
          ...(splitOf ? [{ label: 'part of the split', value: splitOf(id) }] : []),
          ...(await registrationFindings(registration, basename(reference, '.nii.gz'))),
        ],
      }
    },
    predictions: [
      ...folders.map(({ name, folder }) => ({
        name,
        load: async () => await loadPrediction(folder, id, name, testScale),
      })),
      ...(baseline ? [{ name: baseline.name, load: async (of: LoadedCase) => baseline.predict(of) }] : []),
    ],
  }
}

async function loadPrediction(folder: string, id: string, name: string, testScale?: MrScale): Promise<Prediction> {
  const path = await findImage(folder, id)
  if (path === undefined)
    throw new LarmorError({
      kind: 'input.notFound',
      message: 'A prediction lacks this patient.',
      where: `${name}, ${id}`,
      found: `neither ${id}.nii.gz nor a folder ${id} in ${folder}`,
      expected: 'an image of every patient that another prediction has',
      fix: 'Make the missing image, or evaluate this prediction alone.',
    })
  return { volume: (await readImage(path)).volume, scale: testScale ?? (await statedScale(path)) }
}

async function findImage(folder: string, id: string): Promise<string | undefined> {
  for (const name of [`${id}.nii.gz`, `${id}.nii`, `${id}.mha`])
    if (await exists(join(folder, name))) return join(folder, name)
  if (!(await exists(join(folder, id)))) return undefined
  const images = (await readdir(join(folder, id))).filter((name) => isNifti(name) || isMetaImage(name))
  return images.length === 1 ? join(folder, id, images[0]!) : join(folder, id)
}

/** The one registered MR of a patient, or the one of this role. @throws cohort.incomplete, usage.wrong */
async function registeredMr(registration: string, id: string, role: string | undefined): Promise<string> {
  const names = (await exists(registration)) ? await readdir(registration) : []
  const sequences = names
    .filter((name) => /^mr_[^.]+\.nii\.gz$/.test(name))
    .map((name) => name.slice(0, -'.nii.gz'.length))
  const wanted = role === undefined ? sequences : sequences.filter((name) => name === role)
  if (wanted.length === 1) return join(registration, `${wanted[0]}.nii.gz`)
  const found = sequences.length === 0 ? 'no registered MR' : sequences.toSorted().join(', ')
  throw new LarmorError({
    kind: wanted.length > 1 ? 'usage.wrong' : 'cohort.incomplete',
    message: wanted.length > 1 ? 'A patient has several registered MRs.' : 'A patient lacks the registered MR.',
    where: id,
    found,
    expected: role ?? 'one MR on the CT’s grid',
    fix: wanted.length > 1 ? 'Say which with --role, e.g. --role mr_t1.' : 'Run larmor register on the cohort first.',
  })
}

const StatedScale = z.looseObject({ nominal: z.object({ low: z.number(), high: z.number() }).optional() })

/** What the maker of an image says is black and white, from the JSON beside it; undefined where there is none. */
async function statedScale(path: string): Promise<MrScale | undefined> {
  const folder = join(path, '..')
  const base = path.replace(/(\.nii(\.gz)?|\.mha)$/i, '')
  for (const place of [join(path, 'qa.json'), `${base}.json`, join(folder, 'qa.json')])
    if (await exists(place)) return (await readJson(place, StatedScale)).nominal
  return undefined
}

/** What is shown of registration.json; its own schema is registration/'s. */
const RegistrationFindings = z.looseObject({
  images: z.array(
    z.looseObject({
      role: z.string(),
      method: z.string(),
      verdict: z.string(),
      quality: z.looseObject({
        nmi: z.number(),
        nmiAtStart: z.number(),
        surfaceP95Mm: z.number().nullable(),
        inverseConsistencyMm: z.number().nullable(),
      }),
    }),
  ),
})

/** How well the reference (`mr_<sequence>`) was brought onto the CT; empty where registration.json does not tell. */
async function registrationFindings(registration: string, role: string): Promise<Finding[]> {
  const path = join(registration, 'registration.json')
  if (!(await exists(path))) return []
  const image = (await readJson(path, RegistrationFindings)).images.find((each) => each.role === role)
  if (!image) return []
  const { nmi, nmiAtStart, surfaceP95Mm, inverseConsistencyMm } = image.quality
  return [
    { label: 'verdict', value: `${image.verdict}, ${image.method}` },
    { label: 'NMI of MR and CT', value: `${nmi.toFixed(3)}, ${nmiAtStart.toFixed(3)} before` },
    { label: 'body surfaces apart, 95 %', value: surfaceP95Mm === null ? '–' : `${surfaceP95Mm.toFixed(1)} mm` },
    {
      label: 'inverse consistency',
      value: inverseConsistencyMm === null ? '–' : `${inverseConsistencyMm.toFixed(2)} mm`,
    },
  ]
}

/** 1 where the image is above 0. */
function asMask({ grid, values }: Volume): Mask {
  const out = new Uint8Array(values.length)
  for (let n = 0; n < out.length; n++) out[n] = values[n]! > 0 ? 1 : 0
  return { grid, values: out }
}
