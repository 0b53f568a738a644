/**
 * One image a role. Where several have it, the import rules decide, in this order: the rule that stands first in the
 * file of --rules, then what is preferred. Where neither tells them apart nobody but a person can choose: all of
 * them are refused, with the rule that would settle it.
 */
import { LarmorError } from '../errors.ts'
import type { Fault } from '../errors.ts'
import type { DicomSeries } from '../formats/index.ts'
import type { Role } from './cohort.ts'
import { fits } from './roles.ts'
import type { Beside } from './roles.ts'
import type { Conditions } from './rules.ts'
import type { Candidate } from './case.ts'

export type Chosen = { images: Candidate[]; undecided: Role[]; leftOut: string[]; refused: Fault[] }

export function onePerRole(
  candidates: readonly Candidate[],
  where: string,
  prefer: readonly Conditions[],
  beside: Beside,
): Chosen {
  const chosen: Chosen = { images: [], undecided: [], leftOut: [], refused: [] }
  for (const [role, same] of Map.groupBy(candidates, (one) => one.role)) {
    const left = preferred(firstRanked(same, chosen.leftOut), prefer, beside, chosen.leftOut)
    if (left.length === 1) chosen.images.push(left[0]!)
    else {
      chosen.undecided.push(role)
      chosen.refused.push(severalCandidates(where, role, left))
    }
  }
  return chosen
}

/** Those of the rule that stands first in the file of a person; between our own rules there is no order. */
function firstRanked(same: readonly Candidate[], leftOut: string[]): readonly Candidate[] {
  const first = Math.min(...same.map(({ rank }) => rank))
  const others = same.filter(({ rank }) => rank > first)
  const by = same.find(({ rank }) => rank === first)!
  leftOut.push(...others.map(({ from, role }) => `${from}: for ${role}, ${by.from} goes before it (${by.why})`))
  return same.filter(({ rank }) => rank === first)
}

function preferred(
  same: readonly Candidate[],
  prefer: readonly Conditions[],
  beside: Beside,
  leftOut: string[],
): readonly Candidate[] {
  let left = same
  for (const said of prefer) {
    const better = left.filter(({ series }) => series !== undefined && fits(said, series, beside))
    if (better.length === 0 || better.length === left.length) continue
    const because = said.because ?? 'preferred by the rules'
    const worse = left.filter((one) => !better.includes(one))
    leftOut.push(...worse.map(({ from, role }) => `${from}: for ${role}, ${better[0]!.from} is preferred (${because})`))
    for (const one of better) one.why += `; ${because}`
    left = better
  }
  return left
}

function severalCandidates(where: string, role: Role, same: readonly Candidate[]): Fault {
  const rules = settlingRules(role, same)
  const fix =
    rules.length === 0
      ? 'Move away what is not meant, or give larmor import only the folder of what is meant.'
      : `Write into a file rules.yaml the line  rules: [${rules[0]!.rule}]  and add --rules rules.yaml: that means ` +
        `${rules[0]!.from}. For ${rules
          .slice(1)
          .map(({ rule, from }) => `${from} it is ${rule}`)
          .join('; for ')}. More in docs/import.md.`
  return new LarmorError({
    kind: 'input.severalSeries',
    message: `Several candidates for ${role}.`,
    where,
    found: same.map(({ from }) => from).join('; '),
    expected: 'one',
    fix,
  }).fault
}

/** What may tell series apart, the more telling first, as it is written in a rule. */
const TELLING: readonly ((series: DicomSeries) => string | undefined)[] = [
  ({ description }) => (description === '' ? undefined : `words: ${quoted(`^${literally(description)}$`)}`),
  ({ seriesNumber }) => (seriesNumber === undefined ? undefined : `seriesNumber: ${quoted(seriesNumber)}`),
  ({ part }) => (part === '' ? undefined : `part: ${quoted(`^${literally(part)}$`)}`),
  ({ seriesUid }) => `seriesUid: ${seriesUid}`,
]

/** For each candidate the rule that means it and none of the others; empty where no single word does. */
function settlingRules(role: Role, same: readonly Candidate[]): { rule: string; from: string }[] {
  for (const tell of TELLING) {
    const said = same.map(({ series, from }) => ({ from, words: series && tell(series) }))
    const different = new Set(said.map(({ words }) => words)).size === same.length
    if (different && said.every(({ words }) => words !== undefined))
      return said.map(({ words, from }) => ({ rule: `{ role: ${role}, ${words} }`, from }))
  }
  return []
}

function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** A single-quoted scalar of YAML: nothing but the quote itself is special in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
