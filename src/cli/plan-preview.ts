/** `larmor plan --preview`: the store's slices and what each augmentation makes of them, as one page. */
import { join } from 'node:path'
import { openStore, previewImages } from '../dataset/index.ts'
import { writeFileAtomic } from '../files.ts'
import { rolesOf } from '../plan/index.ts'
import { contactSheet, ctWindowHu, greyPixels } from '../report/index.ts'

const SLICES = 4

/** Writes `<store>/preview.html` and returns its path. */
export async function writePreview(storeDir: string, seed: number): Promise<string> {
  const store = await openStore(storeDir)
  try {
    const { slices, size, rows } = previewImages(store, SLICES, seed)
    const [width, height] = size
    const roles = rolesOf(store.plan)
    const page = contactSheet({
      title: 'Training slices and their augmentation',
      lead:
        `${slices.length} training slices of ${roles.join(' and ')}, CT beside MR, in the soft-tissue window (${ctWindowHu.low} to ${ctWindowHu.high} HU). ` +
        'Each row switches one augmentation on, as strong as its name says; CT and MR must move together, and what only a CT shows must leave the MR as it is.',
      columns: slices.flatMap(({ patient, k }) => [`${patient}, slice ${k}: CT`, ...roles]),
      rows: rows.map(({ label, images }) => ({
        label,
        pictures: images.flatMap(({ ct, mrs }) => [
          { width, height, pixels: greyPixels(ct, ctWindowHu.low, ctWindowHu.high) },
          ...mrs.map((mr) => ({ width, height, pixels: greyPixels(mr, -1, 1) })),
        ]),
      })),
      footer: `Store ${store.manifest.planSha256.slice(0, 12)}, seed ${seed}. Switch one on for a run with larmor train … --set name=value.`,
    })
    const path = join(storeDir, 'preview.html')
    await writeFileAtomic(path, page)
    return path
  } finally {
    store.close()
  }
}
