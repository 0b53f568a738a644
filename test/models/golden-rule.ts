/**
 * The value rule and the summaries of shared/data/pix2pix_golden (README.md there): weights and images that any program
 * can make for itself, and what PyTorch 2.13 made of them in float64 (make_golden.py).
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export type Summary = { count: number; mean: number; std: number; index: number[]; value: number[] }
export type Picks = { index: number[]; value: number[] }
export type PerNet<T> = { G: Record<string, T>; D: Record<string, T> }

export type GoldenStep = {
  loss_D_fake: number
  loss_D_real: number
  loss_D: number
  loss_G_GAN: number
  L1_unweighted: number
  loss_G: number
  fake_B: Summary
}
export type Golden = {
  config: {
    input_nc: number
    output_nc: number
    ngf: number
    ndf: number
    num_downs: number
    size: number
    batch: number
    target_name: string
  }
  state_dict: { G: [string, number[]][]; D: [string, number[]][] }
  parameter_order: { G: string[]; D: string[] }
  parameter_count: { G: number; D: number }
  input_A: Summary
  input_B: Summary
  initial_parameters: PerNet<Summary>
  forward_eval_initial: { G: Summary; D_real: Summary }
  layers_step1_train_forward: Record<string, Summary & { shape: number[] }>
  steps: [
    GoldenStep & { D_fake_logits: Summary; D_real_logits: Summary; gradients: PerNet<Picks & { l2: number }> },
    GoldenStep,
    GoldenStep,
  ]
  final: {
    parameters: PerNet<Picks & { sum: number }>
    buffers: PerNet<Summary | number>
    forward_train_after3: Summary
    forward_eval_after3: Summary
    D_real_eval_after3: Summary
  }
}

export function readGolden(folder: string, variant: 'tiny' | 'full'): Golden {
  return JSON.parse(readFileSync(join(folder, `${variant}.json`), 'utf8')) as Golden
}

/** SD 0.02 for a uniform value in (−a, a). */
const A = 0.034641016151377546

/** field(name)[i] in (−1, 1), the README's rule. */
function field(name: string, count: number): Float64Array {
  const key = fnv1a32(name)
  const out = new Float64Array(count)
  for (let i = 0; i < count; i++) out[i] = (2 * mix32(mix32(i) ^ key) + 1) / 2 ** 32 - 1
  return out
}

/** The float32 values of parameter `name` of net G or D; norm weights lie around 1. */
export function goldenWeights(net: 'G' | 'D', name: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const isNormWeight = name.endsWith('weight') && shape.length === 1
  const values = field(
    `${net}/${name}`,
    shape.reduce((a, b) => a * b, 1),
  )
  return Float32Array.from(values, (x) => (isNormWeight ? 1 + A * x : A * x))
}

/** A smooth random image with noise, [batch, channels, size, size]. */
export function goldenImage(name: string, batch: number, channels: number, size: number): Float32Array<ArrayBuffer> {
  const grid = field(`${name}/grid`, batch * channels * 81)
  const noise = field(`${name}/noise`, batch * channels * size * size)
  const out = new Float32Array(noise.length)
  for (let at = 0; at < out.length; at++) {
    const plane = Math.floor(at / (size * size))
    const [y, x] = [(Math.floor(at / size) % size) * (8 / size), (at % size) * (8 / size)]
    const [row, column] = [Math.floor(y), Math.floor(x)]
    const [fy, fx] = [y - row, x - column]
    const g = (dy: number, dx: number): number => grid[plane * 81 + (row + dy) * 9 + column + dx]!
    const smooth = (g(0, 0) * (1 - fx) + g(0, 1) * fx) * (1 - fy) + (g(1, 0) * (1 - fx) + g(1, 1) * fx) * fy
    out[at] = 0.75 * smooth + 0.25 * noise[at]!
  }
  return out
}

/** Mean, SD and samples agree, each to `tolerance` of the value or, for the mean, of the SD. */
export function assertSummary(found: ArrayLike<number>, golden: Summary, tolerance: number, what: string): void {
  assert.equal(found.length, golden.count, `${what}: count`)
  let sum = 0
  for (let i = 0; i < found.length; i++) sum += found[i]!
  const mean = sum / found.length
  let squares = 0
  for (let i = 0; i < found.length; i++) squares += (found[i]! - mean) ** 2
  const scale = Math.max(golden.std, Math.abs(golden.mean))
  assertWithin(mean, golden.mean, tolerance * scale, `${what}: mean`)
  assertWithin(Math.sqrt(squares / found.length), golden.std, tolerance * scale, `${what}: SD`)
  assertPicks(found, golden, tolerance, scale, what)
}

/** The sampled values agree to `tolerance` of the larger of the value and `scale`. */
export function assertPicks(
  found: ArrayLike<number>,
  golden: Picks,
  tolerance: number,
  scale: number,
  what: string,
): void {
  golden.index.forEach((at, i) => {
    const expected = golden.value[i]!
    assertWithin(found[at]!, expected, tolerance * Math.max(Math.abs(expected), scale), `${what}[${at}]`)
  })
}

export function assertRelative(found: number, expected: number, tolerance: number, what: string): void {
  assertWithin(found, expected, tolerance * Math.abs(expected), what)
}

export function assertWithin(found: number, expected: number, limit: number, what: string): void {
  assert.ok(Math.abs(found - expected) <= limit, `${what}: ${found} is not ${expected} within ${limit}`)
}

function fnv1a32(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash
}

function mix32(value: number): number {
  let x = value >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
  return (x ^ (x >>> 16)) >>> 0
}
