/** A chest and an abdomen of simple shapes: what a CT of another region looks like to the gate, made without a patient. */
import { stream } from '../../src/random.ts'
import { identityDirection, type CtVolume, type Grid } from '../../src/volume/index.ts'

const [SIDE, SLICES, MM] = [140, 16, 3.2]
export const REGIONS = ['chest', 'abdomen'] as const

/** An elliptic trunk with fat, muscle and spine; ribs, lungs and a heart in the chest, liver and bowel gas in the abdomen. */
export function torso(region: (typeof REGIONS)[number], seed: number): CtVolume {
  const random = stream(seed, 'torso', region)
  const grid: Grid = {
    size: [SIDE, SIDE, SLICES],
    spacingMm: [MM, MM, 4],
    originMm: [-(MM * (SIDE - 1)) / 2, -(MM * (SIDE - 1)) / 2, 0],
    direction: identityDirection,
  }
  const [a, b] = [random.between(155, 190), random.between(105, 130)]
  const values = new Int16Array(SIDE * SIDE * SLICES)
  const inside = (x: number, y: number, cx: number, cy: number, rx: number, ry: number): boolean =>
    ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
  let n = 0
  for (let k = 0; k < SLICES; k++)
    for (let j = 0; j < SIDE; j++)
      for (let i = 0; i < SIDE; i++) {
        const [x, y, z] = [MM * (i - (SIDE - 1) / 2), MM * (j - (SIDE - 1) / 2), k * 4]
        let hu = -1000
        if (inside(x, y, 0, 0, a, b)) hu = -100
        if (inside(x, y, 0, 0, a - 22, b - 22)) hu = 50
        if (inside(x, y, 0, b - 45, 18, 20)) hu = 220
        if (region === 'chest') {
          const rib = inside(x, y, 0, 0, a - 24, b - 24) && !inside(x, y, 0, 0, a - 31, b - 31)
          if (rib && (z + Math.abs(x) / 2) % 24 < 9) hu = 450
          for (const side of [-1, 1]) if (inside(x, y, side * 70, -8, 52, b - 40)) hu = -820
          if (inside(x, y, 18, -25, 48, 40)) hu = 45
        } else {
          if (inside(x, y, -75, -15, 62, 62)) hu = 60
          if (inside(x, y, 60 + 10 * Math.sin(z / 20), -45, 28, 22)) hu = -900
          if (inside(x, y, 40, 20, 40, 30)) hu = -90
        }
        values[n++] = Math.round(hu + 10 * random.normal())
      }
  return { grid, values }
}
