/** Pictures of fixed validation slices while a run goes on: a row a slice, CT, then of each target what was made … | MR. */
import { join } from 'node:path'
import { readBatch, type SliceRef, type Store } from '../dataset/index.ts'
import { writeFileAtomic } from '../files.ts'
import { encodePng, greyPixels, montage } from '../report/index.ts'
import { narrow, scope } from '../tensor/index.ts'
import { unmapCt } from '../volume/index.ts'
import type { Picture } from './event-file.ts'
import { RUN_FILES } from './run-folder.ts'
import type { Stage } from './stage.ts'
import { disposeBatch } from './validation.ts'

/** Soft tissue, as CT is read in the neck: the whole window of the mapping would show it as one grey. */
const CT_LOW_HU = -160
const CT_HIGH_HU = 240

/** Writes samples/step-00000123.png. @returns the same picture */
export async function writeSamples(
  runDir: string,
  store: Store,
  stage: Stage,
  slices: readonly SliceRef[],
  { step, seed, device }: { step: number; seed: number; device: string },
): Promise<Picture> {
  const [width, height] = store.plan.sliceSize
  const images: Uint8Array[] = []
  for (const [n, ref] of slices.entries()) {
    const batch = readBatch(store, [ref], device)
    try {
      const made = await stage.predict(batch, seed + n)
      const [ct, mr] = scope(() => [
        narrow(batch.ct, 1, store.plan.neighbours, 1).values('float32'),
        batch.mr.values('float32'),
      ])
      images.push(greyPixels(unmapCt(ct, store.plan.ct), CT_LOW_HU, CT_HIGH_HU))
      for (let t = 0; t < mr.length / ct.length; t++)
        for (const image of [...Object.values(made), mr])
          images.push(greyPixels(image.subarray(t * ct.length, (t + 1) * ct.length), -1, 1))
    } finally {
      disposeBatch(batch)
    }
  }
  const whole = montage(images, width, height, images.length / slices.length)
  const path = join(runDir, RUN_FILES.samples, `step-${String(step).padStart(8, '0')}.png`)
  const png = encodePng(whole.width, whole.height, whole.pixels, 1)
  await writeFileAtomic(path, png)
  return { png, width: whole.width, height: whole.height, channels: 1 }
}
