/** The store's table of contents, written last: a store without it is not finished. */
import { join } from 'node:path'
import { z } from 'zod'

export const MANIFEST = 'manifest.json'
export const PLAN = 'plan.json'

const StoredFile = z.strictObject({
  id: z.string(),
  /** Relative to the store. */
  file: z.string(),
  bytes: z.int().positive(),
  sha256: z.string().length(64),
  slices: z.int().positive(),
  usable: z.int().min(0),
  /** How many slices are not used, by reason. */
  unusable: z.record(z.string(), z.int()),
})
export type StoredFile = z.infer<typeof StoredFile>

export const ManifestSchema = z.strictObject({
  schema: z.literal('larmor/store@1'),
  planSha256: z.string().length(64),
  patients: z.array(StoredFile),
})
export type Manifest = z.infer<typeof ManifestSchema>

/** Every file of a store, as relative paths. */
export function patientFile(id: string): string {
  return join('patients', `${id}.safetensors`)
}
