/** Masks of every structure set at hand whose image is there, against `plastimatch convert` (Debian's, run beside us). */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { openDicomFile } from '../../src/formats/dicom/file.ts'
import { rasterise, readImage, readStructureSet } from '../../src/formats/index.ts'
import type { Roi } from '../../src/formats/index.ts'
import { hasMask } from '../../src/formats/rtstruct/rasterise.ts'
import { apply, indexFromMm } from '../../src/volume/index.ts'
import type { Grid, Mask } from '../../src/volume/index.ts'
import { sharedData } from '../shared-data.ts'
import { installed } from './made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-plastimatch-'))
afterAll(() => rmSync(root, { recursive: true }))

const [set, series] = [sharedData('dicom_rtstruct'), sharedData('dicom_series')]
/** The image of each case; the third one of the set has none. */
const CT: Record<string, string> =
  set && series
    ? {
        rtutils_phantom: join(set, 'rtutils_phantom', 'ct'),
        made_on_ct_philips: join(series, 'ct_philips_axial_with_scout'),
      }
    : {}
const sets = Object.keys(CT).flatMap((name) =>
  readdirSync(join(set!, name))
    .filter((file) => file.endsWith('.dcm'))
    .map((file) => [file, name] as const),
)
/** A bow tie of 779 voxels (769 for plastimatch) whose diagonals pass through their centres: who owns an edge decides. */
const ON_EDGES: Record<string, number> = { SelfCrossing: 0.98 }

/**
 * plastimatch takes the union of contours, we count holes: so each region is compared as the union of its contours, each
 * filled by itself. Those that lie on no slice are refused here and moved to one there: their slices are left out.
 */
const ready = sets.length > 0 && installed('plastimatch')
describe.skipIf(!ready)('plastimatch (skipped where it or ../shared/data is missing)', () => {
  beforeAll(() => {
    for (const [name, folder] of Object.entries(CT))
      plastimatch('--input', folder, '--output-img', join(root, `${name}.nii`))
  })

  test.each(sets)('%s: Dice of 0.99 or more for every region', async (file, name) => {
    const path = join(set!, name, file)
    const masks = join(root, `${name}-${file}`)
    plastimatch(
      '--input',
      path,
      '--fixed',
      join(root, `${name}.nii`),
      '--output-prefix',
      masks,
      '--prefix-format',
      'mha',
    )
    let compared = 0
    for (const roi of readStructureSet((await openDicomFile(path))!).rois) {
      const theirs = join(masks, `${roi.name}.mha`)
      if (!existsSync(theirs) || !hasMask(roi)) continue
      const { volume } = await readImage(theirs)
      const { mask, slices } = unionOf(roi, volume.grid)
      if (slices.length === 0) continue
      const dice = diceOf(mask, volume.values, slices)
      assert.ok(dice >= (ON_EDGES[roi.name] ?? 0.99), `${roi.name}: ${dice}`)
      compared++
    }
    assert.ok(compared > 0)
  })
})

function plastimatch(...options: string[]): void {
  execFileSync('plastimatch', ['convert', ...options], { stdio: 'ignore' })
}

/** All contours that lie on slices, each filled by itself, and the slices on which no other contour was drawn. */
function unionOf(roi: Roi, grid: Grid): { mask: Mask; slices: number[] } {
  const values = new Uint8Array(grid.size[0] * grid.size[1] * grid.size[2])
  const [drawn, refused] = [new Set<number>(), new Set<number>()]
  for (const contour of roi.contours.filter(({ pointsMm }) => pointsMm.length >= 3)) {
    const k = Math.round(apply(indexFromMm(grid), contour.pointsMm[0]!)[2])
    drawn.add(k)
    try {
      const { mask } = rasterise({ ...roi, contours: [contour] }, grid, roi.name)
      for (const [n, value] of mask.values.entries()) values[n]! |= value
    } catch (error) {
      if (!(error instanceof LarmorError)) throw error
      for (const near of [k - 1, k, k + 1]) refused.add(near)
    }
  }
  return { mask: { grid, values }, slices: [...drawn].filter((k) => !refused.has(k)) }
}

/** 1 where both are empty. */
function diceOf({ grid, values }: Mask, theirs: ArrayLike<number>, slices: readonly number[]): number {
  const perSlice = grid.size[0] * grid.size[1]
  let [both, ours, others] = [0, 0, 0]
  for (const k of slices)
    for (let n = k * perSlice; n < (k + 1) * perSlice; n++) {
      const other = theirs[n]! > 0 ? 1 : 0
      both += values[n]! & other
      ours += values[n]!
      others += other
    }
  return ours + others === 0 ? 1 : (2 * both) / (ours + others)
}
