/** How much a patient's slices count in training: less where the registration itself says that it may be off. */
import { join } from 'node:path'
import { z } from 'zod'
import { exists, readJson } from '../files.ts'

/** The part of registration.json that matters here. */
const Record = z.looseObject({
  images: z.array(
    z.looseObject({ role: z.string(), quality: z.looseObject({ inverseConsistencyMm: z.number().nullable() }) }),
  ),
})

/** There and back again ends off by about 0.6 of the true error, over many sound and spoiled runs: LOG.md, "registration". */
const CONSISTENCY_PER_ERROR = 0.6
/** The error at which a pair counts half: MS-SSIM has lost about a tenth by then on 2 mm pixels, more than most models differ. */
const HALF_WEIGHT_MM = 2.5

/**
 * @returns 1 / (1 + (e / 2.5 mm)²) for the expected error e, to a thousandth; ½ where no backward run told it; 1 where the pair
 *          came registered, without a record
 * @throws json.refused
 */
export async function pairWeight(registrationDir: string, role: string): Promise<number> {
  const path = join(registrationDir, 'registration.json')
  if (!(await exists(path))) return 1
  const { images } = await readJson(path, Record)
  const consistencyMm = images.find((image) => image.role === role)?.quality.inverseConsistencyMm ?? null
  if (consistencyMm === null) return 0.5
  return Math.round(1000 / (1 + (consistencyMm / CONSISTENCY_PER_ERROR / HALF_WEIGHT_MM) ** 2)) / 1000
}
