/**
 * The design of Karras, Aittala, Aila, Laine, "Elucidating the Design Space of Diffusion-Based Generative Models"
 * (2022): noise levels, preconditioning and the distribution of σ in training, as numbers.
 *
 * Units   images and σ share one scale: the networks' [-1, 1] (the refiner's image is MR minus stage 1).
 * State   float64, as in the authors' code; a network may see float32.
 */
import { combined, scaled } from './arithmetic.ts'

/** D(x; σ) of Karras et al. 2022: the expected clean image. The condition (CT, stage 1) is already closed over. */
export type Denoiser = (noisy: Float64Array, sigma: number) => Promise<Float64Array>

/** F of equation 7, the network itself: sees c_in · x and c_noise, with the condition closed over. */
export type RawNetwork = (scaled: Float64Array, noiseLevel: number) => Promise<ArrayLike<number>>

export type Precondition = { cSkip: number; cOut: number; cIn: number; cNoise: number; lossWeight: number }

/** Table 1, column "Ours": the coefficients of D(x; σ) = c_skip·x + c_out·F(c_in·x; c_noise) and λ(σ) = 1 / c_out². */
export function precondition(sigma: number, sigmaData: number): Precondition {
  const variance = sigma ** 2 + sigmaData ** 2
  return {
    cSkip: sigmaData ** 2 / variance,
    cOut: (sigma * sigmaData) / Math.sqrt(variance),
    cIn: 1 / Math.sqrt(variance),
    cNoise: Math.log(sigma) / 4,
    lossWeight: variance / (sigma * sigmaData) ** 2,
  }
}

/** Equation 7: the denoiser that a raw network becomes. `sigmaData` is the SD of the clean images. */
export function preconditioned(network: RawNetwork, sigmaData: number): Denoiser {
  return async (noisy, sigma) => {
    const { cSkip, cOut, cIn, cNoise } = precondition(sigma, sigmaData)
    const raw = await network(scaled(cIn, noisy), cNoise)
    return combined(cSkip, noisy, cOut, raw)
  }
}

/**
 * Equation 5: `steps` noise levels from `sigmaMax` down to `sigmaMin`, then 0: steps + 1 numbers.
 * One step is [sigmaMax, 0], where the equation itself is 0/0.
 */
export function karrasSigmas(steps: number, sigmaMin: number, sigmaMax: number, rho = 7): number[] {
  if (!Number.isInteger(steps) || steps < 1) throw new Error(`${steps} steps is not a schedule`)
  if (steps === 1) return [sigmaMax, 0]
  const [root, step] = [sigmaMax ** (1 / rho), (sigmaMin ** (1 / rho) - sigmaMax ** (1 / rho)) / (steps - 1)]
  return [...Array.from({ length: steps }, (_, i) => (root + i * step) ** rho), 0]
}

/** Table 1, "Noise distribution": ln σ ~ N(P_mean, P_std²), from a standard normal draw. */
export function trainingSigma(normal: number, { pMean, pStd }: { pMean: number; pStd: number }): number {
  return Math.exp(pMean + pStd * normal)
}
