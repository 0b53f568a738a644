/** The structure masks that lie beside a CT: a folder of masks, or one label image whose numbers a person has named. */
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { LarmorError } from '../../errors.ts'
import { exists } from '../../files.ts'
import { readNifti } from '../../formats/index.ts'
import { gridDistanceMm, orientToLps, volume } from '../../volume/index.ts'
import type { Grid, Volume } from '../../volume/index.ts'
import type { NamedMask } from './tissue-map.ts'

export type MaskSource = {
  /** In the CT's folder: a folder of NIfTI masks, each named after its structure, or a NIfTI of labels. */
  readonly structures: string
  /** What the numbers of a label image mean. */
  readonly labels: ReadonlyMap<number, string>
}

/**
 * @returns none where there is neither folder nor file of that name: HU alone then say what is what
 * @throws usage.wrong  a label image without names;  geometry.inconsistent  a mask on another grid than the CT
 */
export async function readMasks(ctPath: string, { structures, labels }: MaskSource, grid: Grid): Promise<NamedMask[]> {
  const path = join(dirname(ctPath), structures)
  if (!(await exists(path))) return []
  if (!(await stat(path)).isDirectory()) return fromLabels(await onGrid(path, grid), labels, path)
  const names = (await readdir(path)).filter((name) => /\.nii(\.gz)?$/.test(name)).toSorted()
  return Promise.all(
    names.map(async (name) => {
      const { values } = await onGrid(join(path, name), grid)
      const mask = volume(
        grid,
        Uint8Array.from(values, (value) => (value > 0 ? 1 : 0)),
      )
      return { name: basename(name).replace(/\.nii(\.gz)?$/, ''), mask }
    }),
  )
}

function fromLabels({ grid, values }: Volume, labels: ReadonlyMap<number, string>, path: string): NamedMask[] {
  if (labels.size === 0) {
    throw new LarmorError({
      kind: 'usage.wrong',
      message: 'The numbers of the label image have no names.',
      where: path,
      found: 'no --labels',
      expected: 'what each number means',
      fix: 'Say it: --labels 1=Brainstem 2=SpinalCord …',
    })
  }
  const masks = [...labels].map(([label, name]) => ({
    name,
    mask: volume(
      grid,
      Uint8Array.from(values, (value) => (value === label ? 1 : 0)),
    ),
  }))
  return masks.filter(({ mask }) => mask.values.includes(1))
}

async function onGrid(path: string, grid: Grid): Promise<Volume> {
  const read = orientToLps(await readNifti(path))
  const offMm = gridDistanceMm(read.grid, grid)
  if (offMm < 0.01) return read
  throw new LarmorError({
    kind: 'geometry.inconsistent',
    message: 'The mask is not on the grid of its CT.',
    where: path,
    found: `voxels ${offMm.toFixed(2)} mm away`,
    expected: 'the same voxels',
    fix: 'Make the mask on the CT that is given.',
  })
}
