/** The loop over CTs: each is read, let through, synthesised and written; one that is refused does not stop the others. */
import { basename, dirname, join, resolve } from 'node:path'
import { FAULTS, LarmorError, type Fault } from '../errors.ts'
import { isMetaImage, isNifti, readImage } from '../formats/index.ts'
import type { Report } from '../progress.ts'
import { requireCt } from './gate.ts'
import type { Model } from './model.ts'
import { formatOf, requireFree, requireWritable, writeSynthesis, type Format } from './output.ts'
import { synthesizeMri, type SynthesisOptions } from './synthesize.ts'

export type CasesOptions = Pick<SynthesisOptions, 'mode' | 'steps' | 'seed'> & {
  outputDir: string
  format?: Format | undefined
  report: Report
  signal?: AbortSignal | undefined
}

export type Cases = {
  done: { caseId: string; folder: string; format: Format; seconds: number }[]
  refused: { caseId: string; fault: Fault }[]
}

/**
 * Writes `<outputDir>/<case id>/` for every CT.
 * @param paths  DICOM folders, .nii, .nii.gz or .mha files
 * @throws usage.outputExists  before the first is read
 * @throws a refusal itself where there is one CT alone; machine.* and interrupted end the loop: what was finished is kept
 */
export async function synthesizeCases(model: Model, paths: readonly string[], options: CasesOptions): Promise<Cases> {
  const ids = caseIds(paths)
  const folders = ids.map((id) => join(options.outputDir, id))
  for (const folder of folders) await requireFree(folder)
  const cases: Cases = { done: [], refused: [] }
  for (const [n, path] of paths.entries()) {
    const [caseId, folder] = [ids[n]!, folders[n]!]
    options.report({ at: 'stage', name: `${caseId} (${n + 1} of ${paths.length})` })
    try {
      const { format, seconds } = await synthesizeCase(model, path, folder, options)
      cases.done.push({ caseId, folder, format, seconds })
      options.report({ at: 'case.done', caseId, message: `${folder} after ${seconds.toFixed(1)} s` })
    } catch (error) {
      if (paths.length === 1 || !isRefusal(error)) throw error
      cases.refused.push({ caseId, fault: error.fault })
      options.report({ at: 'case.refused', caseId, fault: error.fault })
    }
  }
  return cases
}

async function synthesizeCase(
  model: Model,
  path: string,
  folder: string,
  { format: asked, mode, steps, seed, report, signal }: CasesOptions,
): Promise<{ format: Format; seconds: number }> {
  const image = await readImage(path, { report })
  const format = formatOf(image, asked)
  requireWritable(image, format)
  const shares = requireCt(image.volume, image.modality, path)
  const synthesis = await synthesizeMri(model, image.volume, {
    mode,
    steps,
    seed,
    report,
    ...(signal ? { signal } : {}),
  })
  await writeSynthesis(folder, format, { image, model, synthesis, shares, seed, signal })
  return { format, seconds: synthesis.seconds }
}

/** A refused input: the next CT may be a good one. Anything else would befall it as well. */
function isRefusal(error: unknown): error is LarmorError {
  return error instanceof LarmorError && FAULTS[error.fault.kind].exit === 3
}

/**
 * How the outputs are named: by the cohort's own id where the CT lies in one (patients/p001/ct.nii.gz); for NIfTI and
 * MetaImage by the file's stem, or by its folder where several have the same stem (pt_1/ct.nii.gz, pt_2/ct.nii.gz); and
 * by number for DICOM, whose folders are often named after patients.
 */
export function caseIds(paths: readonly string[]): string[] {
  const stems = paths.map((path) => stemOf(resolve(path)))
  const taken = new Map<string, number>()
  return stems.map((stem, n) => {
    const shared = stem !== undefined && stems.filter((other) => other === stem).length > 1
    const name = shared ? basename(dirname(resolve(paths[n]!))) : (stem ?? `smri_${String(n + 1).padStart(3, '0')}`)
    const before = taken.get(name) ?? 0
    taken.set(name, before + 1)
    return before === 0 ? name : `${name}_${before + 1}`
  })
}

function stemOf(path: string): string | undefined {
  if (!isNifti(path) && !isMetaImage(path)) return undefined
  const folder = dirname(path)
  if (basename(dirname(folder)) === 'patients') return basename(folder)
  return basename(path).replace(/\.(nii\.gz|nii|mha)$/i, '')
}
