/** Values as 16-bit unsigned integers, for writing. */
import { LarmorError } from '../../errors.ts'
import type { VoxelArray } from '../../volume/index.ts'

/**
 * round(value + shift), each of which must fit 16 bits: nothing is clipped.
 * @throws input.badValue  with the first value that does not fit
 */
export function storedUnsigned(values: VoxelArray, shift: number, where: string): Uint16Array {
  const stored = new Uint16Array(values.length)
  for (let n = 0; n < stored.length; n++) {
    const whole = Math.round(values[n]! + shift)
    if (!(whole >= 0 && whole <= 65535)) throw outOfRange(values[n]!, shift, where)
    stored[n] = whole
  }
  return stored
}

function outOfRange(value: number, shift: number, where: string): LarmorError {
  return new LarmorError({
    kind: 'input.badValue',
    message: 'A voxel cannot be stored in 16 bits.',
    where: `Writing ${where}`,
    found: `${value}`,
    expected: `${-shift} to ${65535 - shift}`,
    fix: 'Bring the volume into the range of its modality before it is written.',
  })
}
