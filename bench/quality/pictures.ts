/** One page of pictures: a row a patient, CT (soft tissue window), MR, then what each row of the table made. */
import { writeFile } from 'node:fs/promises'
import { readBatch, slicesOf, type Store } from '../../src/dataset/index.ts'
import { encodePng, greyPixels, montage } from '../../src/report/index.ts'
import { narrow, scope } from '../../src/tensor/index.ts'
import { disposeBatch, spread } from '../../src/training/validation.ts'
import { unmapCt } from '../../src/volume/index.ts'
import { PICTURED, type Scored } from './scores.ts'

export async function writePictures(path: string, store: Store, slices: number, rows: readonly Scored[]) {
  const [width, height] = store.plan.sliceSize
  const byPatient = [...Map.groupBy(slicesOf(store, 'test'), ({ patient }) => patient).values()].slice(0, PICTURED)
  const images = byPatient.flatMap((refs, patient) => {
    const shown = spread(refs, slices)
    const batch = readBatch(store, [shown[Math.floor(shown.length / 2)]!])
    const [ct, mr] = scope(() => [
      narrow(batch.ct, 1, store.plan.neighbours, 1).values('float32'),
      batch.mr.values('float32'),
    ])
    disposeBatch(batch)
    const made = rows.map(({ pictures }) => greyPixels(pictures[patient]!, 0, 1))
    return [greyPixels(unmapCt(ct, store.plan.ct), -160, 240), greyPixels(mr, -1, 1), ...made]
  })
  const whole = montage(images, width, height, rows.length + 2)
  await writeFile(path, encodePng(whole.width, whole.height, whole.pixels, 1))
}
