/** Denoisers that are known in closed form, for scalars, and the closeness that float64 allows. */
import assert from 'node:assert/strict'
import type { Denoiser } from '../../src/sampling/index.ts'

/** Of data N(mean, std²): the posterior mean. */
export function gaussianDenoiser(mean: number, std: number): Denoiser {
  return async (x, sigma) => x.map((v) => (std ** 2 * v + sigma ** 2 * mean) / (std ** 2 + sigma ** 2))
}

/** Of data Σ w N(m, s²): the posterior means weighted by responsibility (with the exponents' maximum taken out). */
export function mixtureDenoiser(weights: number[], means: number[], stds: number[]): Denoiser {
  return async (x, sigma) =>
    x.map((v) => {
      const logs = weights.map((w, k) => {
        const variance = stds[k]! ** 2 + sigma ** 2
        return Math.log(w) - 0.5 * Math.log(variance) - (v - means[k]!) ** 2 / (2 * variance)
      })
      const shares = logs.map((l) => Math.exp(l - Math.max(...logs)))
      const total = shares.reduce((a, b) => a + b, 0)
      const each = means.map((m, k) => (stds[k]! ** 2 * v + sigma ** 2 * m) / (stds[k]! ** 2 + sigma ** 2))
      return shares.reduce((sum, share, k) => sum + (share / total) * each[k]!, 0)
    })
}

export function near(found: number, expected: number, what: string, tolerance = 1e-9): void {
  const error = Math.abs(found - expected)
  assert.ok(error <= tolerance * Math.max(1, Math.abs(expected)), `${what}: ${found}, expected ${expected}`)
}
