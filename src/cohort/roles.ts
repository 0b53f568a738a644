/** Which role a series has, by the import rules, with the reason that is shown to the person who imports. */
import type { DicomSeries } from '../formats/index.ts'
import type { Role } from './cohort.ts'
import { marksOf } from './rules.ts'
import type { Conditions, Rules } from './rules.ts'

/** `role` is undefined where the series is left out; where several have one role, a lower `rank` goes before a higher. */
export type Choice = { role: Role | undefined; why: string; rank: number }

/** What lies beside a series: all of its patient, and those that structure sets were drawn on. */
export type Beside = { series: readonly DicomSeries[]; drawnOn: ReadonlySet<DicomSeries> }

/** The role by the first rule that fits; a series that none fits is left out. */
export function roleOf(series: DicomSeries, rules: Rules, beside: Beside): Choice {
  const rule = rules.rules.find((one) => fits(one, series, beside))
  if (!rule) return { role: undefined, why: 'no rule fits it', rank: Infinity }
  const { role, rank } = rule
  const why = rule.because ?? rule.name
  if (role === 'none') return { role: undefined, why, rank }
  const marks = marksOf(role).flatMap((mark) => {
    const set = rules.marks[mark]!.find((one) => fits(one, series, beside))
    return set ? [{ mark, why: set.because ?? `marked ${mark}` }] : []
  })
  return {
    role: role.replaceAll(/\{[a-z]+\}/g, '') + marks.map(({ mark }) => mark).join(''),
    why: [why, ...marks.map((one) => one.why)].join(', '),
    rank,
  }
}

/** Whether all that is said holds. */
export function fits(said: Conditions, series: DicomSeries, { series: all, drawnOn }: Beside): boolean {
  const { acquisition: a, frameOfReferenceUid: frame } = series
  const texts = [series.description, a.protocolName ?? '']
  const holds = [
    whereSaid(said.modality, (value) => series.modality === value),
    whereSaid(said.words, (pattern) => texts.some((text) => pattern.test(text))),
    whereSaid(said.notWords, (pattern) => !texts.some((text) => pattern.test(text))),
    whereSaid(said.contrast, (value) => namesAgent(a.contrastAgent) === value),
    whereSaid(said.orientation, (value) => series.plane === value),
    whereSaid(said.frameOfReference, (value) => frame === value),
    whereSaid(said.sharesFrameWith, (modality) =>
      all.some((one) => one !== series && one.modality === modality && one.frameOfReferenceUid === (frame ?? '')),
    ),
    whereSaid(said.structures, (value) => drawnOn.has(series) === value),
    whereSaid(said.imageType, (value) => series.imageType.includes(value)),
    whereSaid(said.scanningSequence, (value) => a.scanningSequence.includes(value)),
    whereSaid(said.scanOptions, (value) => a.scanOptions.includes(value)),
    whereSaid(said.kernel, (pattern) => pattern.test(a.kernel ?? '')),
    whereSaid(said.part, (pattern) => pattern.test(series.part)),
    whereSaid(said.seriesNumber, (value) => series.seriesNumber === value),
    whereSaid(said.seriesUid, (value) => series.seriesUid === value),
    whereSaid(said.images, (range) => within(range, series.frames.length)),
    whereSaid(said.sliceThicknessMm, (range) => within(range, a.sliceThicknessMm)),
    whereSaid(said.repetitionTimeMs, (range) => within(range, a.repetitionTimeMs)),
    whereSaid(said.echoTimeMs, (range) => within(range, a.echoTimeMs)),
  ]
  return holds.every(Boolean)
}

function whereSaid<T>(value: T | undefined, holds: (value: T) => boolean): boolean {
  return value === undefined || holds(value)
}

/** A file without the value is in no range. */
function within({ min = -Infinity, max = Infinity }: NonNullable<Conditions['images']>, value: number | undefined) {
  return value !== undefined && value >= min && value <= max
}

/** 'NONE' and the like are what some scanners write where there was no agent. */
function namesAgent(agent: string | undefined): boolean {
  return agent !== undefined && !/^(no|none|without|nativ\w*)\b/i.test(agent)
}
