/** Smoothing: Gaussian blur in millimetres, separable, cut at three standard deviations, edge values repeated. */
import type { Volume } from './volume.ts'
import { volume } from './volume.ts'

/** @param sigmaMm  standard deviation along each axis; an axis on which it is below a fifth of a voxel is left alone */
export function gaussianBlur(source: Volume, sigmaMm: number): Volume<Float32Array> {
  const { grid } = source
  const out = new Float32Array(source.values)
  const stride = [1, grid.size[0], grid.size[0] * grid.size[1]] as const
  for (const axis of [0, 1, 2] as const) {
    const sigma = sigmaMm / grid.spacingMm[axis]
    if (sigma >= 0.2 && grid.size[axis] > 1) blurLines(out, grid.size[axis], stride[axis], gaussianKernel(sigma))
  }
  return volume(grid, out)
}

/** Weights at −r … r, r = ⌈3σ⌉; they sum to 1. */
function gaussianKernel(sigma: number): Float64Array {
  const radius = Math.ceil(3 * sigma)
  const kernel = Float64Array.from({ length: 2 * radius + 1 }, (_, n) => Math.exp(-0.5 * ((n - radius) / sigma) ** 2))
  const sum = kernel.reduce((a, b) => a + b, 0)
  return kernel.map((weight) => weight / sum)
}

/** Convolves every line of `count` values that are `stride` apart, in place. */
function blurLines(values: Float32Array, count: number, stride: number, kernel: Float64Array): void {
  const radius = (kernel.length - 1) / 2
  const line = new Float64Array(count + 2 * radius)
  const block = stride * count
  for (let start = 0; start < values.length; start += block)
    for (let lane = 0; lane < stride; lane++) {
      const base = start + lane
      for (let n = 0; n < line.length; n++) {
        line[n] = values[base + stride * Math.min(count - 1, Math.max(0, n - radius))]!
      }
      for (let n = 0; n < count; n++) {
        let sum = 0
        for (let m = 0; m < kernel.length; m++) sum += kernel[m]! * line[n + m]!
        values[base + n * stride] = sum
      }
    }
}
