/** A series as a volume: CT in HU as int16, MR as float32, every slice with its own rescale. */
import { LOWEST_HU, volume } from '../../volume/index.ts'
import type { CtVolume, MrVolume } from '../../volume/index.ts'
import { LarmorError } from '../../errors.ts'
import { dicomFault } from './fault.ts'
import { gridFromSlices } from './geometry.ts'
import type { Resampling, Stack } from './geometry.ts'
import { resampleStack } from './resample-stack.ts'
import { eachStored } from './pixels.ts'
import type { Stored } from './pixels.ts'
import { seriesLabel } from './series.ts'
import type { DicomSeries } from './series.ts'
import { readSlice } from './slice.ts'
import type { Slice } from './slice.ts'

/** No signal: what MR pixels outside the image are set to. */
const MR_NO_SIGNAL = 0

/**
 * CT: round(stored · slope + intercept) HU; padding and everything below −1024 become −1024. MR: the rescaled values,
 * padding 0.
 * @param allow  what may be resampled (see `resample-stack.ts`); nothing, if it is not given
 * @throws what `readSlice` and `gridFromSlices` throw; input.wrongModality; the fault of a damaged file of the series
 * @throws input.badValue  a CT value above what int16 holds
 */
export async function readDicomVolume(series: DicomSeries, allow: Resampling = {}): Promise<CtVolume | MrVolume> {
  const stack = stackOf(series, allow)
  const { grid, sorted } = stack
  const perSlice = grid.size[0] * grid.size[1]
  const count = perSlice * sorted.length
  const values = series.modality === 'CT' ? new Int16Array(count) : new Float32Array(count)
  await eachStored(sorted, (stored, slice, k) => {
    const part = values.subarray(k * perSlice, (k + 1) * perSlice)
    if (part instanceof Int16Array) fillHu(part, stored, slice)
    else fillRescaled(part, stored, slice)
  })
  if (stack.resampled.length > 0) {
    const outside = values instanceof Int16Array ? LOWEST_HU : MR_NO_SIGNAL
    const { grid, values: resampled } = resampleStack(stack, values, outside)
    return values instanceof Int16Array ? volume(grid, rounded(resampled)) : volume(grid, resampled)
  }
  return values instanceof Int16Array ? volume(grid, values) : volume(grid, values)
}

/** The slices of a series in order and their grid, without reading a pixel. @throws as `readDicomVolume` */
export function stackOf(series: DicomSeries, allow: Resampling = {}): Stack {
  const { modality, damaged } = series
  if (damaged) throw new LarmorError(damaged)
  if (modality !== 'CT' && modality !== 'MR')
    throw dicomFault(
      'input.wrongModality',
      'This series is no CT and no MR.',
      seriesLabel(series),
      modality,
      'CT or MR',
    )
  const slices = series.frames.map((frame) => readSlice(frame, modality))
  return gridFromSlices(slices, seriesLabel(series), allow)
}

/** Interpolated HU lie between those they come from, so they fit. */
function rounded(values: Float32Array): Int16Array {
  return Int16Array.from(values, Math.round)
}

function fillHu(hu: Int16Array, stored: Stored, { slope, intercept, padding, frame }: Slice): void {
  const [first, last] = padding ?? [1, 0]
  for (let n = 0; n < hu.length; n++) {
    const value = stored[n]!
    const rounded = Math.floor(value * slope + intercept + 0.5) // as Math.round, in two thirds of its time
    const outside = (value >= first && value <= last) || rounded < LOWEST_HU
    if (rounded > 32767 && !outside)
      throw dicomFault(
        'input.badValue',
        'A CT value is out of range.',
        frame.file.path,
        `${rounded} HU`,
        '32767 HU at most',
      )
    hu[n] = outside ? LOWEST_HU : rounded
  }
}

function fillRescaled(values: Float32Array, stored: Stored, { slope, intercept, padding }: Slice): void {
  const [first, last] = padding ?? [1, 0]
  for (let n = 0; n < values.length; n++) {
    const value = stored[n]!
    values[n] = value >= first && value <= last ? MR_NO_SIGNAL : value * slope + intercept
  }
}
