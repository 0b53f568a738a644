/**
 * Structure sets by a registration. Contours do not stay in planes when they are turned and bent, so a region is made a mask
 * in its own frame, brought over by the nearest voxel, and drawn anew on the slices of the target.
 */
import { join } from 'node:path'
import {
  newUid,
  patientAndStudyOf,
  rasteriseOnto,
  readStructureSet,
  hasMask,
  stackOf,
  writeNifti,
  writeStructureSet,
} from '../formats/index.ts'
import type { DicomSeries, RegionToWrite, Roi } from '../formats/index.ts'
import { listening } from '../progress.ts'
import type { Grid, Mask, Vec3 } from '../volume/index.ts'
import { resampleNearestThroughInSteps } from '../volume/index.ts'
import { checkFrame, targetOf } from './warp-frame.ts'
import type { Carrying, WarpedFile } from './warp-frame.ts'

type StructureFile = Parameters<typeof readStructureSet>[0]

export async function warpStructures(file: StructureFile, stem: string, carrying: Carrying): Promise<WarpedFile[]> {
  const { way, folder, signal } = carrying
  const target = targetOf(carrying)
  const set = readStructureSet(file)
  const written: WarpedFile[] = []
  const regions: RegionToWrite[] = []
  for (const roi of set.rois.filter(hasMask)) {
    const frame = roi.frameOfReferenceUid ?? set.frameOfReferenceUids[0]
    checkFrame(frame, way.sourceFrameUid, way.targetFrameUid, `${file.path}, ${roi.name}`)
    const own = rasteriseOnto(roi, gridAround(roi, target.volume.grid), file.path)
    const steps = resampleNearestThroughInSteps(way.sourceFromTarget(), own.mask, target.volume.grid, 0)
    const mask = await listening(steps, `Bringing over ${roi.name}`, signal)
    const name = `${stem}/${uniqueName(roi.name, written)}.nii.gz`
    await writeNifti(join(folder, name), mask)
    written.push({ source: file.path, file: name, kind: 'region', notes: notesOf(own.notes, mask) })
    regions.push({ name: roi.name, type: '', mask })
  }
  const skipped = set.rois.length - regions.length
  if (!target.dicom || !isClassic(target.dicom)) return written
  await writeSet(join(folder, `${stem}.dcm`), regions, target.dicom, target.volume.grid)
  const notes = skipped > 0 ? [`${skipped} regions without a closed contour were left out`] : []
  return [...written, { source: file.path, file: `${stem}.dcm`, kind: 'structures', notes }]
}

function isClassic({ frames }: DicomSeries): boolean {
  return frames.every((frame) => frame.of === 1)
}

async function writeSet(
  path: string,
  regions: readonly RegionToWrite[],
  series: DicomSeries,
  grid: Grid,
): Promise<void> {
  const { studyUid, seriesUid, frameOfReferenceUid, modality } = series
  const sopInstanceUids = stackOf(series).sorted.map((slice) => slice.sopInstanceUid)
  await writeStructureSet(path, {
    regions,
    image: {
      grid,
      modality: modality === 'CT' ? 'CT' : 'MR',
      studyUid,
      seriesUid,
      frameOfReferenceUid: frameOfReferenceUid ?? '',
      sopInstanceUids,
    },
    patient: { id: '', name: '' },
    seriesUid: newUid('brought over', seriesUid, new Date().toISOString(), path),
    seriesNumber: SERIES_NUMBER,
    label: 'REGISTERED',
    description: 'Regions brought over by a registration',
    algorithm: 'AUTOMATIC',
    extra: patientAndStudyOf(series),
  })
}
/** Far from what a scanner counts to, behind the registrations. */
const SERIES_NUMBER = 9005

/** In patient axes, as fine as the target's finest axis, with room for half the distance between two planes. */
function gridAround({ contours }: Roi, target: Grid): Grid {
  const spacing = Math.max(FINEST_MM, Math.min(...target.spacingMm))
  let [low, high]: [Vec3, Vec3] = [
    [Infinity, Infinity, Infinity],
    [-Infinity, -Infinity, -Infinity],
  ]
  for (const { pointsMm } of contours)
    for (const [x, y, z] of pointsMm) {
      low = [Math.min(low[0], x), Math.min(low[1], y), Math.min(low[2], z)]
      high = [Math.max(high[0], x), Math.max(high[1], y), Math.max(high[2], z)]
    }
  const count = (axis: 0 | 1 | 2): number => Math.ceil((high[axis] - low[axis] + 2 * MARGIN_MM) / spacing) + 1
  return {
    size: [count(0), count(1), count(2)],
    spacingMm: [spacing, spacing, spacing],
    originMm: [low[0] - MARGIN_MM, low[1] - MARGIN_MM, low[2] - MARGIN_MM],
    direction: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
  }
}
const FINEST_MM = 0.5
/** More than half of the widest gap between two slices that are read. */
const MARGIN_MM = 10

function notesOf(own: readonly string[], { grid, values }: Mask): string[] {
  const voxels = values.reduce((sum, value) => sum + value, 0)
  const cm3 = (voxels * grid.spacingMm[0] * grid.spacingMm[1] * grid.spacingMm[2]) / 1000
  return [...own, voxels === 0 ? 'nothing of it lies on the target' : `${cm3.toFixed(2)} cm³ on the target`]
}

/** Letters and digits of any script, minus, plus and underscore. */
function uniqueName(name: string, written: readonly WarpedFile[]): string {
  const safe =
    name
      .normalize('NFC')
      .replace(/[^\p{L}\p{N}_+-]+/gu, '_')
      .slice(0, 80) || 'unnamed'
  const taken = written.map(({ file }) => file.toLowerCase())
  let [unique, n] = [safe, 1]
  while (taken.some((file) => file.endsWith(`/${unique.toLowerCase()}.nii.gz`))) unique = `${safe}-${++n}`
  return unique
}
