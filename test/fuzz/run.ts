/**
 * `npm run fuzz -- [--seed N] [--count M] [--only n]`: damaged and hostile files through every reader, in a process that may
 * write in one folder alone and has a limit of memory. Prints what was found and ends with 1 if it was anything.
 *
 * A find is kept under .cache/fuzz/<seed>-<number>/ and comes again with `--seed <seed> --only <number>`.
 */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Line } from './worker.ts'

/** Anonymous memory that the process may reserve: 2 GiB of use, and what Node reserves for its stacks and never touches. */
const MEMORY_KIB = 3 * 2 ** 20
/** Without a line for so long, the process is looked at: it hangs if it has computed all the while, or does nothing at all. */
const SILENT_MS = 20_000
const HUNG_CPU_MS = 10_000
const HUNG_MS = 300_000
/** So that what an earlier mutant left in memory is not laid to a later one. */
const PER_PROCESS = 1000

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '20000' },
    only: { type: 'string' },
  },
})
const seed = Number(values.seed)
const first = values.only === undefined ? 0 : Number(values.only)
const last = values.only === undefined ? Number(values.count) - 1 : first
if (![seed, first, last].every((n) => Number.isSafeInteger(n) && n >= 0)) {
  console.error('npm run fuzz -- [--seed N] [--count M] [--only n], whole numbers')
  process.exit(2)
}

const base = mkdtempSync(join(tmpdir(), 'larmor-fuzz-'))
const kept = join(root, '.cache', 'fuzz')
const sum = { mutants: 0, volumes: 0, refused: new Map<string, number>(), slowestMs: 0, peakMiB: 0 }
const finds: { number: number; how: string; finding: string }[] = []
const began = performance.now()

try {
  for (let next = first; next <= last;) next = await runFrom(next, Math.min(last, next + PER_PROCESS - 1))
} finally {
  rmSync(base, { recursive: true, force: true })
}
report()

/** @returns the number to go on with */
async function runFrom(from: number, to: number): Promise<number> {
  const node = ['--permission', '--allow-fs-read=*', `--allow-fs-write=${base}`, '--max-old-space-size=1536']
  const script = join(import.meta.dirname, 'worker.ts')
  const command = [
    'exec',
    quote(process.execPath),
    ...node.map(quote),
    quote(script),
    quote(base),
    seed,
    from,
    to,
  ].join(' ')
  const child = spawn('sh', ['-c', `ulimit -d ${MEMORY_KIB}; ${command}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: base, NODE_NO_WARNINGS: '1' },
  })
  let [done, hung, complaint] = [from - 1, false, '']
  let [spokeAt, cpuThen] = [performance.now(), cpuMsOf(child.pid!)]
  const timer = setInterval(() => {
    const silentMs = performance.now() - spokeAt
    // By its processor time, since a busy machine may leave it none for a while.
    if (silentMs < SILENT_MS || (cpuMsOf(child.pid!) - cpuThen < HUNG_CPU_MS && silentMs < HUNG_MS)) return
    hung = true
    child.kill('SIGKILL')
  }, 1000)
  child.stderr.on('data', (data: Buffer) => (complaint = `${complaint}${data.toString()}`.slice(-4000)))
  const ended = new Promise<number | string>((resolve) =>
    child.on('close', (code, signal) => resolve(code ?? signal ?? '?')),
  )
  for await (const text of createInterface({ input: child.stdout })) {
    ;[spokeAt, cpuThen] = [performance.now(), cpuMsOf(child.pid!)]
    const line = JSON.parse(text) as Line
    done = line.number
    note(line)
  }
  const end = await ended
  clearInterval(timer)
  if (done === to) return to + 1
  if (!hung && done < from && child.exitCode === 1 && !existsSync(join(base, 'a')))
    throw new Error(`the readers do not start: ${complaint}`)
  const finding = hung
    ? `no end within ${HUNG_CPU_MS / 1000} s of processor time`
    : `the process ended with ${end}: ${complaint}`
  const input = join(base, 'a', 'b', 'c', 'd', 'in')
  if (existsSync(input)) cpSync(input, join(base, 'found', `${seed}-${done + 1}`), { recursive: true })
  find(done + 1, 'see its files', finding)
  return done + 2
}

function note({ number, how, finding, volumes, refused, cpuMs, peakMiB }: Line): void {
  sum.mutants++
  sum.volumes += volumes
  for (const kind of refused) sum.refused.set(kind, (sum.refused.get(kind) ?? 0) + 1)
  sum.slowestMs = Math.max(sum.slowestMs, cpuMs)
  sum.peakMiB = Math.max(sum.peakMiB, peakMiB)
  if (finding !== undefined) find(number, how, finding)
  if (sum.mutants % 1000 === 0) console.error(`${sum.mutants} mutants, ${finds.length} finds, ${seconds()} s`)
}

function find(number: number, how: string, finding: string): void {
  finds.push({ number, how, finding })
  const folder = `${seed}-${number}`
  mkdirSync(kept, { recursive: true })
  if (existsSync(join(base, 'found', folder)))
    cpSync(join(base, 'found', folder), join(kept, folder), { recursive: true })
  console.log(`\nfind ${finds.length}, mutant ${number} (${how})\n  ${finding.split('\n').slice(0, 6).join('\n  ')}`)
}

function report(): void {
  console.log(
    `\nseed ${seed}: ${sum.mutants} mutants, ${sum.volumes} good volumes, ${finds.length} finds, ${seconds()} s`,
  )
  console.log(`slowest ${Math.round(sum.slowestMs)} ms of processor time, peak ${Math.round(sum.peakMiB)} MiB`)
  const kinds = [...sum.refused].toSorted((a, b) => b[1] - a[1]).map(([kind, count]) => `${kind} ${count}`)
  console.log(`refused: ${kinds.join(', ')}`)
  if (finds.length > 0) console.log(`files of the finds: ${kept}`)
  process.exitCode = finds.length > 0 ? 1 : 0
}

/** Linux: user and system time of a process are fields 14 and 15 of its stat, in hundredths of a second. */
function cpuMsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return 10 * (Number(fields[11]) + Number(fields[12]))
  } catch {
    return 0 // it has just ended
  }
}

function seconds(): number {
  return Math.round((performance.now() - began) / 1000)
}
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
