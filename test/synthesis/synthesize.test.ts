/**
 * With a network that hands the CT through, the synthetic MR is the CT in MR units: same place in the patient, whatever
 * the grid. With the denoiser of a Gaussian, the sampled result has a mean and a spread that a formula tells.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import type { Event } from '../../src/progress.ts'
import { openModel, synthesizeMri, type Model, type SynthesisOptions } from '../../src/synthesis/index.ts'
import { bodyMask, boundingBox, identityDirection, type Mat3, type Vec3, type Volume } from '../../src/volume/index.ts'
import { BALL, centredGrid, centreOfGravityMm, huAt, sampledCt } from './phantom.ts'
import {
  blurred,
  gaussianRefiner,
  lessMean,
  modelFolder,
  SIGMA_DATA,
  weightedChannels,
  type Package,
} from './small-models.ts'

const middle = weightedChannels([0, 1, 0])
const open = (model: Package): Promise<Model> => openModel(modelFolder(model), { threads: 1 })
/** What the test packages make of HU: −1000 … 1000 HU ↦ −1 … 1 ↦ 0 … 1000. */
const mrOf = (hu: number): number => (hu + 1000) / 2
const centre: Vec3 = [12, -18, 30]
const plain = centredGrid([48, 44, 20], [1.6, 1.6, 3], identityDirection, centre)

function rotated(degrees: number, [x, y, z]: Vec3): Mat3 {
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)]
  const t = 1 - c
  return [
    [t * x * x + c, t * x * y + s * z, t * x * z - s * y],
    [t * x * y - s * z, t * y * y + c, t * y * z + s * x],
    [t * x * z + s * y, t * y * z - s * x, t * z * z + c],
  ]
}

const GRIDS: Record<string, Volume> = {
  'a plain axial CT': sampledCt(plain),
  'voxels of 1 × 2.3 × 4 mm': sampledCt(centredGrid([76, 32, 16], [1, 2.3, 4], identityDirection, centre)),
  'a CT finer than the network by half': sampledCt(centredGrid([90, 84, 14], [0.9, 0.9, 4], identityDirection, centre)),
  'rows and slices the other way round': sampledCt(
    centredGrid(
      [48, 44, 20],
      [1.6, 1.6, 3],
      [
        [-1, 0, 0],
        [0, 1, 0],
        [0, 0, -1],
      ],
      centre,
    ),
  ),
  'sagittal order in memory': sampledCt(
    centredGrid(
      [44, 20, 48],
      [1.6, 3, 1.6],
      [
        [0, 1, 0],
        [0, 0, -1],
        [-1, 0, 0],
      ],
      centre,
    ),
  ),
  'a CT turned by 12° about an oblique axis': sampledCt(
    centredGrid([48, 44, 20], [1.6, 1.6, 3], rotated(12, [0.6, 0, 0.8]), centre),
  ),
}

for (const [name, ct] of Object.entries(GRIDS))
  test(`a landmark stays at its millimetre: ${name}`, async () => {
    const model = await open({ stage1: middle, size: [48, 48], spacingMm: [1.5, 1.5] })
    const [{ mr, tiles }] = await synthesizeMri(model, ct, { seed: 1 })
    assert.deepEqual(mr.grid, ct.grid, 'the CT’s exact grid')
    assert.equal(tiles, 1)
    const [inCt, inMr] = [centreOfGravityMm(ct, 200), centreOfGravityMm(mr, mrOf(200))]
    const apartMm = Math.hypot(...inCt.map((x, axis) => x - inMr[axis]!))
    assert.ok(apartMm < 0.1, `the ball’s centre moved by ${apartMm.toFixed(3)} mm`)
    assert.ok(Math.hypot(...inMr.map((x, axis) => x - BALL.centreMm[axis]!)) < 0.3, `at ${inMr.join(', ')}`)
    await model.close()
  })

/** A frame on the CT's own pixels: as odd or as even as the body's box, on whose centre it lies. */
function onOwnPixels(ct: Volume, least: [number, number]): [number, number] {
  const box = boundingBox(bodyMask(ct))!
  const size = (axis: 0 | 1): number => {
    const extent = box.last[axis] - box.first[axis] + 1
    return least[axis] + ((extent - least[axis]) % 2 === 0 ? 0 : 1)
  }
  return [size(0), size(1)]
}

test('where the network’s pixels are the CT’s, the MR equals the mapped CT in every voxel of the body', async () => {
  const ct = sampledCt(plain)
  const model = await open({ stage1: middle, size: onOwnPixels(ct, [46, 42]), spacingMm: [1.6, 1.6] })
  const [{ mr, bodyShare }] = await synthesizeMri(model, ct, { seed: 1 })
  const body = bodyMask(ct).values
  ct.values.forEach((hu, at) => {
    const expected = body[at] === 1 ? mrOf(hu) : 0
    assert.ok(Math.abs(mr.values[at]! - expected) < 1e-3, `voxel ${at}: ${mr.values[at]}, CT ${hu}`)
  })
  assert.equal(bodyShare, body.reduce((a, b) => a + b, 0) / body.length)
  await model.close()
})

// NIfTI and MetaImage keep what scanners store outside their field of view; import and the DICOM reader raise it to −1024.
test('padding of −2000 or −3024 HU round the body makes the MR that −1024 makes, to the bit, and the CT keeps its values', async () => {
  const model = await open({ stage1: middle, size: [48, 48], spacingMm: [1.5, 1.5] })
  const padded = (hu: number): Volume<Int16Array> => sampledCt(plain, (p) => (huAt(p) === -1000 ? hu : huAt(p)))
  const [{ mr: expected }] = await synthesizeMri(model, padded(-1024), { seed: 1 })
  for (const hu of [-2000, -3024])
    for (const ct of [padded(hu), { grid: plain, values: Float32Array.from(padded(hu).values) }]) {
      const [{ mr }] = await synthesizeMri(model, ct, { seed: 1 })
      assert.deepEqual(mr.values, expected.values, `${hu} HU`)
      assert.ok(ct.values.includes(hu))
    }
  await model.close()
})

test('neighbouring slices reach the network in order, the last one repeated at the ends', async () => {
  const ramp = sampledCt(plain, (p) => (huAt(p) < -500 ? -1000 : 10 * p[2]))
  const at = (mr: Volume, k: number): number => mr.values[24 + 48 * (22 + 44 * k)]!
  const stepHu = 30 // 3 mm slices, 10 HU a mm
  for (const [weights, offset] of [
    [[1, 0, 0], -1],
    [[0, 0, 1], 1],
  ] as const) {
    const model = await open({ stage1: weightedChannels(weights) })
    const [{ mr }] = await synthesizeMri(model, ramp, { seed: 1 })
    for (let k = 0; k < 20; k++) {
      const from = Math.min(19, Math.max(0, k + offset))
      const hu = 10 * plain.originMm[2] + stepHu * from
      assert.ok(Math.abs(at(mr, k) - mrOf(hu)) < 1, `slice ${k}: ${at(mr, k)}, expected ${mrOf(hu)}`)
    }
    await model.close()
  }
})

test('a body wider than the frame is made of tiles as it is in one piece, edges of the tiles included', async () => {
  const ct = sampledCt(plain)
  const inOnePiece = onOwnPixels(ct, [64, 64])
  // A mean over 5 × 5 pixels that sees zeros beyond its image: wrong in the two outermost pixels of every tile.
  for (const [stage1, allowed] of [
    [middle, 1e-3],
    [blurred(5), 25],
  ] as const) {
    const whole = await open({ stage1, size: inOnePiece, spacingMm: [1.6, 1.6] })
    const tiled = await open({ stage1, size: [24, 20], spacingMm: [1.6, 1.6] })
    const [one] = await synthesizeMri(whole, ct, { seed: 1 })
    const [many] = await synthesizeMri(tiled, ct, { seed: 1 })
    assert.ok(one.tiles === 1 && many.tiles >= 9, `${one.tiles} and ${many.tiles} tiles`)
    const largest = one.mr.values.reduce((most, value, at) => Math.max(most, Math.abs(value - many.mr.values[at]!)), 0)
    assert.ok(largest < allowed, `a difference of ${largest} of 1000`)
    await whole.close()
    await tiled.close()
  }
})

/** As exported of a network that was trained on the rectangle about the body. */
const inBoxes = (model: Package): Promise<Model> =>
  openModel(
    modelFolder(model, (card) => {
      const bodyBox = { marginPixels: 3, multipleOf: 2 }
      return { ...card, stage1: { ...card.stage1, bodyBox }, refiner: card.refiner && { ...card.refiner, bodyBox } }
    }),
    { threads: 1 },
  )

test('a network of the rectangle about the body does not see how much air the frame has', async () => {
  const ct = sampledCt(plain)
  const imagesOf = (opened: (model: Package) => Promise<Model>): Promise<Float32Array[]> =>
    Promise.all(
      [onOwnPixels(ct, [46, 42]), onOwnPixels(ct, [90, 70])].map(async (size) => {
        const model = await opened({ stage1: lessMean(), size, spacingMm: [1.6, 1.6] })
        const [{ mr }] = await synthesizeMri(model, ct, { seed: 1 })
        await model.close()
        return mr.values
      }),
    )
  const apart = ([a, b]: Float32Array[]): number =>
    a!.reduce((most, value, at) => Math.max(most, Math.abs(value - b![at]!)), 0)
  const [boxes, whole] = [apart(await imagesOf(inBoxes)), apart(await imagesOf(open))]
  assert.ok(boxes < 1e-3 && whole > 50, `boxes differ by ${boxes} of 1000, whole slices by ${whole}`)
})

test('a pixel by itself is made as it is of whole slices, sampled and as tiles where the body is wider', async () => {
  const ct = sampledCt(plain)
  const seen: SynthesisOptions = { seed: 1, mode: 'single', steps: 3 }
  for (const size of [onOwnPixels(ct, [46, 42]), [24, 20]] as [number, number][]) {
    const graphs: Package = { stage1: middle, refiner: gaussianRefiner(0.5), size, spacingMm: [1.6, 1.6] }
    const [boxed, whole] = [await inBoxes(graphs), await open(graphs)]
    const [[a], [b]] = [await synthesizeMri(boxed, ct, seen), await synthesizeMri(whole, ct, seen)]
    assert.equal(a.tiles, b.tiles)
    a.mr.values.forEach((value, at) => assert.ok(Math.abs(value - b.mr.values[at]!) < 1e-3))
    for (const model of [boxed, whole]) await model.close()
  }
})

test('the refiner’s sample has the mean and the spread of the distribution that its denoiser knows', async () => {
  const ct = sampledCt(plain)
  const model = await open({ stage1: middle, refiner: gaussianRefiner(0.5), size: [48, 48] })
  const stage1 = (await synthesizeMri(model, ct, { seed: 1, mode: 'stage-1' }))[0].mr.values
  const soft = [...ct.values.keys()].filter((at) => ct.values[at] === 40 && stage1[at]! > 500)
  const spread = async (mode: 'single' | 'mean', seed: number): Promise<{ mean: number; sd: number }> => {
    const [{ mr, evaluations }] = await synthesizeMri(model, ct, { seed, mode, steps: 24 })
    assert.equal(evaluations, mode === 'single' ? 24 : 96)
    const values = soft.map((at) => mr.values[at]! / 500 - 1) // back in [−1, 1]
    const mean = values.reduce((a, b) => a + b, 0) / values.length
    return { mean, sd: Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length) }
  }
  // Soft tissue is 0.04 after stage 1, and the refiner's residual is N(0.5 · 0.04, 0.1²).
  const single = await spread('single', 1)
  assert.ok(Math.abs(single.mean - 0.06) < 0.01, `mean ${single.mean}`)
  // Resampled from 2 mm onto 1.6 mm pixels, linear interpolation averages some of the noise away.
  assert.ok(single.sd > 0.5 * SIGMA_DATA && single.sd < 1.05 * SIGMA_DATA, `SD ${single.sd}`)
  const mean = await spread('mean', 1)
  assert.ok(Math.abs(mean.sd / single.sd - 0.5) < 0.05, `the mean of four samples has SD ${mean.sd}`)
  await model.close()
})

test('the same seed gives the same voxels, another seed others', async () => {
  const model = await open({ stage1: middle, refiner: gaussianRefiner(0) })
  const made = async (seed: number): Promise<Float32Array> =>
    (await synthesizeMri(model, sampledCt(plain), { seed, mode: 'single' }))[0].mr.values
  assert.deepEqual(await made(3), await made(3))
  assert.notDeepEqual(await made(3), await made(4))
  await model.close()
})

test('one evaluation gives nearly the posterior mean, without the noise of a sample', async () => {
  const model = await open({ stage1: middle, refiner: gaussianRefiner(0.5), size: [48, 48] })
  const ct = sampledCt(plain)
  const [{ mr, evaluations }] = await synthesizeMri(model, ct, { seed: 1, mode: 'one-step' })
  assert.equal(evaluations, 1)
  const at = 24 + 48 * (22 + 44 * 3)
  assert.equal(ct.values[at], 40)
  assert.ok(Math.abs(mr.values[at]! / 500 - 1 - 0.06) < 0.005, `${mr.values[at]! / 500 - 1}`)
  await model.close()
})

test('a mode of the refiner is refused where there is none, and steps where nothing is sampled', async () => {
  const model = await open({ stage1: middle })
  const refusedAs = (kind: string) => (error: unknown) => error instanceof LarmorError && error.fault.kind === kind
  const made = (options: Partial<SynthesisOptions>) => synthesizeMri(model, sampledCt(plain), { seed: 1, ...options })
  for (const mode of ['single', 'mean', 'one-step'] as const)
    await assert.rejects(made({ mode }), refusedAs('model.mismatch'))
  await assert.rejects(made({ mode: 'stage-1', steps: 3 }), refusedAs('usage.wrong'))
  await assert.rejects(made({ mode: 'one-step', steps: 3 }), refusedAs('usage.wrong'))
  await model.close()
})

test('a request to stop ends the work before the next image, and progress counts slices up to all', async () => {
  const model = await open({ stage1: middle })
  const events: Event[] = []
  await synthesizeMri(model, sampledCt(plain), { seed: 1, report: (event) => events.push(event) })
  const counts = events.flatMap((event) => (event.at === 'progress' ? [event.done] : []))
  assert.deepEqual(
    counts,
    counts.toSorted((a, b) => a - b),
  )
  assert.equal(counts.at(-1), 20)

  const stop = new AbortController()
  let calls = 0
  const report = (): void => void (++calls === 3 && stop.abort())
  const stopped = synthesizeMri(model, sampledCt(plain), { seed: 1, report, signal: stop.signal })
  await assert.rejects(stopped, (error) => error instanceof LarmorError && error.fault.kind === 'interrupted')
  assert.equal(calls, 3)
  await model.close()
})
