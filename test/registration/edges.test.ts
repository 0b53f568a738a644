import assert from 'node:assert/strict'
import { test } from 'vitest'
import { edgeDistance } from '../../src/registration/edges.ts'
import { prepareCt, prepareMr } from '../../src/registration/prepare.ts'
import { identityAffine } from '../../src/volume/index.ts'
import { headCt, headMr, mrGridFor } from './head.ts'

const ct = prepareCt(headCt())
const mr = prepareMr(headMr(identityAffine, mrGridFor(identityAffine)))
const shifted = (mm: number) => ({ movingFromFixedMm: { ...identityAffine, offset: [0, mm, 0] as const } })

test('skin that is aligned is together within a fraction of a voxel; shifted by 5 mm it is about 2.5 mm off', () => {
  const aligned = edgeDistance(ct, mr, shifted(0), 'skin')!
  assert.ok(aligned.meanMm < 1.2, aligned.meanMm.toFixed(2))
  assert.ok(aligned.shownShare > 0.9)
  // The mean of |5 cos θ| over all directions of a closed surface is 2.5.
  const off = edgeDistance(ct, mr, shifted(5), 'skin')!
  assert.ok(off.meanMm > 1.9 && off.meanMm < 3.3, off.meanMm.toFixed(2))
})

test('where the MR shows no edge at the skin nothing is compared', () => {
  const even = { ...mr, plain: { ...mr.plain, values: mr.plain.values.map(() => 1) } }
  assert.equal(edgeDistance(ct, even, shifted(0), 'skin'), undefined)
})
