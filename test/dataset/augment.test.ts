/** What each augmentation does to a head of known parts: a disc of muscle with an airway, a rim of fat and two teeth. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { augmentedBatch, readBatch, type Augmentation, type Store } from '../../src/dataset/index.ts'
import { noAugmentation } from '../../src/dataset/augment.ts'
import { MR_STEPS } from '../../src/dataset/slices.ts'
import type { Plan } from '../../src/plan/index.ts'
import { scope, tensor } from '../../src/tensor/index.ts'

const [slices, h, w] = [5, 96, 128]
const spacingMm = [1.5, 2] as const
const ctMapping = { kind: 'hu-window', lowHu: -1000, highHu: 1500 } as const
const AIR = -1000
const [SOFT, FAT, TOOTH] = [60, -100, 1400]

/** In mm from the middle of the slice. */
const part = (x: number, y: number): number => {
  const far = Math.hypot(x, y)
  if (far > 65) return AIR
  if (far > 58) return FAT
  if (Math.hypot(x, y - 10) < 8) return AIR
  return Math.hypot(x - 20, y + 30) < 4 || Math.hypot(x + 20, y + 30) < 4 ? TOOTH : SOFT
}
const at = (n: number): [number, number] => [
  ((n % w) - (w - 1) / 2) * spacingMm[0],
  ((Math.floor(n / w) % h) - (h - 1) / 2) * spacingMm[1],
]
const inBody = (n: number): boolean => Math.hypot(...at(n)) <= 65

function head(neighbours = 0): Store {
  const shape = [slices, h, w]
  const count = slices * h * w
  const ct = Int16Array.from({ length: count }, (_, n) => part(...at(n)))
  // The MR is a ramp along x, so that a position can be read from its value.
  const mr = Int16Array.from({ length: count }, (_, n) =>
    inBody(n) ? Math.round((at(n)[0] / 100) * MR_STEPS) : -MR_STEPS,
  )
  const body = Uint8Array.from({ length: count }, (_, n) => (inBody(n) ? 1 : 0))
  const stored = {
    ct: tensor(ct, shape, 'int16'),
    mr: tensor(mr, [slices, 1, h, w], 'int16'),
    body: tensor(body, shape, 'uint8'),
    mask: tensor(body, shape, 'uint8'),
    usable: new Uint8Array(slices).fill(1),
    weights: [0.5],
  }
  const plan = { ct: ctMapping, neighbours, spacingMm } as unknown as Plan
  return { dir: '', plan, manifest: undefined as never, patients: new Map([['p001', stored]]), close() {} }
}

type Images = { ct: Float64Array; mr: Float32Array; body: Float32Array; mask: Float32Array }

/** One sample a draw; the CT in HU again. */
function drawn(how: Partial<Augmentation>, count: number, { neighbours = 0, from = 0 } = {}): Images[] {
  const store = head(neighbours)
  return Array.from({ length: count }, (_, n) =>
    scope(() => {
      const refs = [{ patient: 'p001', k: 2 }]
      const batch = augmentedBatch(store, refs, { ...noAugmentation, ...how }, { seed: 7, position: from + n })
      return {
        ct: Float64Array.from(batch.ct.values('float32'), (value) => (value + 1) * 1250 - 1000),
        mr: batch.mr.values('float32'),
        body: batch.body.values('float32'),
        mask: batch.mask.values('float32'),
      }
    }),
  )
}

const everywhere = Array.from({ length: h * w }, (_, n) => n)

test('with all off, a sample is the slice as it is stored', () => {
  const [plain] = drawn({}, 1)
  const store = head()
  const stored = scope(() => readBatch(store, [{ patient: 'p001', k: 2 }]).mr.values('float32'))
  assert.deepEqual(plain!.mr, stored)
})

test('turning and resizing move every pixel to where the angle and the factor say', () => {
  const angles: number[] = []
  for (const { mr, body, ct } of drawn({ turnDegrees: 20 }, 12)) {
    // MR is x / 100 mm of where a pixel came from: its slopes along x and y are cos and ∓sin of the angle.
    const [i, j] = [w / 2 + 5, h / 2 + 8]
    // Over eight pixels to each side: the cubic kernel of libtorch bends a ramp by a few hundredths of a pixel.
    const reach = 8
    const slope = (dn: number, stepMm: number) =>
      ((mr[j * w + i + reach * dn]! - mr[j * w + i - reach * dn]!) * 100) / (2 * reach * stepMm)
    const [along, across] = [slope(1, spacingMm[0]), slope(w, spacingMm[1])]
    assert.ok(Math.abs(Math.hypot(along, across) - 1) < 0.01, `${along} ${across}`)
    angles.push((Math.atan2(across, along) * 180) / Math.PI)
    // A disc stays itself when it is turned, although the pixels are not square.
    const wrong = everywhere.filter((n) => (body[n] === 1) !== inBody(n)).length
    assert.ok(wrong < 120, `${wrong} pixels of the disc's rim`)
    assert.ok(everywhere.every((n) => body[n] === 1 || (Math.abs(ct[n]! - AIR) < 0.1 && mr[n] === -1)))
  }
  assert.ok(Math.max(...angles) > 8 && Math.min(...angles) < -8 && angles.every((angle) => Math.abs(angle) <= 20.1))
  for (const { body } of drawn({ sizeShare: 0.2 }, 6)) {
    const share = body.reduce((a, b) => a + b, 0) / everywhere.filter(inBody).length
    assert.ok(share > 0.8 ** 2 - 0.02 && share < 1.2 ** 2 + 0.02, `${share}`)
  }
})

test('a bend is smooth, as large as asked for, and the same for MR and CT', () => {
  const moved: number[] = []
  for (const { mr, ct } of drawn({ bendMm: 4 }, 8)) {
    for (const n of everywhere) {
      const [x, y] = at(n)
      if (Math.hypot(x, y) > 45) continue
      moved.push(mr[n]! * 100 - x)
      const step = (mr[n + 1]! - mr[n]!) * 100
      assert.ok(step > 0, 'folded')
    }
    // The airway has its CT edge where its own MR pixels come from.
    const air = everywhere.filter((n) => ct[n]! < -800 && Math.hypot(...at(n)) < 40)
    assert.ok(air.length > 20 && air.every((n) => Math.abs(mr[n]! * 100) < 8 + 1.5))
  }
  const sd = Math.sqrt(moved.reduce((a, b) => a + b * b, 0) / moved.length)
  assert.ok(sd > 2 && sd < 5, `${sd} mm`)
})

test('a contrast agent brightens soft tissue alone, by what vessels and glands take up, and leaves the MR', () => {
  const [plain] = drawn({}, 1)
  let brightest = 0
  for (const { ct, mr } of drawn({ contrastShare: 1 }, 20)) {
    assert.deepEqual(mr, plain!.mr)
    for (const n of everywhere) {
      const gain = ct[n]! - plain!.ct[n]!
      assert.ok(gain > -0.1 && gain < 251)
      brightest = Math.max(brightest, gain)
      const [x, y] = at(n)
      const deepInFat = Math.abs(Math.hypot(x, y) - 61.5) < 1
      if (!inBody(n) || Math.hypot(x, y - 10) < 4 || deepInFat) assert.ok(gain < 25, `${gain} HU at ${x}, ${y} mm`)
    }
  }
  assert.ok(brightest > 90, `${brightest} HU`)
})

test('neighbouring slices share their vessels', () => {
  for (const { ct } of drawn({ contrastShare: 1 }, 4, { neighbours: 1 })) {
    const [below, middle, above] = [0, 1, 2].map((k) => ct.subarray(k * h * w, (k + 1) * h * w))
    assert.deepEqual(below, middle)
    assert.deepEqual(above, middle)
  }
})

test('metal sits in a tooth, its streaks run through it, and nothing outside the body changes', () => {
  const [plain] = drawn({}, 1)
  for (const { ct, mr } of drawn({ metalShare: 1 }, 12)) {
    assert.deepEqual(mr, plain!.mr)
    const changed = everywhere.map((n) => ct[n]! - plain!.ct[n]!)
    assert.ok(everywhere.every((n) => inBody(n) || Math.abs(changed[n]!) < 0.1))
    const inTissue = everywhere.filter((n) => Math.abs(plain!.ct[n]! - SOFT) < 1)
    const dark = inTissue.filter((n) => changed[n]! < -40).length
    const bright = inTissue.filter((n) => changed[n]! > 40).length
    assert.ok(dark > 50 && bright > 50, `${dark} darker, ${bright} brighter`)
    const metal = everywhere.filter((n) => ct[n]! > 1499)
    assert.ok(metal.some((n) => part(...at(n)) === TOOTH))
  }
})

test('truncation ends image, MR and masks at one circle', () => {
  let cut = 0
  for (const { ct, mr, body, mask } of drawn({ truncationShare: 1 }, 12)) {
    for (const n of everywhere) {
      assert.equal(body[n], mask[n])
      if (body[n] === 0) assert.ok(Math.abs(ct[n]! - AIR) < 0.1 && mr[n] === -1)
    }
    if (everywhere.some((n) => inBody(n) && body[n] === 0)) cut++
  }
  assert.ok(cut >= 3, `${cut} of 12`)
})

test('shares are shares, and one switch does not change what another draws', () => {
  const [plain] = drawn({}, 1)
  const changed = drawn({ contrastShare: 0.3 }, 60).filter(({ ct }) => ct.some((hu, n) => hu !== plain!.ct[n])).length
  assert.ok(changed > 8 && changed < 30, `${changed} of 60`)
  const alone = drawn({ turnDegrees: 15 }, 5)
  const together = drawn({ turnDegrees: 15, contrastShare: 1, noiseHu: 20 }, 5)
  for (const [n, { mr }] of alone.entries()) assert.deepEqual(together[n]!.mr, mr)
})
