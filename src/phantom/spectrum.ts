/**
 * A tube at 120 kV as three energies: what a detector reads behind water, bone and metal, and what the scanner makes of it.
 *
 * Units       attenuation per centimetre.
 * Source      mass attenuation coefficients of NIST's XCOM tables at 50, 70 and 100 keV: water; cortical bone of ICRU 44
 *             at 1.92 g/cm³; for metal rounded numbers near those of dental amalgam. The weights give a mean of 70 keV.
 */
export const MATERIALS = ['water', 'bone', 'metal'] as const

const ENERGIES = [
  { weight: 0.35, perCm: [0.2269, 0.8145, 40] },
  { weight: 0.4, perCm: [0.1937, 0.505, 20] },
  { weight: 0.25, perCm: [0.1707, 0.3562, 14] },
] as const

/** Of the middle energy: what HU are defined by here. */
export const TRUE_PER_CM = ENERGIES[1].perCm

/** −ln of the transmitted share, and the same after the correction that makes water of any thickness read true. */
export function detectorReading(
  waterCm: number,
  boneCm: number,
  metalCm: number,
): { attenuation: number; corrected: number } {
  let through = 0
  for (const { weight, perCm } of ENERGIES)
    through += weight * Math.exp(-perCm[0] * waterCm - perCm[1] * boneCm - perCm[2] * metalCm)
  const attenuation = -Math.log(Math.max(through, DARK))
  return { attenuation, corrected: correctedForWater(attenuation) }
}
/** A detector's own current: no ray reads less. */
const DARK = 1e-6

/** −ln of the share that water of this thickness lets through. */
export function standardWater(waterCm: number): number {
  return detectorReading(waterCm, 0, 0).attenuation
}

const STEP_CM = 0.5
/** The detector's reading behind 0, 0.5, 1 … cm of water, uncorrected. */
const READINGS = Float64Array.from({ length: 240 }, (_, n) => {
  const cm = n * STEP_CM
  return -Math.log(ENERGIES.reduce((sum, { weight, perCm }) => sum + weight * Math.exp(-perCm[0] * cm), 0))
})

/** The line integral at the middle energy of that much water as would read the same. */
function correctedForWater(attenuation: number): number {
  let [low, high] = [0, READINGS.length - 1]
  if (attenuation >= READINGS[high]!) return TRUE_PER_CM[0] * high * STEP_CM
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (READINGS[middle]! <= attenuation) low = middle
    else high = middle
  }
  const part = (attenuation - READINGS[low]!) / (READINGS[high]! - READINGS[low]!)
  return TRUE_PER_CM[0] * (low + part) * STEP_CM
}
