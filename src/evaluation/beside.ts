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

/** What synthesis checked, before and after: only what is shown is read, whatever checks there are. */
const Checked = z.looseObject({
  findings: z.array(z.looseObject({ check: z.string(), verdict: z.string(), found: z.string() })),
})
const Beside = z.looseObject({
  nominal: z.object({ low: z.number(), high: z.number() }).optional(),
  mode: z.string().optional(),
  gate: Checked.optional(),
  after: Checked.optional(),
})
export type Stated = { readonly scale: MrScale | undefined; readonly findings: readonly Finding[] }

/** What the maker of an image says of it, from the JSON beside it; nothing where there is none. @throws json.refused */
export async function statedBeside(path: string): Promise<Stated> {
  const base = path.replace(/(\.nii(\.gz)?|\.mha)$/i, '')
  for (const place of [join(path, 'qa.json'), `${base}.json`, join(dirname(path), 'qa.json')]) {
    if (!(await exists(place))) continue
    const { nominal, mode, gate, after } = await readJson(place, Beside)
    return {
      scale: nominal,
      findings: [
        ...(mode === undefined ? [] : [{ label: 'mode', value: mode }]),
        ...(gate ? [{ label: 'the CT, before synthesis', value: checkedWords(gate) }] : []),
        ...(after ? [{ label: 'the sMRI, after it', value: checkedWords(after) }] : []),
      ],
    }
  }
  return { scale: undefined, findings: [] }
}

/** What was not ok in full (cautions, refusals, what could not be checked), the rest by number. */
function checkedWords({ findings }: z.infer<typeof Checked>): string {
  const rest = findings.filter(({ verdict }) => verdict !== 'ok')
  return [
    ...rest.map(({ check, verdict, found }) => `${verdict}, ${check}: ${found}`),
    `${findings.length - rest.length} of ${findings.length} checks ok`,
  ].join('; ')
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
