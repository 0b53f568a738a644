/**
 * Structure sets that are to be copied onto the synthetic MR: found before anything is computed, each for its own CT.
 *
 * Read once  each is parsed here and checked, and keeps what tells its CT; its points, which for the patients of a whole batch
 *            would fill the memory, are read again for the one CT that it was drawn on.
 * Bad ones   belong to no CT: what is wrong with one patient's set is no reason to refuse another patient.
 */
import { inOneLine, LarmorError, type Fault } from '../errors.ts'
import {
  findSeries,
  imageOf,
  readStructureSet,
  type DicomSeries,
  type FoundSeries,
  type StructureSet,
} from '../formats/index.ts'
import type { Report } from '../progress.ts'

/** `drawn` is the set without its points. */
export type GoodStructureSet = FoundSeries['structureSets'][number] & { drawn: StructureSet }
/** Why it could not be read. */
type BadStructureSet = { path: string; fault: Fault }
export type StructureSetFile = GoodStructureSet | BadStructureSet

/**
 * @param path  a structure set, or a folder of them
 * @returns those that can be read, and the files that cannot, with their faults; one or more structure sets are among them
 * @throws input.notFound, input.empty (no structure set there), and the fault of a damaged file where it lies alone
 */
export async function openStructureSets(path: string, report: Report): Promise<StructureSetFile[]> {
  const { structureSets, refused } = await findSeries([path], report)
  if (structureSets.length === 0 && refused[0]) throw new LarmorError(refused[0])
  const damaged = refused.map((fault): BadStructureSet => ({ path: fault.where, fault }))
  const sets = [...structureSets.map(opened), ...damaged]
  for (const set of sets)
    if ('fault' in set) report({ at: 'note', message: `This file is left out. ${inOneLine(set.fault)}` })
  if (sets.length > 0) return sets
  throw new LarmorError({
    kind: 'input.empty',
    message: 'There is no structure set here.',
    where: path,
    found: 'no RT Structure Set object',
    expected: 'one or more',
    fix: 'Give --rtstruct the file that was exported with the CT, or a folder with it.',
  })
}

function opened(file: FoundSeries['structureSets'][number]): StructureSetFile {
  try {
    return { ...file, drawn: withoutPoints(readStructureSet(file)) }
  } catch (error) {
    if (error instanceof LarmorError) return { path: file.path, fault: error.fault }
    throw error
  }
}

function withoutPoints(set: StructureSet): StructureSet {
  const rois = set.rois.map((roi) => ({ ...roi, contours: roi.contours.map((one) => ({ ...one, pointsMm: [] })) }))
  return { ...set, rois }
}

/**
 * Those that were drawn on this CT.
 * @param only  there is no other CT that they could belong to
 * @throws input.noReferencedImage  none belongs to this CT, and it is the only one
 * @throws input.unsupported        the CT's slices were resampled to other places: a contour would lie between them
 * @throws the fault of a set that could not be read, where none belongs to this CT, and it is the only one
 */
export function drawnOn(
  { series, gapsFilled, only }: { series: DicomSeries; gapsFilled: boolean; only: boolean },
  sets: readonly StructureSetFile[],
): GoodStructureSet[] {
  const good = sets.filter((set) => 'drawn' in set)
  const own = good.filter(({ drawn }) => belongs(drawn, series))
  if (only && own.length === 0) {
    for (const set of sets) if ('fault' in set) throw new LarmorError(set.fault) // it may have been this CT's
    if (good[0]) imageOf(good[0].drawn, [series])
  }
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

function belongs(set: StructureSet, series: DicomSeries): boolean {
  try {
    imageOf(set, [series])
    return true
  } catch (error) {
    if (error instanceof LarmorError && error.fault.kind === 'input.noReferencedImage') return false
    throw error
  }
}
