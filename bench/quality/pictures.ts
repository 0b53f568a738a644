/** One page of pictures: a row a patient, CT (soft tissue window), MR, then what each row of the table made; cut to the bodies. */
import { writeFile } from 'node:fs/promises'
import { readBatch, slicesOf, type Store } from '../../src/dataset/index.ts'
import { encodePng, greyPixels, montage } from '../../src/report/index.ts'
import { narrow, scope } from '../../src/tensor/index.ts'
import { disposeBatch, spread } from '../../src/training/validation.ts'
import { bodyExtent, boxAround, unmapCt, type Box } from '../../src/volume/index.ts'
import { PICTURED, type Scored } from './scores.ts'

/** What is smaller is shown with each pixel twice along both axes. */
const SMALL = 128

export async function writePictures(path: string, store: Store, slices: number, rows: readonly Scored[]) {
  const size = store.plan.sliceSize
  const byPatient = [...Map.groupBy(slicesOf(store, 'test'), ({ patient }) => patient).values()].slice(0, PICTURED)
  const shown = byPatient.map((refs) => {
    const of = spread(refs, slices)
    const batch = readBatch(store, [of[Math.floor(of.length / 2)]!])
    const [ct, mr] = scope(() => [
      narrow(batch.ct, 1, store.plan.neighbours, 1).values('float32'),
      batch.mr.values('float32'),
    ])
    disposeBatch(batch)
    return { ct, mr }
  })
  const extents = shown.map(({ ct }) => bodyExtent(ct, size))
  const box = boxAround(extents, size, { marginPixels: 4, multipleOf: 2 })
  const images = shown.flatMap(({ ct, mr }, patient) => [
    greyPixels(unmapCt(ct, store.plan.ct), -160, 240),
    greyPixels(mr, -1, 1),
    ...rows.map(({ pictures }) => greyPixels(pictures[patient]!, 0, 1)),
  ])
  const times = Math.max(box.width, box.height) <= SMALL ? 2 : 1
  const cut = images.map((image) => enlarged(image, size[0], box, times))
  const whole = montage(cut, box.width * times, box.height * times, rows.length + 2)
  await writeFile(path, encodePng(whole.width, whole.height, whole.pixels, 1))
}

/** The box of an image whose rows are `width` long, each pixel `times` along both axes. */
function enlarged(image: Uint8Array, width: number, box: Box, times: number): Uint8Array {
  const large = new Uint8Array(box.width * box.height * times * times)
  const across = box.width * times
  for (let at = 0; at < large.length; at++) {
    const [x, y] = [Math.floor((at % across) / times), Math.floor(Math.floor(at / across) / times)]
    large[at] = image[(box.y + y) * width + box.x + x]!
  }
  return large
}
