import assert from 'node:assert/strict'
import { test } from 'vitest'
import { augmentedBatch, readBatch, refsAt, type Store } from '../../src/dataset/index.ts'
import { noAugmentation } from '../../src/dataset/augment.ts'
import { jittered } from '../../src/dataset/bend.ts'
import { movedTo } from '../../src/dataset/open-store.ts'
import { MR_STEPS } from '../../src/dataset/slices.ts'
import type { Plan } from '../../src/plan/index.ts'
import { stream } from '../../src/random.ts'
import { liveTensors, mul, scope, sub, tensor, type Tensor } from '../../src/tensor/index.ts'
import { mapCt } from '../../src/volume/index.ts'

const [slices, h, w] = [5, 64, 32]
const ctMapping = { kind: 'hu-window', lowHu: -1000, highHu: 1500 } as const

/** One patient whose MR is the mapped CT: what happens to one must happen to the other. */
function pairedStore(neighbours: number): Store {
  const random = stream(1, 'waves')
  const [fx, fy] = [random.between(0.1, 0.3), random.between(0.1, 0.3)]
  const ct = Int16Array.from({ length: slices * h * w }, (_, at) => {
    const [i, j, k] = [at % w, Math.floor(at / w) % h, Math.floor(at / (w * h))]
    return Math.round(250 + 600 * Math.sin(fx * i + k) * Math.cos(fy * j) + i)
  })
  const mr = Int16Array.from(mapCt(ct, ctMapping), (value) => Math.round(value * MR_STEPS))
  const ones = new Uint8Array(ct.length).fill(1)
  const shape = [slices, h, w]
  const stored = {
    ct: tensor(ct, shape, 'int16'),
    mr: tensor(mr, [slices, 1, h, w], 'int16'),
    body: tensor(ones, shape, 'uint8'),
    mask: tensor(ones, shape, 'uint8'),
    usable: new Uint8Array(slices).fill(1),
    weights: [0.5],
  }
  const plan = { ct: ctMapping, neighbours, spacingMm: [2, 2] } as unknown as Plan
  return { dir: '', plan, manifest: undefined as never, patients: new Map([['p001', stored]]), close() {} }
}

const numbers = (batch: ReturnType<typeof readBatch>) =>
  scope(() => ({ ct: batch.ct.values('float32'), mr: batch.mr.values('float32'), shape: batch.ct.shape }))

test('a batch holds the mapped slices, with the edge slice in place of a neighbour that is not there', () => {
  const store = pairedStore(1)
  const stored = store.patients.get('p001')!.ct.values('int16')
  const { ct, shape } = numbers(
    readBatch(store, [
      { patient: 'p001', k: 0 },
      { patient: 'p001', k: 3 },
    ]),
  )
  assert.deepEqual(shape, [2, 3, h, w])
  for (const [channel, k] of [0, 0, 1, 2, 3, 4].entries()) {
    const expected = mapCt(stored.slice(k * h * w, (k + 1) * h * w), ctMapping)
    expected.forEach((value, n) => assert.ok(Math.abs(ct[channel * h * w + n]! - value) < 1e-6))
  }
})

test('every slice brings the weight of its patient', () => {
  const store = pairedStore(0)
  const refs = [0, 1].map((k) => ({ patient: 'p001', k }))
  const { weight } = readBatch(store, refs)
  assert.deepEqual([weight.shape, ...weight.values('float32')], [[2, 1, 1, 1], 0.5, 0.5])
})

test('flips and jitter move CT and MR together', () => {
  const store = pairedStore(0)
  const refs = [0, 1, 2, 3].map((k) => ({ patient: 'p001', k }))
  const plain = numbers(readBatch(store, refs))
  const moved = numbers(
    augmentedBatch(store, refs, { ...noAugmentation, flip: true, jitter: true }, { seed: 3, position: 0 }),
  )
  const largest = (a: Float32Array, b: Float32Array) =>
    a.reduce((most, value, n) => Math.max(most, Math.abs(value - b[n]!)), 0)
  assert.ok(largest(moved.ct, moved.mr) < 1e-3)
  assert.ok(largest(moved.ct, plain.ct) > 0.1)
})

test("the enlargement is Pillow's, as in the reference: Keys' cubic with a = −½, the only one that keeps a parabola", () => {
  const side = 32
  const parabola = (x: number): number => 0.8 * ((x - 14) / side) ** 2 - 0.3
  const flat = (value: (x: number) => number) =>
    tensor(
      Float32Array.from({ length: side * side }, (_, n) => value(n % side)),
      [1, side, side],
    )
  const ones = flat(() => 1)
  const sample = { ctHu: flat(() => 0), ctBody: ones, mr: flat(parabola), body: ones, mask: ones, weights: [1] }
  const tall = Math.round((side * 286) / 256)
  const { mr } = jittered(sample, stream(1, 'jitter'), -1000)
  const values = mr.values('float32')
  // Pixel x of the cut lies at (x + left + ½) · side / tall − ½ of the slice, for one of the possible places.
  const errors = Array.from({ length: tall - side + 1 }, (_, left) => {
    const columns = Array.from({ length: side - 12 }, (_, n) => n + 6)
    const off = (x: number): number => values[10 * side + x]! - parabola(((x + left + 0.5) * side) / tall - 0.5)
    return Math.max(...columns.map((x) => Math.abs(off(x))))
  })
  assert.ok(Math.min(...errors) < 1e-6, `off by ${Math.min(...errors)}`)
})

test('jitter moves masks as it moves images: a disc and its mask keep one middle', () => {
  const side = 64
  const disc = tensor(
    Float32Array.from({ length: side * side }, (_, n) =>
      Number(Math.hypot((n % side) - 30, Math.floor(n / side) - 33) < 20),
    ),
    [1, side, side],
  )
  const sample = {
    ctHu: mul(sub(disc, 1), 1000),
    ctBody: disc,
    mr: sub(mul(disc, 2), 1),
    body: disc,
    mask: disc,
    weights: [1],
  }
  const middle = (t: Tensor, from: number): [number, number] => {
    const values = t.values('float32').map((value) => value - from)
    const all = values.reduce((a, b) => a + b, 0)
    const of = (at: (n: number) => number): number => values.reduce((sum, value, n) => sum + value * at(n), 0) / all
    return [of((n) => n % side), of((n) => Math.floor(n / side))]
  }
  const moved = jittered(sample, stream(1, 'jitter'), -1000)
  const [ofMr, ofMask] = [middle(moved.mr, -1), middle(moved.mask, 0)]
  assert.ok(Math.hypot(ofMr[0] - ofMask[0], ofMr[1] - ofMask[1]) < 0.2, `${ofMr.join()} and ${ofMask.join()}`)
})

test('half of the samples are flipped, and a flip is its own inverse', () => {
  const store = pairedStore(0)
  const refs = Array.from({ length: 64 }, () => ({ patient: 'p001', k: 2 }))
  const { ct } = numbers(augmentedBatch(store, refs, { ...noAugmentation, flip: true }, { seed: 1, position: 0 }))
  const plain = numbers(readBatch(store, [refs[0]!])).ct
  const flips = refs.map((_, n) => {
    const own = ct.subarray(n * h * w, (n + 1) * h * w)
    if (own.every((value, at) => value === plain[at])) return 0
    assert.ok(own.every((_, at) => own[at - (at % w) + w - 1 - (at % w)] === plain[at]))
    return 1
  })
  const count = flips.reduce<number>((a, b) => a + b, 0)
  assert.ok(count > 20 && count < 44, `${count} of 64`)
})

test('noise has the SD that was asked for at most, and a shift moves every voxel alike', () => {
  const store = pairedStore(0)
  const refs = Array.from({ length: 16 }, () => ({ patient: 'p001', k: 2 }))
  const plain = numbers(readBatch(store, [refs[0]!])).ct
  const perHu = 2 / (ctMapping.highHu - ctMapping.lowHu)
  const sds = (how: Partial<typeof noAugmentation>) => {
    const { ct } = numbers(augmentedBatch(store, refs, { ...noAugmentation, ...how }, { seed: 1, position: 0 }))
    return refs.map((_, n) => {
      const change = plain.map((value, at) => (ct[n * h * w + at]! - value) / perHu)
      const mean = change.reduce((a, b) => a + b, 0) / change.length
      return { mean, sd: Math.sqrt(change.reduce((a, b) => a + (b - mean) ** 2, 0) / change.length) }
    })
  }
  const noisy = sds({ noiseHu: 40 })
  assert.ok(noisy.every(({ sd }) => sd < 43) && Math.max(...noisy.map(({ sd }) => sd)) > 25)
  const shifted = sds({ shiftHu: 30 })
  assert.ok(shifted.every(({ mean, sd }) => Math.abs(mean) <= 30 && sd < 1e-2))
  assert.ok(Math.max(...shifted.map(({ mean }) => Math.abs(mean))) > 15)
})

test('what a sample looks like depends on its number in the run, not on how batches are cut', () => {
  const store = pairedStore(1)
  const how = { ...noAugmentation, flip: true, jitter: true, noiseHu: 20, shiftHu: 10 }
  const refs = [0, 1, 2, 3].map((k) => ({ patient: 'p001', k }))
  const whole = numbers(augmentedBatch(store, refs, how, { seed: 5, position: 40 })).ct
  const second = numbers(augmentedBatch(store, refs.slice(2), how, { seed: 5, position: 42 })).ct
  assert.deepEqual(whole.subarray(whole.length / 2), second)
})

test('every slice comes once an epoch, in another order each, whatever the batch', () => {
  const items = Array.from({ length: 7 }, (_, n) => n)
  const epochs = [0, 1].map((epoch) => refsAt(items, 1, 7 * epoch, 7))
  for (const epoch of epochs)
    assert.deepEqual(
      epoch.toSorted((a, b) => a - b),
      items,
    )
  assert.notDeepEqual(epochs[0], epochs[1])
  const inThrees = [0, 3, 6, 9, 12].flatMap((position) => refsAt(items, 1, position, 3))
  assert.deepEqual(inThrees.slice(0, 14), epochs.flat())
})

test('batches leave no tensor behind but their own five', () => {
  const store = pairedStore(1)
  const before = liveTensors()
  const batch = augmentedBatch(
    store,
    [{ patient: 'p001', k: 1 }],
    { ...noAugmentation, flip: true, jitter: true, noiseHu: 9, shiftHu: 9, contrastShare: 1, metalShare: 1, bendMm: 2 },
    { seed: 1, position: 0 },
  )
  assert.equal(liveTensors(), before + 5)
  for (const t of Object.values(batch)) t.dispose()
})

test('slices that were copied to a device for good give the same batches, and the mapped ones are freed', () => {
  const store = pairedStore(1)
  const refs = [0, 4].map((k) => ({ patient: 'p001', k }))
  const before = numbers(readBatch(store, refs))
  const live = liveTensors()
  const moved = movedTo(store.patients.get('p001')!, 'cpu')
  assert.equal(liveTensors(), live)
  assert.deepEqual(numbers(readBatch({ ...store, patients: new Map([['p001', moved]]) }, refs)), before)
})
