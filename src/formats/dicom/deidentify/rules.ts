/**
 * What becomes of an attribute: the profile's table first, then the standard's dictionary, then nothing.
 *
 * An attribute that neither knows (private, retired, from a newer edition) is removed: what is not known to be harmless
 * does not leave. The profile keeps attributes that its table does not list; we keep them but for the kinds below.
 */
import { standardVr } from './dictionary.ts'
import { PROFILE_TABLE } from './profile-table.ts'

export type Action = 'D' | 'Z' | 'X' | 'K' | 'U'
export type Rule = {
  /** As the standard has it; files may say UN. */
  vr: string
  action: Action
  /** Cleaned instead, with Clean Descriptors. */
  descriptor: boolean
  /** Shifted instead, with modified dates. */
  temporal: boolean
}

const ACTION = /^(?:.*>)?([DZXKU])$/

const LISTED: ReadonlyMap<number, Rule> = new Map(
  PROFILE_TABLE.trim()
    .split('\n')
    .map((line) => {
      const [tag, vr, action, options] = line.split(/ +/)
      const chosen = ACTION.exec(action!)?.[1]
      if (!isAction(chosen)) throw new Error(`the profile's table has a line that is none: ${line}`)
      const rule: Rule = {
        vr: vr!,
        action: chosen,
        descriptor: options!.includes('c'),
        temporal: options!.includes('t'),
      }
      return [parseInt(tag!, 16), rule]
    }),
)

/** The tags that the profile's table lists, one by one. */
export const LISTED_TAGS: readonly number[] = [...LISTED.keys()]

/**
 * Stricter than the profile: persons, dates, addresses and texts of any length that its table forgot or does not expect
 * in images. None of them but one is type 1 or 2 in an object that is accepted here (objects.ts).
 */
const NEVER_KEPT = new Set(['PN', 'DA', 'TM', 'DT', 'AE', 'UR', 'LT', 'ST', 'UT', 'UC', 'UN'])
/** Type 1 in enhanced MR: Metabolite Map Description. */
const NEVER_ABSENT = 0x0018_9080
const PATIENT_GROUP = 0x0010
/** Public names of coding schemes: they say what the codes beside them mean. */
const CODING_SCHEMES = new Set([0x0008_0114, 0x0008_0115, 0x0008_0116])

/** Undefined: the attribute is removed, since nobody vouches for it. */
export function ruleOf(tag: number): Rule | undefined {
  const listed = LISTED.get(tag)
  if (listed) return listed
  const group = tag >>> 16
  const vr = standardVr(tag)
  if (vr === undefined || group % 2 === 1 || isGraphic(group)) return undefined
  const never = group === PATIENT_GROUP || (NEVER_KEPT.has(vr) && !CODING_SCHEMES.has(tag))
  const action = tag === NEVER_ABSENT ? 'D' : never ? 'X' : vr === 'UI' ? 'U' : 'K'
  return { vr, action, descriptor: false, temporal: false }
}

/** Curves (50xx) and overlays (60xx): without its data, the rest of such a group describes nothing. */
export function isGraphic(group: number): boolean {
  return (group & 0xff00) === 0x5000 || (group & 0xff00) === 0x6000
}

function isAction(text: string | undefined): text is Action {
  return text !== undefined && 'DZXKU'.includes(text)
}
