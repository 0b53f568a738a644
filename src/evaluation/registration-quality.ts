/** How well a reference was brought onto the CT, as far as registration.json tells; its own schema is registration/'s. */
import { join } from 'node:path'
import { z } from 'zod'
import { exists, readJson } from '../files.ts'
import type { RegistrationQuality } from './evaluation-data.ts'

const Record = z.looseObject({
  images: z.array(
    z.looseObject({
      role: z.string(),
      method: z.string(),
      verdict: z.enum(['good', 'look', 'reject']),
      quality: z.looseObject({
        nmi: z.number(),
        nmiAtStart: z.number(),
        surfaceP95Mm: z.number().nullable(),
        inverseConsistencyMm: z.number().nullable(),
      }),
    }),
  ),
})

/**
 * True mean error over the mean of there and back, which understates it: 1.3 in necks with a known warp, 2.8 to 3.3 in virtual
 * patients, whose MR also shifts fat; 2 is their geometric mean (LOG.md, "verdict of deformable registrations"; six sound runs).
 */
const TRUE_OVER_THERE_AND_BACK = 2

/** Of the image of that role (`mr_<sequence>`); null where nothing is said of it. */
export async function registrationQuality(registration: string, role: string): Promise<RegistrationQuality | null> {
  const path = join(registration, 'registration.json')
  if (!(await exists(path))) return null
  const image = (await readJson(path, Record)).images.find((each) => each.role === role)
  if (!image) return null
  const { nmi, nmiAtStart, surfaceP95Mm, inverseConsistencyMm } = image.quality
  return {
    verdict: image.verdict,
    method: image.method,
    nmi,
    nmiAtStart,
    surfaceP95Mm,
    inverseConsistencyMm,
    statedErrorMm: inverseConsistencyMm === null ? null : TRUE_OVER_THERE_AND_BACK * inverseConsistencyMm,
  }
}
