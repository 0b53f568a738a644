/** Gaussian blur, along one axis after the other. */
import { conv2d, tensor, type Tensor } from '../tensor/index.ts'

/**
 * A blur of images [M, 1, H, W] of `like`'s kind, 0 beyond the border; its weights add up to 1.
 * @param sdPx   SD in pixels
 * @param reach  how many pixels the kernel reaches to each side
 */
export function gaussianBlur(sdPx: number, reach: number, like: Tensor): (t: Tensor) => Tensor {
  const taps = Array.from({ length: 2 * reach + 1 }, (_, n) => Math.exp(-0.5 * ((n - reach) / sdPx) ** 2))
  const sum = taps.reduce((a, b) => a + b, 0)
  const kernel = (shape: readonly number[]): Tensor =>
    tensor(
      taps.map((tap) => tap / sum),
      shape,
      like.dtype,
      like.device,
    )
  const [down, across] = [kernel([1, 1, taps.length, 1]), kernel([1, 1, 1, taps.length])]
  return (t) => conv2d(conv2d(t, down, undefined, { padding: [reach, 0] }), across, undefined, { padding: [0, reach] })
}
