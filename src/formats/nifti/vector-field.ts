/**
 * Displacement fields as NIfTI-1 vector images: dim = 5, i × j × k × 1 × 3, float32.
 *
 * What the numbers are   d(x) = y − x in millimetres, x a point of the fixed image and y the same anatomy in the moving one:
 *                        the whole map, matrix and deformation together. To resample the moving image onto the fixed one,
 *                        a program adds d to each point, as ITK's DisplacementFieldTransform does.
 * Frame of the numbers   LPS (x to the Left, y to the Posterior), with intent 1007 (NIFTI_INTENT_VECTOR). The header's
 *                        sform and qform are RAS, as everywhere in NIfTI: only the vectors are not. That is what ITK,
 *                        SimpleITK, ANTs and 3D Slicer write and expect under 1007: they turn the grid to LPS and take
 *                        the numbers as they stand.
 * Other forms            intent 1006 (NIFTI_INTENT_DISPVECT) means vectors in NIfTI's own RAS; it is read, and turned.
 *                        NiftyReg's files (1007 named NREG_TRANS) may hold positions, FSL's (2006 …) voxels: refused.
 */
import { LarmorError } from '../../errors.ts'
import { deformation } from '../../volume/index.ts'
import type { Deformation } from '../../volume/index.ts'
import { encodeHeader, parseHeader } from './header.ts'
import type { NiftiHeader } from './header.ts'
import { readChecked, writeEncoded } from './nifti.ts'

const VECTOR = 1007
const DISPLACEMENT = 1006

/**
 * Writes the total displacement of a transform (`totalDisplacement`), compressed where `path` ends in .gz.
 * @throws machine.diskFull, machine.noPermission
 */
export async function writeVectorField(path: string, total: Deformation): Promise<void> {
  const header = encodeHeader(total.grid, 'float32', 'y - x in mm, LPS, fixed to moving; larmor')
  const view = new DataView(header.buffer)
  const dim = [5, ...total.grid.size, 1, 3, 1, 1]
  dim.forEach((n, at) => view.setInt16(40 + 2 * at, n, true))
  view.setInt16(68, VECTOR, true)
  // In memory the components come last already: [3, nk, nj, ni] with i fastest is NIfTI's order of five dimensions.
  await writeEncoded(path, header, total.vectors)
}

/**
 * @returns d(x) in LPS mm on the file's grid
 * @throws input.unsupported  vectors that are no displacements in mm (another intent, another program's convention)
 * @throws input.badValue     not three numbers a voxel, or none that is a number; and what `readNifti` throws
 */
export async function readVectorField(path: string): Promise<Deformation> {
  const { header, values } = await readChecked(path, (head, where) => parseHeader(head, where, 3))
  checkIntent(header, path)
  const vectors = values instanceof Float32Array ? values : Float32Array.from(values)
  if (header.intent.code === DISPLACEMENT) {
    const inPlane = (2 * vectors.length) / 3
    for (let at = 0; at < inPlane; at++) vectors[at] = -vectors[at]!
  }
  if (!vectors.some(Number.isFinite))
    throw refuse('input.badValue', path, 'no vector that is a number', 'displacements in mm')
  return deformation(header.grid, vectors)
}

function checkIntent({ intent: { code, name } }: NiftiHeader, path: string): void {
  if ((code === VECTOR && !name.startsWith('NREG_TRANS')) || code === DISPLACEMENT) return
  const found = name === '' ? `intent ${code}` : `intent ${code}, ${name}`
  throw refuse('input.unsupported', path, found, 'intent 1007 (vectors in LPS mm) or 1006 (displacements in RAS mm)')
}

function refuse(
  kind: 'input.unsupported' | 'input.badValue',
  where: string,
  found: string,
  expected: string,
): LarmorError {
  return new LarmorError({
    kind,
    message: 'The file holds no displacement field.',
    where,
    found,
    expected,
    fix: 'Write the field with ITK, ANTs, elastix or larmor as displacements in millimetres.',
  })
}
