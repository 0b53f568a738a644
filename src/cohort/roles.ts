/**
 * Which role a series has, by rules that are stated here and shown to the person who imports.
 *
 * CT      with a contrast agent named in the file: ct_contrast; else ct.
 * MR      mr_<sequence>: by the words of series description and protocol first, by the weighting of a spin echo
 *         (TR and TE) next; what neither tells is mr_mr. 'gd' is added after contrast agent.
 */
import type { DicomSeries } from '../formats/index.ts'
import type { Role } from './cohort.ts'

export type Choice = { role: Role; why: string }

/** Words in descriptions, the more special ones first: a FLAIR is T2-weighted, too. */
const SEQUENCE_WORDS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['dwi', /(?<![a-z])(dwi|diff\w*|adc|trace)(?![a-z])/i],
  ['flair', /flair|dark.?fluid/i],
  ['stir', /(?<![a-z])(stir|tirm)(?![a-z])/i],
  ['t2star', /(?<![a-z])(t2\*|t2.?star|swi|swan)/i],
  ['t1', /(?<![a-z0-9])t1(?![0-9])|mprage|(?<![a-z])(bravo|spgr|vibe|lava)(?![a-z])/i],
  ['t2', /(?<![a-z0-9])t2(?![0-9])/i],
  ['pd', /(?<![a-z])(pd|proton)/i],
]
const CONTRAST_WORDS = /(?<![a-z])(gd|gad\w*|post|contrast|km|ce)(?![a-z])|\+\s?(c|gd|km)(?![a-z])/i

/** Spin echo: T1 has short TR and TE, T2 long ones, PD a long TR with a short TE (Bushberg, Essential Physics, ch. 12). */
const SHORT_TR_MS = 1000
const LONG_TR_MS = 1800
const SHORT_TE_MS = 30
const LONG_TE_MS = 60

export function roleOf(series: DicomSeries): Choice {
  const { contrastAgent } = series.acquisition
  const agent = contrastAgent !== undefined && !/^(no|none|without|nativ\w*)\b/i.test(contrastAgent)
  if (series.modality === 'CT')
    return agent
      ? { role: 'ct_contrast', why: 'CT, names a contrast agent' }
      : { role: 'ct', why: 'CT, no contrast agent' }
  const words = `${series.description} ${series.acquisition.protocolName ?? ''}`
  const { sequence, why } = sequenceOf(words, series)
  const withAgent = agent || CONTRAST_WORDS.test(words)
  return withAgent ? { role: `mr_${sequence}gd`, why: `${why}, after contrast agent` } : { role: `mr_${sequence}`, why }
}

function sequenceOf(words: string, { acquisition }: DicomSeries): { sequence: string; why: string } {
  const named = SEQUENCE_WORDS.find(([, pattern]) => pattern.test(words))
  if (named) return { sequence: named[0], why: `MR, its description says ${named[0].toUpperCase()}` }
  const { repetitionTimeMs: tr, echoTimeMs: te, scanningSequence } = acquisition
  if (tr === undefined || te === undefined || !scanningSequence.includes('SE'))
    return { sequence: 'mr', why: 'MR, neither description nor weighting tells its sequence' }
  const why = `MR, spin echo with TR ${tr} ms and TE ${te} ms`
  if (te >= LONG_TE_MS && tr >= LONG_TR_MS) return { sequence: 't2', why }
  if (te <= SHORT_TE_MS && tr <= SHORT_TR_MS) return { sequence: 't1', why }
  if (te <= SHORT_TE_MS && tr >= LONG_TR_MS) return { sequence: 'pd', why }
  return { sequence: 'mr', why: `${why}: between the weightings` }
}

/** Why a series is left out before any choice; undefined where it may be an image of the patient. */
export function leftOutBecause({ imageType, frames }: DicomSeries): string | undefined {
  if (imageType.includes('LOCALIZER')) return 'a localiser'
  return frames.length < 2 ? 'a single image' : undefined
}
