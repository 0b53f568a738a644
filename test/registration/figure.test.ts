import assert from 'node:assert/strict'
import { test } from 'vitest'
import { registrationFigures } from '../../src/registration/index.ts'
import { identityAffine, resampleLinear, volume } from '../../src/volume/index.ts'
import { CT_GRID, headCt, headMr } from './head.ts'

const ct = headCt()
const mr = headMr(identityAffine, CT_GRID)
const figures = registrationFigures(ct, mr, volume(CT_GRID, new Uint8Array(mr.values.length).fill(1)))
const named = (name: string) => figures.find((figure) => figure.name === name)!

/** The colour at a share (0 … 1) of one panel's width and height. */
function colourAt(name: string, panel: 0 | 1 | 2 | 3, right: number, down: number): number[] {
  const { width, height, pixels } = named(name)
  const column = Math.floor((width / 4) * (panel + right))
  const at = 3 * (column + width * Math.floor(height * down))
  return [...pixels.subarray(at, at + 3)]
}

test('there are three planes of four panels, a pixel a millimetre', () => {
  assert.deepEqual(
    figures.map(({ name }) => name),
    ['axial', 'coronal', 'sagittal'],
  )
  for (const { width, height, pixels } of figures) assert.equal(pixels.length, 3 * width * height)
  const { width, height } = named('sagittal')
  // The head is 170 mm deep with 27 mm of nose, and about 196 mm high with the neck that the CT shows.
  assert.ok(Math.abs(width / 4 - 208) < 14 && Math.abs(height - 208) < 14, `${width / 4} × ${height}`)
})

test('the face looks to the left in the sagittal plane and the head is at the top', () => {
  const isBody = (right: number, down: number): boolean => colourAt('sagittal', 0, right, down)[0]! > 20
  // Below the chin there is air in front of the neck; behind it, at that height, there is neck.
  assert.ok(!isBody(0.1, 0.95) && isBody(0.6, 0.95))
  // In the middle of the skull there is brain on both sides.
  assert.ok(isBody(0.3, 0.4) && isBody(0.8, 0.4))
})

test('edges of the CT are drawn on the MR where it is aligned with it: skin in cyan, bone in yellow', () => {
  const { width, height, pixels } = named('axial')
  let [skin, bone] = [0, 0]
  for (let row = 0; row < height; row++)
    for (let column = (width / 4) * 3; column < width; column++) {
      const at = 3 * (column + width * row)
      if (pixels[at] === 0 && pixels[at + 1] === 255 && pixels[at + 2] === 255) skin++
      if (pixels[at] === 255 && pixels[at + 1] === 220 && pixels[at + 2] === 0) bone++
    }
  // Skin: an oval of about 2π · 77 mm; bone: two ovals a little smaller.
  assert.ok(skin > 350 && bone > 600, `${skin} and ${bone} pixels`)
})

test('where the MR has no data the checkerboard shows the CT alone', () => {
  const nowhere = volume(CT_GRID, new Uint8Array(mr.values.length))
  const [axial] = registrationFigures(ct, resampleLinear(mr, CT_GRID, identityAffine, 0), nowhere)
  const { width, height, pixels } = axial!
  for (let row = 0; row < height; row += 7)
    for (let column = 0; column < width / 4; column += 7) {
      const at = (panel: number) => pixels[3 * (column + (width / 4) * panel + width * row)]
      assert.equal(at(2), at(0))
    }
})
