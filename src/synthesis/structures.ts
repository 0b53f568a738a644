/** Structure sets that are to be copied onto the synthetic MR: found before anything is computed, each for its own CT. */
import { LarmorError } from '../errors.ts'
import { findSeries, imageOf, readStructureSet, type DicomSeries, type FoundSeries } from '../formats/index.ts'
import type { Report } from '../progress.ts'

export type StructureSetFile = FoundSeries['structureSets'][number]

/**
 * @param path  a structure set, or a folder of them
 * @throws input.notFound, input.empty (no structure set there), and the fault of a file that is damaged
 */
export async function openStructureSets(path: string, report: Report): Promise<StructureSetFile[]> {
  const { structureSets, refused } = await findSeries([path], report)
  if (refused[0]) throw new LarmorError(refused[0])
  if (structureSets.length > 0) return structureSets
  throw new LarmorError({
    kind: 'input.empty',
    message: 'There is no structure set here.',
    where: path,
    found: 'no RT Structure Set object',
    expected: 'one or more',
    fix: 'Give --rtstruct the file that was exported with the CT, or a folder with it.',
  })
}

/**
 * Those that were drawn on this CT.
 * @param only  there is no other CT that they could belong to
 * @throws input.noReferencedImage  none belongs to this CT, and it is the only one
 * @throws input.unsupported        the CT's slices were resampled to other places: a contour would lie between them
 */
export function drawnOn(
  { series, gapsFilled, only }: { series: DicomSeries; gapsFilled: boolean; only: boolean },
  sets: readonly StructureSetFile[],
): StructureSetFile[] {
  const own = sets.filter((file) => belongs(file, series))
  if (only && own.length === 0 && sets[0]) imageOf(readStructureSet(sets[0]), [series])
  if (own.length > 0 && gapsFilled)
    throw new LarmorError({
      kind: 'input.unsupported',
      message: 'Contours cannot follow a CT whose gaps were filled.',
      where: own[0]!.path,
      found: 'contours on the slices of the CT, and a synthetic MR on others',
      expected: 'a synthetic MR on the CT’s own slices',
      fix: 'Leave --rtstruct out, or give a CT with evenly spaced slices.',
    })
  return own
}

function belongs(file: StructureSetFile, series: DicomSeries): boolean {
  try {
    imageOf(readStructureSet(file), [series])
    return true
  } catch (error) {
    if (error instanceof LarmorError && error.fault.kind === 'input.noReferencedImage') return false
    throw error
  }
}
