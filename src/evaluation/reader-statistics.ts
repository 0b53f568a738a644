/**
 * What readers saw: could they tell, how did they grade, did they agree?
 *
 * Told apart  over real and synthetic MR (a CT is no question of it): the share called right, sensitivity for synthetic, specificity; Wilson's
 *             95 % interval (1927) for one reader, the bootstrap over patients for all together.
 * Grades      mean of each kind over patients, each of whom counts once (readers and slices averaged before); synthetic against real MR of the
 *             same patients by the paired tests of paired-tests.ts.
 * Agreement   Cohen's kappa (1960) for real or synthetic, with quadratic weights (1968) for grades, for each two readers over
 *             the pictures that both judged.
 */
import { pairedTest } from './paired-tests.ts'
import type { PairedTest } from './paired-tests.ts'
import type { ReaderAnswer } from './reader-answers.ts'
import { bootstrapInterval, summarise } from './statistics.ts'
import type { Summary } from './statistics.ts'

export const gradeNames = ['conspicuity', 'artefact'] as const
type GradeName = (typeof gradeNames)[number]
type Interval = readonly [number, number] | null
export type ToldApart = {
  readonly judged: number
  readonly right: number
  readonly accuracy: number | null
  readonly interval95: Interval
  /** Share of synthetic called synthetic, and of real called real. */
  readonly sensitivity: number | null
  readonly specificity: number | null
}
export type ReaderStudy = {
  readonly readers: readonly (ToldApart & { readonly reader: string; readonly secondsMedian: number })[]
  readonly together: ToldApart
  readonly grades: readonly ({ readonly kind: string } & Record<GradeName, Summary>)[]
  /** Synthetic minus real. */
  readonly comparisons: readonly ({ readonly model: string } & Record<GradeName, PairedTest>)[]
  readonly agreement: readonly ({
    readonly readers: readonly [string, string]
    readonly pictures: number
    readonly answer: number | null
  } & Record<GradeName, number | null>)[]
}

export function analyseReaders(answers: readonly ReaderAnswer[], seed: number): ReaderStudy {
  const names = [...new Set(answers.map(({ reader }) => reader))].toSorted()
  const of = (reader: string): ReaderAnswer[] => answers.filter((each) => each.reader === reader)
  const kinds = [...new Set(answers.map(kindOf))].toSorted()
  return {
    readers: names.map((reader) => {
      const own = toldApart(of(reader))
      const seconds = of(reader)
        .map((each) => each.seconds)
        .toSorted((a, b) => a - b)
      return { reader, ...own, interval95: wilson(own.right, own.judged), secondsMedian: seconds[seconds.length >> 1]! }
    }),
    together: { ...toldApart(answers), interval95: overPatients(answers, seed) },
    grades: kinds.map((kind) => ({
      kind,
      ...bothGrades((grade) => summarise([...patientMeans(answers, kind, grade).values()], seed, `${kind} ${grade}`)),
    })),
    comparisons: kinds
      .filter((kind) => kind.startsWith('synthetic'))
      .map((kind) => ({
        model: kind,
        ...bothGrades((grade) =>
          pairedTest(differences(patientMeans(answers, 'real MR', grade), patientMeans(answers, kind, grade))),
        ),
      })),
    agreement: names.flatMap((a, n) => names.slice(n + 1).map((b) => agreementOf([a, b], of(a), of(b)))),
  }
}

function bothGrades<T>(of: (grade: GradeName) => T): Record<GradeName, T> {
  return { conspicuity: of('conspicuity'), artefact: of('artefact') }
}

function kindOf({ item }: ReaderAnswer): string {
  return { real: 'real MR', ct: 'CT', synthetic: `synthetic · ${item.model}` }[item.kind]
}

function toldApart(answers: readonly ReaderAnswer[]): ToldApart {
  const judged = answers.filter(({ item }) => item.kind !== 'ct')
  const right = judged.filter(isRight)
  const share = (kind: 'real' | 'synthetic'): number | null => {
    const own = judged.filter(({ item }) => item.kind === kind)
    return own.length === 0 ? null : own.filter(isRight).length / own.length
  }
  return {
    judged: judged.length,
    right: right.length,
    accuracy: judged.length === 0 ? null : right.length / judged.length,
    interval95: null,
    sensitivity: share('synthetic'),
    specificity: share('real'),
  }
}

function isRight({ answer, item }: ReaderAnswer): boolean {
  return answer === item.kind
}

/** Wilson (1927), z = 1.959964; null of nothing. */
export function wilson(right: number, judged: number): Interval {
  if (judged === 0) return null
  const z = 1.959963984540054
  const p = right / judged
  const middle = p + z ** 2 / (2 * judged)
  const reach = z * Math.sqrt((p * (1 - p)) / judged + z ** 2 / (4 * judged ** 2))
  return [(middle - reach) / (1 + z ** 2 / judged), (middle + reach) / (1 + z ** 2 / judged)]
}

/** Pictures of one patient are not independent: patients are drawn. */
function overPatients(answers: readonly ReaderAnswer[], seed: number): Interval {
  const judged = Map.groupBy(
    answers.filter(({ item }) => item.kind !== 'ct'),
    ({ item }) => item.patient,
  )
  const shares = [...judged.values()].map((own) => own.filter(isRight).length / own.length)
  return shares.length < 2 ? null : bootstrapInterval(Float64Array.from(shares), seed, 'told apart')
}

function patientMeans(answers: readonly ReaderAnswer[], kind: string, grade: GradeName): Map<string, number> {
  const own = Map.groupBy(
    answers.filter((each) => kindOf(each) === kind),
    ({ item }) => item.patient,
  )
  return new Map([...own].map(([id, each]) => [id, each.reduce((sum, answer) => sum + answer[grade], 0) / each.length]))
}

function differences(real: ReadonlyMap<string, number>, synthetic: ReadonlyMap<string, number>): number[] {
  return [...synthetic].flatMap(([id, value]) => {
    const other = real.get(id)
    return other === undefined ? [] : [value - other]
  })
}

function agreementOf(
  readers: readonly [string, string],
  first: readonly ReaderAnswer[],
  second: readonly ReaderAnswer[],
): ReaderStudy['agreement'][number] {
  const other = new Map(second.map((each) => [each.item.item, each]))
  const both = first.flatMap((a) => {
    const b = other.get(a.item.item)
    return b ? [{ a, b }] : []
  })
  const called = (each: ReaderAnswer): number => (each.answer === 'real' ? 1 : 2)
  const mr = both.filter(({ a }) => a.item.kind !== 'ct')
  return {
    readers,
    pictures: both.length,
    answer: weightedKappa(
      mr.map(({ a, b }) => [called(a), called(b)]),
      2,
    ),
    ...bothGrades((grade) =>
      weightedKappa(
        both.map(({ a, b }) => [a[grade], b[grade]]),
        5,
      ),
    ),
  }
}

/**
 * 1 − Σ w O / Σ w E with w = (i − j)²; for two categories that is Cohen's plain kappa.
 * @param pairs  grades 1 … `categories` of two readers
 * @returns null where both gave one and the same grade throughout, and of nothing
 */
export function weightedKappa(pairs: readonly (readonly [number, number])[], categories: number): number | null {
  const [first, second] = [new Float64Array(categories), new Float64Array(categories)]
  let observed = 0
  for (const [a, b] of pairs) {
    first[a - 1]!++
    second[b - 1]!++
    observed += (a - b) ** 2
  }
  let expected = 0
  for (let i = 0; i < categories; i++)
    for (let j = 0; j < categories; j++) expected += ((i - j) ** 2 * first[i]! * second[j]!) / pairs.length
  return expected > 0 ? 1 - observed / expected : null
}
