/**
 * Registration in the loop: how far a pair was left misregistered, found while training, so that L1 is taken after the warp.
 *
 * Anchor      the displacement is sought between the MR and the table's image of the CT, which lies on the CT exactly: there is
 *             nothing that a generator could shift, so it cannot learn the misregistration, and nothing has to be trained.
 * Method      Lucas and Kanade 1981: least squares of mr − image against the image's gradient and a constant, weighted by a
 *             Gaussian about each pixel, a few rounds, on a grid half as fine.
 * Direction   mr(x) ≈ image(x + u(x)), u in pixels, [N, 2T, H, W]: for each target first along the row (x), then along the
 *             column (y). Each MR was registered by itself, so each has a displacement of its own.
 */
import { gaussianBlur } from '../nn/index.ts'
import {
  add,
  aten,
  avgPool2d,
  cat,
  clamp,
  conv2d,
  div,
  gridSample,
  interpolate,
  mul,
  noGrad,
  pad,
  permute,
  reshape,
  scope,
  square,
  sub,
  tensor,
  type Tensor,
} from '../tensor/index.ts'

export type AlignOptions = {
  /** SD of the window in which a displacement is one, pixels. */
  windowPx: number
  rounds: number
  /** No displacement grows beyond this along either axis, pixels. */
  largestPx: number
}

const COARSER = 2
/** Share of the mean squared gradient that is added to every window's: where nothing is to be seen, nothing moves. */
const STIFFNESS = 0.15
/** Beyond this a difference is no displacement but another tissue. */
const LARGEST_DIFFERENCE = 0.5

/** image, mr [N, T, H, W] in [−1, 1]; weight [N, T, H, W]: where they may be compared. H and W even. No gradients. */
export function displacementBetween(image: Tensor, mr: Tensor, weight: Tensor, options: AlignOptions): Tensor {
  return noGrad(() =>
    scope(() => {
      const [n, targets, h, w] = image.shape as [number, number, number, number]
      const [from, to, mask] = [image, mr, weight].map((t) =>
        avgPool2d(reshape(t, [n * targets, 1, h, w]), COARSER),
      ) as [Tensor, Tensor, Tensor]
      const sdPx = options.windowPx / COARSER
      const blur = gaussianBlur(sdPx, Math.ceil(2.5 * sdPx), image)
      const total = add(blur(mask), 1e-3)
      const local = (t: Tensor): Tensor => div(blur(mul(t, mask)), total)
      const largest = options.largestPx / COARSER
      let u = mul(cat([from, from], 1), 0)
      for (let round = 0; round < options.rounds; round++) {
        const moved = warped(from, u)
        const difference = clamp(sub(to, moved), -LARGEST_DIFFERENCE, LARGEST_DIFFERENCE)
        const [gx, gy] = gradientOf(moved)
        // Covariances in the window: the constant that brightness may differ by has gone.
        const [mx, my, md] = [local(gx), local(gy), local(difference)]
        const xx = sub(local(square(gx)), square(mx))
        const yy = sub(local(square(gy)), square(my))
        const xy = sub(local(mul(gx, gy)), mul(mx, my))
        const xd = sub(local(mul(gx, difference)), mul(mx, md))
        const yd = sub(local(mul(gy, difference)), mul(my, md))
        const stiff = add(mul(aten['mean.dim'](add(xx, yy), [2, 3], true), STIFFNESS), 1e-6)
        const [a, c] = [add(xx, stiff), add(yy, stiff)]
        const determinant = sub(mul(a, c), square(xy))
        const dx = div(sub(mul(c, xd), mul(xy, yd)), determinant)
        const dy = div(sub(mul(a, yd), mul(xy, xd)), determinant)
        u = clamp(add(u, cat([dx, dy], 1)), -largest, largest)
      }
      return reshape(mul(interpolate(u, [h, w], 'linear'), COARSER), [n, 2 * targets, h, w])
    }),
  )
}

/** image(x + u(x)), linear between pixels; image [N, T, H, W], u [N, 2T, H, W] in pixels. Gradients flow to the image. */
export function warped(image: Tensor, u: Tensor): Tensor {
  return scope(() => {
    const [images, targets, h, w] = image.shape as [number, number, number, number]
    const n = images * targets
    const identity = aten.affine_grid_generator(
      aten.expand(tensor([1, 0, 0, 0, 1, 0], [1, 2, 3], image.dtype, image.device), [n, 2, 3]),
      [n, 1, h, w],
      false,
    ) as Tensor
    const halves = tensor([2 / w, 2 / h], [1, 2, 1, 1], image.dtype, image.device)
    const grid = add(identity, permute(mul(reshape(u, [n, 2, h, w]), halves), [0, 2, 3, 1]))
    const moved = gridSample(reshape(image, [n, 1, h, w]), grid, { outside: 'border', alignCorners: false })
    return reshape(moved, image.shape)
  })
}

/** Central differences; beyond the border lies what is at it, so that no edge is seen there: half as large. */
function gradientOf(image: Tensor): [Tensor, Tensor] {
  const along = (shape: readonly number[], around: readonly number[]): Tensor =>
    conv2d(
      pad(image, around, 'replicate'),
      tensor([-0.5, 0, 0.5], [1, 1, ...shape], image.dtype, image.device),
      undefined,
      {},
    )
  return [along([1, 3], [1, 1, 0, 0]), along([3, 1], [0, 0, 1, 1])]
}
