/** What a network is made of, heard while it runs once. */
import { listen, noGrad, scope, type OperatorCall, type Tensor } from '../../src/tensor/index.ts'

export function operatorsOf(forward: () => Tensor): Set<string> {
  const names = new Set<string>()
  heard(forward, ({ name }) => void names.add(name))
  return names
}

/** Multiplications and additions of all convolutions and linear layers (a multiply-add counts as two). */
export function flopsOf(forward: () => Tensor): number {
  let flops = 0
  heard(forward, ({ name, arguments: given, result }) => {
    const weight = given['weight'] as Tensor | undefined
    const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
    if (name === 'conv2d' || name === 'linear')
      flops += 2 * product((result as Tensor).shape) * product(weight!.shape.slice(1))
    // A transposed convolution multiplies once for each of its INPUT's pixels.
    if (name === 'conv_transpose2d.input')
      flops += 2 * product((given['input'] as Tensor).shape) * product(weight!.shape.slice(1))
  })
  return flops
}

function heard(forward: () => Tensor, to: (call: OperatorCall) => void): void {
  noGrad(() => scope(() => void listen(to, forward)))
}

/** Operators with one ONNX counterpart, or a short fixed expression of them. */
export const EXPORTABLE = [
  'add.Scalar',
  'add.Tensor',
  'batch_norm',
  'cat',
  'conv2d',
  'conv_transpose2d.input',
  'div.Tensor',
  'exp',
  'group_norm',
  'instance_norm',
  'leaky_relu',
  'linear',
  'mul.Scalar',
  'mul.Tensor',
  'narrow',
  'pixel_shuffle',
  'pixel_unshuffle',
  'relu',
  'reshape',
  'silu',
  'sqrt',
  'square',
  'sub.Scalar',
  'sub.Tensor',
  'tanh',
  'upsample_nearest2d.vec',
]
