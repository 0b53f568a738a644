/** What holds a virtual patient, and what of it the body mask takes for the patient. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { makeVirtualPatient, PRESETS } from '../../src/phantom/index.ts'
import { axialGrid } from '../../src/phantom/virtual-patient.ts'
import { withoutSheet } from '../../src/volume/mask-sheet.ts'
import {
  aboveThreshold,
  bodyMask,
  boundingBox,
  countVoxels,
  fillHoles,
  intersect,
  type Mask,
} from '../../src/volume/index.ts'

/** From the shoulders to the eyes, few slices of fine pixels. */
const ctGrid = axialGrid([256, 192, 10], [2, 2, 24], [0, 10, -80])
const mrGrid = axialGrid([16, 16, 5], [12, 12, 12], [0, 0, -50])
const scanned = (couch: boolean, mask: boolean) =>
  makeVirtualPatient(4, { ...PRESETS.small, ctGrid, mrGrid, ct: { ...PRESETS.small.ct, couch, mask } }).ct
const diceOf = (a: Mask, b: Mask): number => (2 * countVoxels(intersect(a, b))) / (countVoxels(a) + countVoxels(b))

test('a couch changes nothing, a mask on the skin is left out, and without one nothing is', { timeout: 60_000 }, () => {
  const [free, onCouch, masked] = [scanned(false, false), scanned(true, false), scanned(false, true)]
  const body = bodyMask(free)
  const { first, last } = boundingBox(body)!
  assert.ok((last[0] - first[0]) * 2 > 250, 'the shoulders are in the picture')
  const couch = onCouch.values.filter((hu, at) => hu > -300 && free.values[at]! < -600).length
  assert.ok(couch > 2000 && diceOf(bodyMask(onCouch), body) > 0.999, `${couch} voxels of couch`)
  // 2.4 mm of plastic 0.6 mm off the skin: at pixels of 2 mm no voxel shows only the gap. All of it kept would be 0.96.
  const found = bodyMask(masked)
  assert.ok(diceOf(found, body) > 0.99, `${diceOf(found, body)}`)
  const dense = aboveThreshold(free, -300)
  assert.equal(withoutSheet(free, dense, fillHoles(dense)), dense)
})
