/** What a registration says of its pair: onto which CT, and how much its slices count: less where it may be off. */
import { join } from 'node:path'
import { z } from 'zod'
import type { Patient } from '../cohort/index.ts'
import { exists, readJson } from '../files.ts'
import { CtRole } from './fingerprint.ts'

/** The parts of registration.json that matter here. */
const Onto = z.looseObject({ fixed: z.looseObject({ role: CtRole }).optional() })
const Record = z.looseObject({
  images: z.array(
    z.looseObject({ role: z.string(), quality: z.looseObject({ inverseConsistencyMm: z.number().nullable() }) }),
  ),
})

/**
 * The CT that the MR lies on: as the registration says; where the pair came registered, the one without contrast agent, and
 * the other where there is no such.
 * @throws json.refused
 */
export async function registeredOnto(registrationDir: string, { images }: Patient): Promise<CtRole> {
  const path = join(registrationDir, 'registration.json')
  const onto = (await exists(path)) ? (await readJson(path, Onto)).fixed?.role : undefined
  if (onto !== undefined) return onto
  const has = (wanted: string): boolean => images.some(({ role }) => role === wanted)
  return has('ct') || !has('ct_contrast') ? 'ct' : 'ct_contrast'
}

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
