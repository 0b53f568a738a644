/** What each augmentation does to a few slices of a store, as plain images for a person to look at. */
import { narrow, scope } from '../tensor/index.ts'
import { unmapCt } from '../volume/index.ts'
import { augmentedBatch, noAugmentation, type Augmentation } from './augment.ts'
import { slicesOf, type SliceRef, type Store } from './open-store.ts'

/** `ct` in HU (clipped to the plan's window) and the `mrs` of the plan's targets in [−1, 1], all [h, w]. */
export type PreviewImage = { readonly ct: Float32Array; readonly mrs: readonly Float32Array[] }
export type PreviewRow = { readonly label: string; readonly images: readonly PreviewImage[] }
export type Preview = {
  readonly slices: readonly SliceRef[]
  readonly size: readonly [number, number]
  readonly rows: readonly PreviewRow[]
}

/** Strong enough to be seen; a run chooses its own with --set. */
const SHOWN: readonly (readonly [label: string, how: Partial<Augmentation>])[] = [
  ['as stored', {}],
  ['flip', { flip: true }],
  ['jitter', { jitter: true }],
  ['turnDegrees=10', { turnDegrees: 10 }],
  ['sizeShare=0.1', { sizeShare: 0.1 }],
  ['bendMm=3', { bendMm: 3 }],
  ['contrastShare=1', { contrastShare: 1 }],
  ['metalShare=1', { metalShare: 1 }],
  ['truncationShare=1', { truncationShare: 1 }],
  ['noiseHu=40', { noiseHu: 40 }],
  ['shiftHu=40', { shiftHu: 40 }],
  [
    'together',
    {
      flip: true,
      turnDegrees: 10,
      sizeShare: 0.1,
      bendMm: 3,
      contrastShare: 0.5,
      metalShare: 0.5,
      noiseHu: 40,
      shiftHu: 40,
    },
  ],
]

/** @param count  slices, spread evenly over the training slices of all patients */
export function previewImages(store: Store, count: number, seed: number): Preview {
  const training = slicesOf(store, 'train')
  const slices = Array.from(
    { length: Math.min(count, training.length) },
    (_, n) => training[Math.floor(((n + 0.5) * training.length) / Math.min(count, training.length))]!,
  )
  const rows = SHOWN.map(([label, how]) => ({
    label,
    images: slices.map((ref, n) => imageOf(store, ref, { ...noAugmentation, ...how }, seed, n)),
  }))
  return { slices, size: store.plan.sliceSize, rows }
}

function imageOf(store: Store, ref: SliceRef, how: Augmentation, seed: number, position: number): PreviewImage {
  return scope(() => {
    const batch = augmentedBatch(store, [ref], how, { seed, position })
    const middle = narrow(batch.ct, 1, store.plan.neighbours, 1).values('float32')
    const mrs = Array.from({ length: batch.mr.shape[1]! }, (_, n) => narrow(batch.mr, 1, n, 1).values('float32'))
    return { ct: unmapCt(middle, store.plan.ct), mrs }
  })
}
