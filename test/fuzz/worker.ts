/**
 * The process in which readers meet mutants: `worker.ts <base folder> <seed> <first> <last>`. One JSON line a mutant.
 *
 * It is started (run.ts) so that it may write in its base folder alone and may not take more memory than stated.
 */
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { stream } from '../../src/random.ts'
import { examine } from './examine.ts'
import { mutantOf } from './mutant.ts'
import { allSeeds } from './seeds.ts'

export type Line = {
  number: number
  how: string
  /** undefined where all is well. */
  finding: string | undefined
  volumes: number
  refused: readonly string[]
  cpuMs: number
  peakMiB: number
}

/** No reader may take more processor time over a mutant than this; wall time is its caller's, which other processes lengthen. */
const MAX_CPU_MS = 2000
const MAX_PEAK_MIB = 2048

const [base, seed, first, last] = process.argv.slice(2) as [string, string, string, string]
/** Five folders deep, so that '../../x' from the output folder still lies in what is watched. */
const home = join(base, 'a', 'b', 'c', 'd')
const input = join(home, 'in')
const output = join(home, 'out')
const seeds = await allSeeds()

for (let number = Number(first); number <= Number(last); number++) {
  rmSync(join(base, 'a'), { recursive: true, force: true })
  const { how, files } = mutantOf(seeds, Number(seed), number)
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(input, name)), { recursive: true })
    writeFileSync(join(input, name), bytes)
  }
  const before = tree(input)
  let [volumes, cpuMs, refused, finding]: [number, number, string[], string | undefined] = [0, 0, [], undefined]
  try {
    ;({ volumes, refused, slowestMs: cpuMs } = await examine(input, output, stream(Number(seed), 'examine', number)))
  } catch (error) {
    finding = error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
  const peakMiB = process.resourceUsage().maxRSS / 1024
  finding ??= escaped(before)
  if (cpuMs > MAX_CPU_MS) finding ??= `${Math.round(cpuMs)} ms of processor time`
  if (peakMiB > MAX_PEAK_MIB) finding ??= `${Math.round(peakMiB)} MiB of memory`
  if (finding !== undefined) cpSync(input, join(base, 'found', `${seed}-${number}`), { recursive: true })
  const line: Line = { number, how, finding, volumes, refused, cpuMs, peakMiB }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

/** Everything under the base folder but the output and the finds is as it was. */
function escaped(before: string): string | undefined {
  if (tree(input) !== before) return 'the input was changed'
  const outside = readdirSync(base, { recursive: true, encoding: 'utf8' }).filter(
    (path) => !/^(a|a\/b|a\/b\/c|a\/b\/c\/d|a\/b\/c\/d\/(in|out)(\/.*)?|(found|larmor-fuzz-seeds)(\/.*)?)$/.test(path),
  )
  return outside.length === 0 ? undefined : `written outside the output folder: ${outside.join(', ')}`
}
function tree(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted().join('\n')
}
