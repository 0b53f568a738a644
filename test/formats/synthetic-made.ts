/** A small CT and everything that is written from it, for the tests that hold our DICOM objects against other programs. */
import { spawnSync } from 'node:child_process'
import { findSeries, newUid, readDicomVolume, stackOf, writeDicomSeries } from '../../src/formats/index.ts'
import type { DicomSeries, SeriesToWrite, SyntheticMr } from '../../src/formats/index.ts'
import { writeStructureSet } from '../../src/formats/rtstruct/write-structure-set.ts'
import { silent } from '../../src/progress.ts'
import { volume, voxelCount } from '../../src/volume/index.ts'
import type { CtVolume, Grid, Mask } from '../../src/volume/index.ts'

const [c, s] = [Math.cos(0.1), Math.sin(0.1)]
/** Turned by 0.1 rad about the z axis, unevenly spaced, with an origin that needs its digits. */
export const turned: Grid = {
  size: [16, 12, 5],
  spacingMm: [1.1, 0.9, 2.5],
  originMm: [-30.123456789, 12.5, 870.25],
  direction: [
    [c, s, 0],
    [-s, c, 0],
    [0, 0, 1],
  ],
}

export function ctOn(grid: Grid, hu = (n: number): number => ((n * 37) % 3000) - 1000): CtVolume {
  return volume(
    grid,
    Int16Array.from({ length: voxelCount(grid) }, (_, n) => hu(n)),
  )
}

/** Writes the CT as a hospital would and reads its headers back. */
export async function ctSeries(folder: string, ct: CtVolume, extra: SeriesToWrite['extra'] = {}): Promise<DicomSeries> {
  await writeDicomSeries(folder, {
    volume: ct,
    modality: 'CT',
    patient: { id: 'PHANTOM-1', name: 'PHANTOM^ONE' },
    studyUid: newUid(folder, 'study'),
    seriesUid: newUid(folder, 'series'),
    frameOfReferenceUid: newUid(folder, 'frame'),
    seriesNumber: 1,
    description: 'virtual CT',
    patientPosition: 'HFS',
    extra: { KVP: 120, BodyPartExamined: 'HEADNECK', ...extra },
  })
  return (await findSeries([folder], silent)).series[0]!
}

/** Two regions on the CT, a box and a box with a hole, as a planning system would have drawn them. */
export async function structuresOn(path: string, source: DicomSeries, label = 'RTstruct'): Promise<string> {
  const { grid, sorted } = stackOf(source)
  const [ni, nj] = grid.size
  const mask = (inside: (i: number, j: number, k: number) => boolean): Mask => {
    const place = (n: number): [number, number, number] => [n % ni, Math.floor(n / ni) % nj, Math.floor(n / (ni * nj))]
    return volume(
      grid,
      Uint8Array.from({ length: voxelCount(grid) }, (_, n) => Number(inside(...place(n)))),
    )
  }
  const box = (i: number, j: number, low: number, high: number): boolean => i >= low && i < high && j >= low && j < high
  await writeStructureSet(path, {
    regions: [
      { name: 'Box', type: 'ORGAN', mask: mask((i, j, k) => k > 0 && box(i, j, 2, 6)) },
      { name: 'Ring', type: 'PTV', mask: mask((i, j, k) => k < 3 && box(i, j, 3, 10) && !box(i, j, 5, 8)) },
    ],
    image: {
      grid,
      modality: 'CT',
      studyUid: source.studyUid,
      seriesUid: source.seriesUid,
      frameOfReferenceUid: source.frameOfReferenceUid!,
      sopInstanceUids: sorted.map((slice) => slice.sopInstanceUid),
    },
    patient: { id: 'PHANTOM-1', name: 'PHANTOM^ONE' },
    seriesUid: newUid(path, 'structures'),
    seriesNumber: 3,
    label,
    description: 'virtual contours',
    algorithm: 'MANUAL',
    extra: { ApprovalStatus: 'APPROVED', StudyDate: '20250101' },
  })
  return path
}

/** HU + 1024 as an MR: a landmark of the CT is the same landmark in it. */
export async function madeOf(source: DicomSeries, change: Partial<SyntheticMr> = {}): Promise<SyntheticMr> {
  const { grid, values } = await readDicomVolume(source, change.resampling)
  return {
    mr: volume(
      grid,
      Float32Array.from(values, (hu) => hu + 1024),
    ),
    source,
    model: { name: 'demo', version: '1', sha256: 'ab'.repeat(32) },
    description: 't1',
    seed: 1,
    window: { low: 0, high: 4095 },
    createdAt: new Date(2026, 10, 24, 12, 30, 5),
    ...change,
  }
}

/** Synthetic Data (0008,001C) is younger than Debian 12's dicom3tools (June 2022), which take it for no attribute at all. */
const NOT_KNOWN_IN_2022 = /\(0x0008,0x001c\)/

/** What dciodvfy calls an error in the object, and the object that it takes it for. */
export function errorsOf(path: string): { errors: string[]; kind: string } {
  const lines = spawnSync('dciodvfy', [path], { encoding: 'utf8' }).stderr.split('\n')
  return {
    errors: lines.filter((line) => line.startsWith('Error') && !NOT_KNOWN_IN_2022.test(line)),
    kind: lines.find((line) => /^[A-Za-z]+$/.test(line)) ?? 'none',
  }
}
