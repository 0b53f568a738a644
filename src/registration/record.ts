/** registration.json: what was registered onto what, how, and how good it is. Schema `larmor/registration@3`. */
import { z } from 'zod'
import { version } from '../files.ts'
import { libtorchInfo } from '../tensor/index.ts'
import type { Affine } from '../volume/index.ts'
import { jacobianStatistics } from '../volume/index.ts'
import type { RegisteredPair } from './pair.ts'

const Row = z.tuple([z.number(), z.number(), z.number(), z.number()])
const Verdict = z.enum(['good', 'look', 'reject'])
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/)
/** From points of the CT's surface to the MR's edge there, where both show it. */
const Edge = z.strictObject({
  meanMm: z.number(),
  p95Mm: z.number(),
  /** Median with its sign, and 95 % of the distances from it (edges.ts). */
  offsetMm: z.number(),
  spreadP95Mm: z.number(),
  shownShare: z.number(),
  points: z.number(),
})
const Quality = z.strictObject({
  nmi: z.number(),
  nmiAtStart: z.number(),
  margin: z.number(),
  overlap: z.number(),
  angleDegrees: z.number(),
  surfaceMeanMm: z.number().nullable(),
  surfaceP95Mm: z.number().nullable(),
  /** Of the whole transform; null where no backward run was made. */
  inverseConsistencyMm: z.number().nullable(),
  inverseConsistencyP95Mm: z.number().nullable(),
  /** What the MR leaves of the CT's structure in soft tissue, 0 … 1 (likeness.ts); null where they show too little together. */
  likeness: z.strictObject({ residue: z.number(), structure: z.number(), places: z.number() }).nullable(),
  edges: z.strictObject({ skin: Edge.nullable(), air: Edge.nullable(), bone: Edge.nullable() }),
})
/** Of the transform's derivative: 1 keeps volume, 0 or less is folding. A rigid transform has 1 everywhere. */
const Jacobian = z.strictObject({
  min: z.number(),
  max: z.number(),
  foldedShare: z.number(),
  meanLog: z.number(),
  sdLog: z.number(),
})
/** Mutual information in nats, MIND distance 0 … 1. */
const Similarity = z.strictObject({ mi: z.number(), mind: z.number() })
const Deformation = z.strictObject({
  /** Beside this file: the total displacement, LPS mm, as a NIfTI vector field; null where the verdict is reject. */
  file: z.string().nullable(),
  /** Of the control points, from the first level to the last. */
  controlSpacingMm: z.array(z.number()).min(1),
  iterations: z.number(),
  /** After the linear transform alone, and with the deformation. */
  before: Similarity,
  after: Similarity,
  /** Of what the deformation adds, over the body that both images show. */
  displacement: z.strictObject({ meanMm: z.number(), p95Mm: z.number(), maxMm: z.number() }),
})

const Image = z.strictObject({
  /** mr_<sequence>; in a pair without a cohort, 'mr'. */
  role: z.string(),
  sha256: Sha256,
  /** Beside this file; null where the verdict is reject, since rejected pairs are not written for training. */
  file: z.string().nullable(),
  method: z.enum(['rigid', 'affine', 'deformable', 'affine and deformable']),
  /**
   * Rows of a 4 × 4 matrix: a point of the CT (LPS mm) to the same point in the MR as it was scanned (LPS mm). With a
   * deformation u (in the CT, before the matrix) y = A · (x + u(x)); its file holds y − x.
   */
  movingFromFixedMm: z.tuple([Row, Row, Row, Row]),
  verdict: Verdict,
  reason: z.string(),
  quality: Quality,
  /** Over the body that both images show. */
  jacobian: Jacobian,
  deformation: Deformation.nullable(),
  starts: z.number(),
  iterations: z.number(),
})

const RegistrationRecord = z.strictObject({
  schema: z.literal('larmor/registration@3'),
  /** The worst of all images, with its reason. */
  verdict: Verdict,
  reason: z.string(),
  /** Mean over the common body, of the worst image; null where no backward run was made. */
  inverseConsistencyMm: z.number().nullable(),
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

const SEVERITY = { good: 0, look: 1, reject: 2 } as const

/** `file`, `field`: names beside the record; null where the verdict is reject, and where nothing was deformed. */
export type MovingSource = { role: string; sha256: string; file: string | null; field: string | null }

export function imageRecord({ role, sha256, file, field }: MovingSource, { result }: RegisteredPair): ImageRecord {
  const { transform, method, verdict, reason, quality, deformation, starts, iterations } = result
  const what = { role, sha256, file, method, movingFromFixedMm: rowsOf(transform.movingFromFixedMm) }
  const figures = deformation && {
    file: field,
    controlSpacingMm: [...deformation.controlSpacingMm],
    iterations: deformation.iterations,
    before: deformation.before,
    after: deformation.after,
    displacement: deformation.displacement,
  }
  const jacobian = deformation?.jacobian ?? jacobianStatistics(transform)
  return { ...what, verdict, reason, quality: { ...quality }, jacobian, deformation: figures, starts, iterations }
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
    schema: 'larmor/registration@3',
    verdict,
    reason: images.length === 1 ? reason : `${role}: ${reason}`,
    inverseConsistencyMm: worstOf(images.map(({ quality }) => quality.inverseConsistencyMm)),
    jacobian,
    fixed,
    images: [...images],
    seed,
    device,
    versions: { larmor: version(), libtorch: libtorchInfo().version },
  }
}

/** Null where one is not known. */
function worstOf(lengthsMm: readonly (number | null)[]): number | null {
  const known = lengthsMm.filter((mm) => mm !== null)
  return known.length === lengthsMm.length ? Math.max(...known) : null
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
