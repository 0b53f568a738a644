/** registration.json: what was registered onto what, how, and how good it is. Schema `larmor/registration@1`. */
import { z } from 'zod'
import { version } from '../files.ts'
import { libtorchInfo } from '../tensor/index.ts'
import type { Affine } from '../volume/index.ts'
import type { RegisteredPair, RigidResult } from './pair.ts'

const Row = z.tuple([z.number(), z.number(), z.number(), z.number()])
const Verdict = z.enum(['good', 'look', 'reject'])
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const Quality = z.strictObject({
  nmi: z.number(),
  nmiAtStart: z.number(),
  margin: z.number(),
  overlap: z.number(),
  angleDegrees: z.number(),
  surfaceMeanMm: z.number().nullable(),
  surfaceP95Mm: z.number().nullable(),
  inverseConsistencyMm: z.number(),
  inverseConsistencyP95Mm: z.number(),
})
/** Of the transform's derivative: 1 keeps volume, 0 or less is folding. A rigid transform has 1 everywhere. */
const Jacobian = z.strictObject({ min: z.number(), max: z.number(), foldedShare: z.number(), sdLog: z.number() })

const Image = z.strictObject({
  /** mr_<sequence>; in a pair without a cohort, 'mr'. */
  role: z.string(),
  sha256: Sha256,
  /** Beside this file; null where the verdict is reject, since rejected pairs are not written for training. */
  file: z.string().nullable(),
  method: z.literal('rigid'),
  /** Rows of a 4 × 4 matrix: a point of the CT (LPS mm) to the same point in the MR as it was scanned (LPS mm). */
  movingFromFixedMm: z.tuple([Row, Row, Row, Row]),
  verdict: Verdict,
  reason: z.string(),
  quality: Quality,
  jacobian: Jacobian,
  starts: z.number(),
  iterations: z.number(),
})

const RegistrationRecord = z.strictObject({
  schema: z.literal('larmor/registration@1'),
  /** The worst of all images, with its reason. */
  verdict: Verdict,
  reason: z.string(),
  /** Mean over the common body, of the worst image. */
  inverseConsistencyMm: z.number(),
  jacobian: Jacobian,
  fixed: z.strictObject({ role: z.string(), sha256: Sha256 }),
  images: z.array(Image).min(1),
  seed: z.number(),
  device: z.enum(['cpu', 'cuda']),
  versions: z.strictObject({ larmor: z.string(), libtorch: z.string() }),
})
export type RegistrationRecord = z.infer<typeof RegistrationRecord>
export type ImageRecord = z.infer<typeof Image>
export const registrationSchema: z.ZodType<RegistrationRecord> = RegistrationRecord

const RIGID_JACOBIAN = { min: 1, max: 1, foldedShare: 0, sdLog: 0 } as const
const SEVERITY = { good: 0, look: 1, reject: 2 } as const

export type MovingSource = { role: string; sha256: string; file: string | null }

export function imageRecord({ role, sha256, file }: MovingSource, { result }: RegisteredPair): ImageRecord {
  const { movingFromFixedMm, method, verdict, reason, quality, starts, iterations } = result satisfies RigidResult
  const matrix = rowsOf(movingFromFixedMm)
  const what = { role, sha256, file, method, movingFromFixedMm: matrix }
  return { ...what, verdict, reason, quality: { ...quality }, jacobian: RIGID_JACOBIAN, starts, iterations }
}

/** @param images  one or more */
export function registrationRecord(
  fixed: RegistrationRecord['fixed'],
  images: readonly ImageRecord[],
  { seed, device }: { seed: number; device: 'cpu' | 'cuda' },
): RegistrationRecord {
  const worse = (a: ImageRecord, b: ImageRecord) => (SEVERITY[b.verdict] > SEVERITY[a.verdict] ? b : a)
  const { verdict, reason, role, jacobian } = images.reduce(worse)
  return {
    schema: 'larmor/registration@1',
    verdict,
    reason: images.length === 1 ? reason : `${role}: ${reason}`,
    inverseConsistencyMm: Math.max(...images.map(({ quality }) => quality.inverseConsistencyMm)),
    jacobian,
    fixed,
    images: [...images],
    seed,
    device,
    versions: { larmor: version(), libtorch: libtorchInfo().version },
  }
}

function rowsOf({ linear: [x, y, z], offset }: Affine): ImageRecord['movingFromFixedMm'] {
  const row = (n: 0 | 1 | 2): [number, number, number, number] => [x[n], y[n], z[n], offset[n]]
  return [row(0), row(1), row(2), [0, 0, 0, 1]]
}

/** The transform of a record, as the rest of the house writes it. */
export function affineOfRows(rows: ImageRecord['movingFromFixedMm']): Affine {
  const column = (n: 0 | 1 | 2 | 3) => [rows[0][n], rows[1][n], rows[2][n]] as const
  return { linear: [column(0), column(1), column(2)], offset: column(3) }
}
