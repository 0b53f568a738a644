/**
 * The fingerprint: what the patients of a plan are like, so that a person can see them at a glance and a new CT can be held
 * against them. `null` stands where a source does not say it: files other than DICOM name no kernel and no position.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { Sidecar, type Patient } from '../cohort/index.ts'
import { readJson } from '../files.ts'
import { ctFeatures, HU_EDGES, type CtVolume, type Mask } from '../volume/index.ts'

const share = z.number().min(0).max(1)
const three = z.tuple([z.number(), z.number(), z.number()])
const text = z.string().nullable()
const quantity = z.number().nullable()

export const CtRole = z.enum(['ct', 'ct_contrast'])
export type CtRole = z.infer<typeof CtRole>

/** What was found in one patient's MR of one sequence. */
const mr = {
  /** The scanner values that become −1 and 1. */
  mrScale: z.strictObject({ low: z.number(), high: z.number() }),
  /** Shares of the voxels inside body and MR, in bins of one width from −1 to 1, after mapping. */
  mrShares: z.array(share),
  /** Dice of the CT's body and what is bright in the MR, where the MR has data: low where they do not fit each other. */
  mrBodyDice: share,
  /** Slices where soft tissue gives no signal in the MR. */
  dropOutSlices: z.int().min(0),
  /** How much its slices count in training beside the others': from its registration's own figures, or a person's choice. */
  weight: share,
}
const MrFingerprint = z.strictObject(mr)
export type MrFingerprint = z.infer<typeof MrFingerprint>

/** What was found in one patient, on the CT's own grid. */
const PatientFingerprint = z.strictObject({
  id: z.string(),
  /** Which CT the pair is made of: the one without contrast agent where there is one. */
  ctRole: CtRole,
  size: z.tuple([z.int(), z.int(), z.int()]),
  spacingMm: three,
  /** Width and depth of the body's bounding box. */
  bodyExtentMm: z.tuple([z.number(), z.number()]),
  /** Share of the body's voxels where the MR has data. */
  mrCoverage: z.number(),
  /** Percentiles 0.5, 50, 99.5 inside the body. */
  bodyHu: three,
  /** See volume/ct-features.ts; `huShares` by the edges of the whole fingerprint. */
  ct: z.strictObject({
    fieldOfViewMm: three,
    huShares: z.array(share),
    bodyAreaCm2: three,
    truncatedShare: share,
    metalShare: share,
    noiseHu: quantity,
    noiseCorrelation: quantity,
  }),
  /** As the CT's sidecar says it. */
  acquisition: z.strictObject({
    sliceThicknessMm: quantity,
    kvp: quantity,
    kernel: text,
    manufacturer: text,
    patientPosition: text,
    contrastAgent: z.boolean().nullable(),
  }),
  /** Slices with metal in the CT. */
  metalSlices: z.int().min(0),
  ...mr,
  /** Of the plan's further targets, where it has some, in their order. */
  furtherMr: z.array(MrFingerprint).optional(),
})
export type PatientFingerprint = z.infer<typeof PatientFingerprint>

export const Fingerprint = z
  .strictObject({
    /** The rising edges of `huShares`, which begins below the first and ends above the last. */
    huEdges: z.array(z.number()),
    patients: z.array(PatientFingerprint),
  })
  .refine(
    ({ huEdges, patients }) => patients.every(({ ct }) => ct.huShares.length === huEdges.length + 1),
    'ct.huShares must have one share more than huEdges has edges',
  )

/** What was found in each sequence that the plan is about, in its order. */
export function mrOf({ mrScale, mrShares, mrBodyDice, dropOutSlices, weight, furtherMr = [] }: PatientFingerprint) {
  return [{ mrScale, mrShares, mrBodyDice, dropOutSlices, weight }, ...furtherMr] satisfies MrFingerprint[]
}

export function fingerprintOf(patients: PatientFingerprint[]): z.infer<typeof Fingerprint> {
  return { huEdges: [...HU_EDGES], patients }
}

/** The features of a CT, rounded for reading. */
export function roundedFeatures(ct: CtVolume, body: Mask): PatientFingerprint['ct'] {
  const found = ctFeatures(ct, body)
  return {
    fieldOfViewMm: triple(found.fieldOfViewMm, 1),
    huShares: found.huShares.map((one) => rounded(one, 5)),
    bodyAreaCm2: triple(found.bodyAreaCm2, 1),
    truncatedShare: rounded(found.truncatedShare, 3),
    metalShare: rounded(found.metalShare, 3),
    noiseHu: found.noiseHu === null ? null : rounded(found.noiseHu, 1),
    noiseCorrelation: found.noiseCorrelation === null ? null : rounded(found.noiseCorrelation, 2),
  }
}

/** @throws input.notFound, json.refused  the sidecar */
export async function acquisitionOf(
  cohortDir: string,
  patient: Patient,
  role: CtRole,
): Promise<PatientFingerprint['acquisition']> {
  const image = patient.images.find((one) => one.role === role)
  const source = image && (await readJson(join(cohortDir, image.sidecar), Sidecar)).source
  if (source?.kind !== 'dicom')
    return {
      sliceThicknessMm: null,
      kvp: null,
      kernel: null,
      manufacturer: null,
      patientPosition: null,
      contrastAgent: null,
    }
  const { sliceThicknessMm, kvp, kernel, manufacturer, patientPosition, contrastAgent } = source
  return { sliceThicknessMm, kvp, kernel, manufacturer, patientPosition, contrastAgent: contrastAgent !== null }
}

/** To so many decimals: for reading, not for computing. */
export function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals))
}

function triple([a, b, c]: readonly [number, number, number], decimals: number): [number, number, number] {
  return [rounded(a, decimals), rounded(b, decimals), rounded(c, decimals)]
}
