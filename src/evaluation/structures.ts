/**
 * Structures to score in: of a cohort (patients/<id>/structures/), or given for a pair as label images and RT structure sets.
 * Each is kept in the slices that it has: twenty glands of a large CT would fill the memory otherwise.
 */
import { basename, join } from 'node:path'
import { LarmorError } from '../errors.ts'
import { findSeries, hasMask, isVolumeFile, rasteriseOnto, readImage, readStructureSet } from '../formats/index.ts'
import { silent } from '../progress.ts'
import { identityAffine, resampleNearest, slab } from '../volume/index.ts'
import type { Grid, Mask, Volume } from '../volume/index.ts'
import { requireSameGrid } from './comparable.ts'
import type { Structure } from './evaluation-data.ts'

/** Of label images with many values each value is a structure of its own; more than these are no labels. */
const mostLabels = 255

/** Label images and structure sets onto a grid; RTSTRUCT regions without area are left out. */
export async function readStructures(paths: readonly string[], grid: Grid, resample: boolean): Promise<Structure[]> {
  const found: Structure[] = []
  for (const path of paths)
    found.push(...(isVolumeFile(path) ? await fromLabels(path, grid, resample) : await fromSets(path, grid)))
  return found
}

async function fromLabels(path: string, grid: Grid, resample: boolean): Promise<Structure[]> {
  const name = basename(path).replace(/\.(nii\.gz|nii|mha|mhd|nrrd|nhdr)$/i, '')
  const { volume } = await readImage(path)
  if (!resample) requireSameGrid(grid, volume.grid, `structure ${name}`)
  return structuresOf(name, resample ? resampleNearest(volume, grid, identityAffine, 0) : volume)
}

async function fromSets(path: string, grid: Grid): Promise<Structure[]> {
  const { structureSets, refused } = await findSeries([path], silent)
  if (structureSets.length === 0 && refused[0]) throw new LarmorError(refused[0])
  if (structureSets.length === 0)
    throw new LarmorError({
      kind: 'input.unknownFormat',
      message: 'There are no structures here.',
      where: path,
      found: 'neither a label image nor an RT structure set',
      expected: '.nii, .nii.gz, .mha, .nrrd, or a DICOM RTSTRUCT',
      fix: 'Give --rois files of these kinds.',
    })
  return structureSets.flatMap((file) => {
    const set = readStructureSet(file)
    return set.rois
      .filter(hasMask)
      .flatMap((roi) => structureOf(roi.name, rasteriseOnto(roi, grid, set.path).mask) ?? [])
  })
}

/** The structures that cohort.json lists for a patient. */
export async function cohortStructures(
  cohortDir: string,
  listed: readonly { readonly name: string; readonly file: string }[],
): Promise<Structure[]> {
  const found: Structure[] = []
  for (const { name, file } of listed)
    found.push(...structuresOf(name, (await readImage(join(cohortDir, file))).volume))
  return found
}

/** One structure a label; a single label needs no number in its name. */
export function structuresOf(name: string, labels: Volume): Structure[] {
  const { values } = labels
  const ends = new Map<number, { first: number; last: number }>()
  for (let at = 0, own: { last: number } | undefined; at < values.length; at++) {
    const value = values[at]!
    if (!(value > 0)) continue
    // Most voxels are of the structure of the voxel before.
    if (at === 0 || value !== values[at - 1] || !own) {
      const known = ends.get(value) ?? { first: at, last: at }
      ends.set(value, known)
      if (ends.size > mostLabels) throw tooMany(name)
      own = known
    }
    own.last = at
  }
  return [...ends]
    .toSorted(([a], [b]) => a - b)
    .map(([label, { first, last }]) => {
      const { firstSlice, part } = slicesOf(labels, first, last)
      const mask = new Uint8Array(part.values.length)
      for (let at = 0; at < mask.length; at++) mask[at] = part.values[at] === label ? 1 : 0
      return { name: ends.size > 1 ? `${name} ${label}` : name, firstSlice, mask: { grid: part.grid, values: mask } }
    })
}

/** A mask of 0 and 1, cut to its slices; undefined where it has no voxel. */
export function structureOf(name: string, mask: Mask): Structure | undefined {
  const first = mask.values.indexOf(1)
  if (first < 0) return undefined
  const { firstSlice, part } = slicesOf(mask, first, mask.values.lastIndexOf(1))
  return { name, firstSlice, mask: part }
}

/** The slices from the one that holds voxel `first` to that of voxel `last`. */
function slicesOf<V extends Volume>(from: V, first: number, last: number): { firstSlice: number; part: V } {
  const area = from.grid.size[0] * from.grid.size[1]
  const [firstSlice, lastSlice] = [Math.floor(first / area), Math.floor(last / area)]
  return { firstSlice, part: slab(from, firstSlice, lastSlice) as V }
}

function tooMany(name: string): LarmorError {
  return new LarmorError({
    kind: 'input.badValue',
    message: 'An image of structures holds too many values.',
    where: `Structure ${name}`,
    found: `more than ${mostLabels} different values above 0`,
    expected: 'labels: a whole number for each structure',
    fix: 'Give a mask or a label image, not an intensity image.',
  })
}
