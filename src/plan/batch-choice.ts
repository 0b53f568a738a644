/** Images a step, by the memory of the device that trains. */

/** `foundBytes`: all that the device has, not what happens to be free: the same machine gives the same plan. */
export type DeviceMemory = { readonly device: 'cpu' | 'cuda'; readonly foundBytes: number }
export type BatchChoice = { batch: number; memory: { device: 'cpu' | 'cuda'; foundBytes: number; stepBytes: number } }

/**
 * Measured on the CPU, peak of the process over two steps (LOG.md, "memory of a training step"): the full U-Net with critic
 * and both Adam states needs the most beside the images, the residual generator and the U-Net the most an image.
 */
const FIXED_BYTES = 1.3 * 2 ** 30
const BYTES_A_PIXEL = 3300
/** The rest is for the slices themselves, validation, and whoever else uses the machine. */
const USABLE_SHARE = 0.5
/** More images a step buy no speed on a CPU; on a GPU they do, up to about here. */
const MOST = { cpu: 4, cuda: 16 } as const

/** The largest power of two that fits, one at least. @param sliceSize  in pixels */
export function chooseBatch(sliceSize: readonly [number, number], { device, foundBytes }: DeviceMemory): BatchChoice {
  const needs = (batch: number): number => Math.round(FIXED_BYTES + batch * sliceSize[0] * sliceSize[1] * BYTES_A_PIXEL)
  let batch: number = MOST[device]
  while (batch > 1 && needs(batch) > USABLE_SHARE * foundBytes) batch /= 2
  return { batch, memory: { device, foundBytes, stepBytes: needs(batch) } }
}
