/** Landmarks of a case, and how far from them a registration ends. RAS mm, as in the files. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type Point = readonly number[]
export type Landmarks = { readonly fixed: Point[]; readonly moving: Point[] }
export type Errors = { readonly meanMm: number; readonly medianMm: number; readonly p95Mm: number }

export function landmarksOf(folder: string): Landmarks {
  const rows = rowsOf(join(folder, 'landmarks.csv'))
  return { fixed: rows.map((row) => row.slice(0, 3)), moving: rows.map((row) => row.slice(3, 6)) }
}

export function readPoints(path: string): Point[] {
  return rowsOf(path)
}

export function writePoints(path: string, points: readonly Point[]): void {
  writeFileSync(path, `${['x,y,z', ...points.map((point) => point.join(','))].join('\n')}\n`)
}

export function errorsOf(found: readonly Point[], truth: readonly Point[]): Errors {
  const errors = found
    .map((point, n) => Math.hypot(...point.map((mm, axis) => mm - truth[n]![axis]!)))
    .toSorted((a, b) => a - b)
  const at = (share: number): number => errors[Math.floor(share * (errors.length - 1))]!
  return { meanMm: errors.reduce((sum, mm) => sum + mm, 0) / errors.length, medianMm: at(0.5), p95Mm: at(0.95) }
}

function rowsOf(path: string): number[][] {
  const [, ...lines] = readFileSync(path, 'utf8').trim().split(/\r?\n/)
  return lines.map((line) => line.split(',').map(Number))
}
