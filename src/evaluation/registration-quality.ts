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
    // There and back by two independent runs: what the registration itself says of its error.
    statedErrorMm: inverseConsistencyMm,
  }
}
