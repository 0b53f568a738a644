import assert from 'node:assert/strict'
import { test } from 'vitest'
import { edgeDistance } from '../../src/registration/edges.ts'
import { prepareCt, prepareMr } from '../../src/registration/prepare.ts'
import { identityAffine } from '../../src/volume/index.ts'
import { CT_GRID, headCt, headMr, mrGridFor } from './head.ts'

const ct = prepareCt(headCt())
const mr = prepareMr(headMr(identityAffine, mrGridFor(identityAffine)))
const shifted = (mm: number) => ({ movingFromFixedMm: { ...identityAffine, offset: [0, mm, 0] as const } })

test('skin strays by half a voxel when it is aligned, and by as much as it is shifted at the worst places', () => {
  // Voxels of 4 mm; where a tenth of the brightness is reached depends on them and is the same all around: the offset.
  const aligned = edgeDistance(ct, mr, shifted(0), 'skin')!
  assert.ok(aligned.spreadP95Mm < 2.6, aligned.spreadP95Mm.toFixed(2))
  assert.ok(aligned.shownShare > 0.95)
  // |5 cos θ| over the directions of a closed surface has its 95 % near 5.
  const off = edgeDistance(ct, mr, shifted(5), 'skin')!
  assert.ok(off.spreadP95Mm > 4.2 && off.spreadP95Mm < 6, off.spreadP95Mm.toFixed(2))
})

test('skin is found at its own surface where it is dark and the fat beneath it bright, and where both are dark', () => {
  // Fat suppressed: what is at the skin shows a fifth of what lies beneath it, and yet the surface is where it was.
  const suppressed = prepareMr(headMr(identityAffine, mrGridFor(identityAffine), 1, { skin: 200 }))
  const [bright, dark] = [mr, suppressed].map((image) => edgeDistance(ct, image, shifted(0), 'skin')!)
  assert.ok(dark!.shownShare > 0.8, dark!.shownShare.toFixed(2))
  assert.ok(dark!.spreadP95Mm < 3 && Math.abs(dark!.offsetMm - bright!.offsetMm) < 2, JSON.stringify(dark))
})

test('a board and the wall of a box beside the patient are not taken for skin', () => {
  const withBox = { ...headCt() }
  withBox.values = withBox.values.slice()
  const [ni, nj] = CT_GRID.size
  for (let at = 0; at < withBox.values.length; at++) {
    const [i, j] = [at % ni, Math.floor(at / ni) % nj]
    if (i === 3 || i === 4 || i === ni - 5 || i === ni - 4 || j > nj - 6) withBox.values[at] = -80
  }
  const boxed = edgeDistance(prepareCt(withBox), mr, shifted(0), 'skin')!
  const alone = edgeDistance(ct, mr, shifted(0), 'skin')!
  assert.ok(Math.abs(boxed.spreadP95Mm - alone.spreadP95Mm) < 0.5, JSON.stringify(boxed))
  assert.ok(boxed.shownShare > 0.95, boxed.shownShare.toFixed(2))
})

test('where the MR shows no edge at the skin nothing is compared', () => {
  const even = { ...mr, plain: { ...mr.plain, values: mr.plain.values.map(() => 1) } }
  assert.equal(edgeDistance(ct, even, shifted(0), 'skin'), undefined)
})
