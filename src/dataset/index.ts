/** What other rooms use of dataset/. */
export { previewImages, type Preview } from './preview.ts'
export { describeStore } from './describe.ts'
export { buildStore } from './build-store.ts'
export { openStore, slicesOf, type SliceRef, type Store } from './open-store.ts'
export { readBatch, type Batch } from './batch.ts'
export { augmentedBatch, type Augmentation } from './augment.ts'
export { refsAt } from './order.ts'
