/** Checks of what the CT's values and voxels are: HU, noise, kernel, spacing, thickness. */
import { LIMITS, between, factor, finding, notChecked, outside, percent, signed, type Check } from './check.ts'
import { distanceHu, offsetHu, softPeaks } from './histogram.ts'

export const calibration: Check = ({ traits, airHu }, print) => {
  const offset = offsetHu(traits.soft, print.soft)
  const beyond = outside(offset, print.offsetHu)
  const air = airHu === undefined ? 0 : Math.abs(airHu + 1000)
  const { fatHu, muscleHu } = softPeaks(traits.soft, offset)
  const peak = (name: string, hu: number | undefined): string =>
    `${name} ${hu === undefined ? 'not seen' : `${Math.round(hu)} HU`}`
  return finding(
    'HU calibration',
    beyond > LIMITS.softHu.refusal || air > LIMITS.airHu.refusal
      ? 'refusal'
      : beyond > LIMITS.softHu.caution || air > LIMITS.airHu.caution
        ? 'caution'
        : 'ok',
    `soft tissue ${signed(offset)} HU off the training patients’; ${peak('air', airHu)}, ${peak('fat', fatHu)}, ${peak('muscle', muscleHu)}`,
    `within ${LIMITS.softHu.caution} HU of ${between(print.offsetHu, 0)}; air within ${LIMITS.airHu.caution} HU of −1000`,
    'Tissues are told apart by HU. Look at Rescale Slope and Intercept, or at how the file was converted.',
  )
}

export const histogram: Check = ({ traits }, print) => {
  const far = distanceHu(traits.whole, print.whole)
  const most = LIMITS.histogram.times * print.distanceHu
  return finding(
    'HU histogram',
    far > most + LIMITS.histogram.refusalHu ? 'refusal' : far > most + LIMITS.histogram.cautionHu ? 'caution' : 'ok',
    `${far.toFixed(0)} HU from the training patients’ mean`,
    `at most ${(most + LIMITS.histogram.cautionHu).toFixed(0)} HU (the farthest of them lies ${print.distanceHu.toFixed(0)} HU off)`,
    'The body is made of other shares of air, fat, soft tissue and bone than in training.',
  )
}

export const noise: Check = ({ traits }, { noiseHu }) => {
  if (traits.noiseHu === undefined || !noiseHu) return notChecked('noise', 'no even soft tissue')
  const most = LIMITS.noise.times * Math.max(noiseHu.high, LIMITS.noise.leastHu)
  return finding(
    'noise',
    traits.noiseHu > most ? 'caution' : 'ok',
    `${traits.noiseHu.toFixed(1)} HU in soft tissue`,
    `at most ${most.toFixed(1)} HU (in training ${between(noiseHu, 1)})`,
    'More noise than in training becomes texture on the sMRI. Use a reconstruction with less.',
  )
}

export const kernel: Check = ({ facts, traits }, { noiseCorrelation }) => {
  if (traits.noiseCorrelation === undefined || !noiseCorrelation) return notChecked('kernel', 'no even soft tissue')
  const off = outside(traits.noiseCorrelation, noiseCorrelation)
  const named = `, kernel ${facts.kernel ?? 'not known'}`
  const { low, high } = noiseCorrelation
  return finding(
    'kernel',
    off > LIMITS.noiseCorrelation ? 'caution' : 'ok',
    `noise of neighbouring pixels correlated by ${traits.noiseCorrelation.toFixed(2)}${named}`,
    between({ low: low - LIMITS.noiseCorrelation, high: high + LIMITS.noiseCorrelation }, 2),
    'A sharper or smoother kernel than in training. Reconstruct with the planning kernel if there is a choice.',
  )
}

export const spacing: Check = ({ facts, traits, trainedPixelMm }, { sliceSpacingMm }) => {
  const times = Math.max(
    factor(traits.sliceSpacingMm, sliceSpacingMm),
    factor(facts.pixelMm, { low: 0, high: trainedPixelMm.high }),
  )
  return finding(
    'voxel spacing',
    times > LIMITS.spacing.refusal ? 'refusal' : times > LIMITS.spacing.caution ? 'caution' : 'ok',
    `slices every ${traits.sliceSpacingMm.toFixed(2)} mm, pixels of ${facts.pixelMm.toFixed(2)} mm`,
    `slices every ${between(sliceSpacingMm, 2)} mm, pixels of at most ${trainedPixelMm.high.toFixed(2)} mm, within ${percent(LIMITS.spacing.caution - 1)}`,
    'Neighbouring slices show other distances, and pixels less detail, than the network learnt. Reconstruct as for planning.',
  )
}

export const thickness: Check = ({ facts, traits }, { sliceSpacingMm, alongZ }) => {
  const times =
    facts.sliceThicknessMm === undefined ? 1 : factor(facts.sliceThicknessMm, { low: 0, high: sliceSpacingMm.high })
  const ratio = traits.alongZ !== undefined && alongZ ? traits.alongZ / alongZ.low : 1
  const problems = [
    ...(times > LIMITS.spacing.caution ? [`slices ${facts.sliceThicknessMm!.toFixed(1)} mm thick`] : []),
    ...(ratio < LIMITS.alongZ
      ? [`slices that share their noise (${percent(ratio)} of the change in training), as if interpolated`]
      : []),
  ]
  const said =
    facts.sliceThicknessMm === undefined
      ? 'thickness not known'
      : `slices ${facts.sliceThicknessMm.toFixed(1)} mm thick`
  return finding(
    'slice thickness',
    problems.length === 0 ? 'ok' : 'caution',
    problems.length === 0 ? said : problems.join('; '),
    `at most ${(LIMITS.spacing.caution * sliceSpacingMm.high).toFixed(1)} mm, each slice with noise of its own`,
    'Thick slices average small structures away, and the sMRI shows them as they are averaged.',
  )
}
