/** What a check says, as data: for qa.json, the DICOM header, a report, and the person who has to decide. */

/** 'not checked' says that the CT or the model does not hold what the check needs. */
export type Verdict = 'ok' | 'caution' | 'refusal' | 'not checked'

export type Finding = {
  check: string
  verdict: Verdict
  found: string
  expected: string
  /** Why it matters and what to do; empty where all is well. */
  advice: string
}

export type Gate = {
  /** The worst of the findings: refusal before caution before ok. */
  verdict: Exclude<Verdict, 'not checked'>
  findings: readonly Finding[]
}

export function gateOf(findings: readonly Finding[]): Gate {
  const has = (verdict: Verdict): boolean => findings.some((each) => each.verdict === verdict)
  return { verdict: has('refusal') ? 'refusal' : has('caution') ? 'caution' : 'ok', findings }
}

/** 'field of view, metal': the checks that ended so. */
export function namesOf({ findings }: Gate, verdict: Verdict): string[] {
  return findings.filter((each) => each.verdict === verdict).map(({ check }) => check)
}

/** One line a finding, for a terminal. */
export function inWords({ check, verdict, found, expected, advice }: Finding): string {
  return `${check}: ${verdict}; found ${found}, expected ${expected}. ${advice}`.trim()
}
