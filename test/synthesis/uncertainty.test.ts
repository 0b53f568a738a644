/** What several samples say together: the denoiser of a Gaussian tells how far they must lie apart. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { openModel, synthesizeMri, type Model, type SynthesisOptions } from '../../src/synthesis/index.ts'
import { bodyMask, boundingBox, identityDirection } from '../../src/volume/index.ts'
import { centredGrid, sampledCt } from './phantom.ts'
import { gaussianRefiner, modelFolder, SIGMA_DATA, weightedChannels } from './small-models.ts'

const ct = sampledCt(centredGrid([48, 44, 20], [1.6, 1.6, 3], identityDirection, [12, -18, 30]))
const body = bodyMask(ct)

/** A model whose pixels are the CT's, so that nothing is interpolated: as odd or even as the body's box. */
async function model(): Promise<Model> {
  const box = boundingBox(body)!
  const odd = (axis: 0 | 1): number => (box.last[axis] - box.first[axis] + 1) % 2
  const size: [number, number] = [46 + odd(0), 42 + odd(1)]
  const folder = modelFolder({
    stage1: weightedChannels([0, 1, 0]),
    refiner: gaussianRefiner(0.5),
    size,
    spacingMm: [1.6, 1.6],
  })
  return openModel(folder, { threads: 1 })
}

async function made(options: Partial<SynthesisOptions>) {
  const opened = await model()
  try {
    return (await synthesizeMri(opened, ct, { seed: 5, steps: 24, uncertainty: true, ...options }))[0]
  } finally {
    await opened.close()
  }
}

const soft = [...ct.values.keys()].filter((at) => ct.values[at] === 40 && body.values[at] === 1)

test('the square of the uncertainty is on average the variance of the samples, however few they are', async () => {
  const variance = (SIGMA_DATA * 500) ** 2 // −1 … 1 is 0 … 1000
  for (const samples of [2, 4]) {
    const { uncertainty, evaluations } = await made({ mode: 'mean', samples })
    assert.equal(evaluations, 24 * samples)
    const mean = soft.reduce((sum, at) => sum + uncertainty!.values[at]! ** 2, 0) / soft.length
    // Divided by n instead of n − 1 it would be a half of it with two samples, three quarters with four.
    assert.ok(Math.abs(mean / variance - 1) < 0.12, `${samples} samples: ${mean / variance} of the variance`)
  }
})

// With two samples x₀ and x₁ the mean is m = (x₀ + x₁) / 2 and the SD |x₀ − x₁| / √2 = √2 · |x₀ − m|; x₀ is what 'single' makes.
test('of two samples it is √2 times the distance of the first from the mean, in every voxel', async () => {
  const { mr, uncertainty } = await made({ mode: 'mean', samples: 2 })
  const first = (await made({ mode: 'single' })).mr
  let largest = 0
  for (const at of soft) {
    const expected = Math.SQRT2 * Math.abs(first.values[at]! - mr.values[at]!)
    assert.ok(Math.abs(uncertainty!.values[at]! - expected) < 0.01, `${uncertainty!.values[at]}, expected ${expected}`)
    largest = Math.max(largest, expected)
  }
  assert.ok(largest > 50)
})

test('it lies on the CT’s grid, is 0 outside the body, and is there only where samples were drawn and it was asked for', async () => {
  const { uncertainty } = await made({ mode: 'mean', samples: 2 })
  assert.deepEqual(uncertainty!.grid, ct.grid)
  for (const [at, inside] of body.values.entries()) if (inside === 0) assert.equal(uncertainty!.values[at], 0)
  assert.equal((await made({ mode: 'single' })).uncertainty, undefined)
  assert.equal((await made({ mode: 'mean', samples: 2, uncertainty: false })).uncertainty, undefined)
  await assert.rejects(made({ mode: 'single', samples: 2 }), (error) => {
    return error instanceof LarmorError && error.fault.kind === 'usage.wrong' && error.fault.where === '--samples'
  })
})
