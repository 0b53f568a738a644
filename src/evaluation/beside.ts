/**
 * What lies beside a prediction: its black and white, what its maker found, and how unsure it is.
 *
 * Of `larmor synthesize`: qa.json in the image's folder, and the spread of its samples in a folder `<id>_uncertainty` beside
 * it. Of other tools: a JSON of the image's name with `nominal`.
 */
import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { exists, readJson } from '../files.ts'
import { isMetaImage, isNifti, readImage } from '../formats/index.ts'
import type { MrScale, Volume } from '../volume/index.ts'
import type { Finding } from './evaluation-data.ts'

/** qa.json grows with what synthesis checks: every list of named findings in it is shown, whatever checks there are. */
const Check = z.looseObject({ name: z.string(), verdict: z.string(), message: z.string().optional() })
const Beside = z.looseObject({
  nominal: z.object({ low: z.number(), high: z.number() }).optional(),
  mode: z.string().optional(),
  samples: z.number().optional(),
  gate: z
    .looseObject({ checks: z.array(Check).catch([]) })
    .optional()
    .catch(undefined),
  consistency: z.looseObject({ ratio: z.number() }).optional().catch(undefined),
})
export type Stated = { readonly scale: MrScale | undefined; readonly findings: readonly Finding[] }

/** What the maker of an image says of it, from the JSON beside it; nothing where there is none. */
export async function statedBeside(path: string): Promise<Stated> {
  const base = path.replace(/(\.nii(\.gz)?|\.mha)$/i, '')
  for (const place of [join(path, 'qa.json'), `${base}.json`, join(dirname(path), 'qa.json')]) {
    if (!(await exists(place))) continue
    const { nominal, mode, samples, gate, consistency } = await readJson(place, Beside)
    return {
      scale: nominal,
      findings: [
        ...(mode === undefined
          ? []
          : [
              {
                label: 'mode',
                value: samples === undefined ? mode : `${mode}, ${samples} sample${samples === 1 ? '' : 's'}`,
              },
            ]),
        ...(gate?.checks ?? []).map(({ name, verdict, message }) => ({
          label: `gate: ${name}`,
          value: message === undefined || verdict === 'ok' ? verdict : `${verdict}: ${message}`,
        })),
        ...(consistency ? [{ label: 'slice to slice, by synthesis', value: consistency.ratio.toFixed(3) }] : []),
      ],
    }
  }
  return { scale: undefined, findings: [] }
}

/** The standard deviation of the samples, on the image's own grid; undefined where none was written. */
export async function uncertaintyBeside(path: string): Promise<Volume | undefined> {
  const inFolder = isNifti(path) || isMetaImage(path) ? dirname(path) : path
  const folder = join(dirname(inFolder), `${basename(inFolder)}_uncertainty`)
  if (!(await exists(folder))) return undefined
  const images = (await readdir(folder)).filter((name) => isNifti(name) || isMetaImage(name))
  return (await readImage(images.length === 1 ? join(folder, images[0]!) : folder)).volume
}

/** <id>.nii.gz, .nii or .mha, or a folder <id>/ with one such file or one DICOM series; undefined where there is none. */
export async function findImage(folder: string, id: string): Promise<string | undefined> {
  for (const name of [`${id}.nii.gz`, `${id}.nii`, `${id}.mha`])
    if (await exists(join(folder, name))) return join(folder, name)
  if (!(await exists(join(folder, id)))) return undefined
  const images = (await readdir(join(folder, id))).filter((name) => isNifti(name) || isMetaImage(name))
  return images.length === 1 ? join(folder, id, images[0]!) : join(folder, id)
}
