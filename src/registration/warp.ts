/**
 * Brings files over by a saved registration: what belongs to the moving image (the MR) onto the fixed one (the CT), or with
 * `inverse` the other way.
 *
 *   images      interpolated once, linearly (or nearest, for labels), in their own element type
 *   structures  masks on the target's grid; a new structure set too, where the target is a DICOM series
 *   points      CSV in RAS mm
 * The output folder appears when all that could be brought over is in it, and not at all where nothing could be. An input
 * that is refused does not stop the others.
 */
import { rmdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { FAULTS, LarmorError, throwIfAborted } from '../errors.ts'
import type { Fault } from '../errors.ts'
import { listening } from '../progress.ts'
import { writeFolderWhole } from '../files.ts'
import { findSeries, isVolumeFile, readImage, writeNifti } from '../formats/index.ts'
import type { ReadImage } from '../formats/index.ts'
import type { Volume, VoxelArray } from '../volume/index.ts'
import { resampleNearestThroughInSteps, resampleThroughInSteps, sameKind, volume } from '../volume/index.ts'
import { readPointsRas, writePointsRas } from './point-file.ts'
import { checkFrame, targetOf } from './warp-frame.ts'
import type { Carrying, WarpedFile, WarpOptions } from './warp-frame.ts'
import { warpStructures } from './warp-structures.ts'
import type { SavedTransform } from './warp-transform.ts'
import { wayOf } from './warp-transform.ts'

export type Warped = {
  readonly files: readonly WarpedFile[]
  readonly refused: readonly Fault[]
  /** Of an inverted field: for how much of it there is no way back. */
  readonly unsolvedShare: number
}

/**
 * @throws usage.outputExists  the folder is there and not empty; usage.wrong  an image or structure set without `onto`
 * @throws interrupted, machine.* (nothing is left behind). What inputs were refused for is in the result.
 */
export async function warpFiles(
  sources: readonly string[],
  saved: SavedTransform,
  output: string,
  options: WarpOptions,
): Promise<Warped> {
  const way = wayOf(saved, options.inverse)
  const target = options.onto === undefined ? undefined : await readImage(options.onto, options)
  if (target) checkFrame(target.dicom?.frameOfReferenceUid, way.targetFrameUid, way.sourceFrameUid, options.onto!)
  const files: WarpedFile[] = []
  const refused: Fault[] = []
  await writeFolderWhole(output, async (folder) => {
    const carrying: Carrying = { ...options, way, target, folder }
    for (const [n, source] of sources.entries()) {
      throwIfAborted(options.signal, `Bringing over ${source}`)
      try {
        files.push(...(await warpOne(source, carrying, files)))
      } catch (error) {
        if (!(error instanceof LarmorError) || FAULTS[error.fault.kind].exit !== 3) throw error
        refused.push(error.fault)
        options.report({ at: 'case.refused', caseId: source, fault: error.fault })
      }
      options.report({ at: 'progress', task: 'Bringing over', done: n + 1, of: sources.length, unit: 'files' })
    }
  })
  // Only an empty folder can be removed so.
  if (files.length === 0) await rmdir(output)
  return { files, refused, unsolvedShare: way.unsolvedShare() }
}

async function warpOne(source: string, carrying: Carrying, before: readonly WarpedFile[]): Promise<WarpedFile[]> {
  const stem = uniqueStem(basename(source).replace(/\.(nii\.gz|nii|mha|mhd|nrrd|nhdr|csv|dcm)$/i, ''), before)
  if (/\.csv$/i.test(source)) return [await warpPoints(source, `${stem}.csv`, carrying)]
  if (isVolumeFile(source)) return [await warpImage(await readImage(source), `${stem}.nii.gz`, carrying)]
  const { structureSets } = await findSeries([source], carrying.report)
  if (structureSets.length === 0)
    return [await warpImage(await readImage(source, carrying), `${stem}.nii.gz`, carrying)]
  const written: WarpedFile[] = []
  for (const [n, file] of structureSets.entries())
    written.push(...(await warpStructures(file, structureSets.length > 1 ? `${stem}-${n + 1}` : stem, carrying)))
  return written
}

async function warpPoints(source: string, file: string, { way, folder }: Carrying): Promise<WarpedFile> {
  const carried = way.carry(await readPointsRas(source))
  const lost = carried.flatMap((point, n) => (point ? [] : [n + 2]))
  if (lost.length > 0) throw noWay(`${source}, line ${lost.join(', ')}`)
  await writePointsRas(
    join(folder, file),
    carried.filter((point) => point !== undefined),
  )
  return { source, file, kind: 'points', notes: [] }
}

async function warpImage(
  { volume: image, source, dicom }: ReadImage,
  file: string,
  carrying: Carrying,
): Promise<WarpedFile> {
  const { way, nearest, signal, folder } = carrying
  const { grid } = targetOf(carrying).volume
  checkFrame(dicom?.frameOfReferenceUid, way.sourceFrameUid, way.targetFrameUid, source)
  const where = `Bringing over ${source}`
  const outside = carrying.outside ?? (nearest ? 0 : lowestOf(image.values))
  checkHolds(image.values, outside, source)
  const brought = nearest
    ? await listening(resampleNearestThroughInSteps(way.sourceFromTarget(), image, grid, outside), where, signal)
    : inKindOf(
        image.values,
        await listening(resampleThroughInSteps(way.sourceFromTarget(), image, grid, outside), where, signal),
      )
  await writeNifti(join(folder, file), brought, { description: 'brought over by a registration, larmor' })
  return { source, file, kind: nearest ? 'labels' : 'image', notes: [] }
}

/** @throws usage.wrong  an integer array that would turn the value into another one */
function checkHolds(values: VoxelArray, outside: number, source: string): void {
  const one = sameKind(values, 1)
  one[0] = outside
  if (one[0] === Math.fround(outside) || one[0] === outside) return
  throw new LarmorError({
    kind: 'usage.wrong',
    message: 'The command cannot be understood.',
    where: `larmor warp, ${source}`,
    found: `--outside ${outside}`,
    expected: 'a value that the image can hold',
    fix: 'Give a whole number in the range of the image, or leave --outside out.',
  })
}

function lowestOf(values: VoxelArray): number {
  let lowest = Infinity
  for (const value of values) if (value < lowest) lowest = value
  return lowest
}

/** Whole numbers stay whole, rounded; an interpolated value never leaves the range of those around it. */
function inKindOf(values: VoxelArray, { grid, values: made }: Volume<Float32Array>): Volume {
  if (values instanceof Float32Array || values instanceof Float64Array) return volume(grid, made)
  const out = sameKind(values, made.length)
  for (let at = 0; at < made.length; at++) out[at] = Math.round(made[at]!)
  return volume(grid, out)
}

function noWay(where: string): LarmorError {
  return new LarmorError({
    kind: 'input.badValue',
    message: 'A point has no counterpart.',
    where,
    found: 'a place where the deformation folds or is torn',
    expected: 'a place with one counterpart',
    fix: 'Look at the Jacobian map of the registration; leave these points out.',
  })
}

function uniqueStem(stem: string, before: readonly WarpedFile[]): string {
  const taken = new Set(before.map(({ file }) => file.split(/[./]/)[0]!.toLowerCase()))
  let [name, n] = [stem.replaceAll('.', '_') || 'unnamed', 1]
  const first = name
  while (taken.has(name.toLowerCase())) name = `${first}-${++n}`
  return name
}
