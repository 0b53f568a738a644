/** How much convolutions there are in a computation, and how fast this machine does those that run best: a wall to hold times against. */
import { conv2d, listen, noGrad, randn, scope, type Generator, type Tensor } from '../../src/tensor/index.ts'
import { startClock } from './answer.ts'

export type Convolution = { x: Tensor; weight: Tensor; gflop: number }

/** Told of each convolution of `run`; GFLOP of its forward pass, a transposed one counted at its input's size. */
export function hearConvolutions(run: () => unknown, hear: (convolution: Convolution) => void): void {
  listen(({ name, arguments: given, result }) => {
    if (!name.startsWith('conv')) return
    const [x, weight] = [given['input'] as Tensor, given['weight'] as Tensor]
    const [, , ...spatial] = name.startsWith('conv_transpose') ? x.shape : (result as Tensor).shape
    hear({ x, weight, gflop: (2 * x.shape[0]! * product(spatial) * product(weight.shape)) / 1e9 })
  }, run)
}

/** GFLOP per processor second of the forward convolutions that run best. */
export function convolutionPeak(random: Generator): number {
  const shapes = [
    { x: [4, 128, 64, 64], w: [128, 128, 3, 3] },
    { x: [4, 256, 64, 64], w: [256, 256, 3, 3] },
    { x: [8, 64, 128, 128], w: [64, 64, 3, 3] },
  ]
  return Math.max(...shapes.map((shape) => scope(() => noGrad(() => rateOf(shape, random)))))
}

function rateOf({ x, w }: { x: number[]; w: number[] }, random: Generator): number {
  const [input, weight] = [randn(x, { generator: random }), randn(w, { generator: random })]
  const once = (): void => scope(() => void conv2d(input, weight, undefined, { padding: 1 }))
  once()
  const gflop = (2 * x[0]! * x[2]! * x[3]! * product(w)) / 1e9
  const seconds = Array.from({ length: 5 }, () => {
    const clock = startClock()
    once()
    return clock() / 1000
  })
  return gflop / Math.min(...seconds)
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
