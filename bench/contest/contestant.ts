/**
 * A contest: processes of their own that do the same work in turn, so that a busy machine is as busy for each of them.
 *
 * Protocol    one line of JSON to the process, one line of JSON back; its first line, unasked, says what it is.
 * Time        processor milliseconds of the whole process, all threads: others on the machine do not count.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline/promises'

export type Measured = { cpuMs: number }

export type Contestant = {
  readonly name: string
  ask<Answer = Measured>(request: object): Promise<Answer>
  close(): void
}

/**
 * @param environment  added to ours, before the process starts: OpenMP and the allocator read theirs only then
 * @throws Error  the process ended before it said what it is
 */
export async function openContestant(
  program: string,
  parameters: readonly string[],
  environment: Record<string, string>,
): Promise<Contestant> {
  const child = spawn(program, parameters, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  })
  child.on('error', () => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const line = await lines.next()
    if (line.done) throw new Error(`${program} ${parameters[0] ?? ''} ended without an answer`)
    return line.value
  }
  const { name } = JSON.parse(await next()) as { name: string }
  return {
    name,
    async ask<Answer>(request: object) {
      child.stdin.write(`${JSON.stringify(request)}\n`)
      return JSON.parse(await next()) as Answer
    },
    close: () => child.stdin.end(),
  }
}

/**
 * Asks every contestant once a round, in an order that turns from round to round; the first answers (`warm` of
 * them) are thrown away, since then memory is fetched and code is compiled.
 * @returns processor ms of each, by contestant and round
 */
export async function contest(
  contestants: readonly Contestant[],
  request: object,
  rounds: number,
  warm = 1,
): Promise<Map<Contestant, number[]>> {
  const times = new Map(contestants.map((each) => [each, [] as number[]]))
  for (let round = -warm; round < rounds; round++) {
    const order = round % 2 === 0 ? contestants : contestants.toReversed()
    for (const each of order) {
      const { cpuMs } = await each.ask(request)
      if (round >= 0) times.get(each)!.push(cpuMs)
    }
  }
  return times
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2
}

/** How many times as fast as the peer: the median over the rounds, each against the peer's time of the same round. */
export function ratioOf(ours: readonly number[], peers: readonly number[]): number {
  return median(ours.map((own, round) => peers[round]! / own))
}
