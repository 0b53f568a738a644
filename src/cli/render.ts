/**
 * The only file that draws progress: one line per event, a bar that redraws itself where a terminal listens.
 * Everything goes to standard error, so that standard output holds results alone.
 */
import { styleText } from 'node:util'
import type { Fault } from '../errors.ts'
import type { Event, Report } from '../progress.ts'

type Screen = { write(text: string): unknown; isTTY?: boolean; columns?: number }

/** How often a line that only says how far the work is may appear. */
const BETWEEN_REDRAWS_MS = 100
const BETWEEN_LINES_MS = 5_000

export type Renderer = {
  report: Report
  /** Ends the line of a bar that still stands, so that what is printed next begins its own. */
  end: () => void
}

export function renderer(screen: Screen, { quiet }: { quiet: boolean }): Renderer {
  const terminal = screen.isTTY === true
  let lastMs = -Infinity
  let lastTask = ''
  let began = { task: '', atMs: 0, done: 0 }
  let drawn = false
  const end = (): void => {
    if (drawn) screen.write('\n')
    drawn = false
  }
  const report: Report = (event) => {
    if (quiet && event.at !== 'case.refused') return
    const passing = event.at === 'progress' || event.at === 'train.step'
    const nowMs = performance.now()
    if (passing) {
      const task = event.at === 'progress' ? event.task : 'training'
      const finished = event.at === 'progress' ? event.done >= event.of : event.step >= event.of
      const waitMs = terminal ? BETWEEN_REDRAWS_MS : BETWEEN_LINES_MS
      if (task === lastTask && nowMs - lastMs < waitMs && !finished) return
      lastMs = nowMs
      lastTask = task
    }
    if (event.at === 'progress' && (event.task !== began.task || event.done < began.done))
      began = { task: event.task, atMs: nowMsOf(), done: event.done }
    const text = line(event) + (event.at === 'progress' ? remaining(event, began) : '')
    if (!terminal) {
      screen.write(`${text}\n`)
      return
    }
    const cut = text.slice(0, Math.max(20, (screen.columns ?? 80) - 1))
    screen.write(`${drawn ? '\r\u001b[2K' : ''}${passing ? cut : `${styled(event, text)}\n`}`)
    drawn = passing
  }
  return { report, end }
}

const nowMsOf = (): number => performance.now()
/** A rate of less work or time than this says nothing yet. */
const LEAST_MS = 3_000

/** '  3 min 20 s left', from the rate since the task began; nothing for what is short or hardly begun. */
function remaining({ done, of }: { done: number; of: number }, began: { atMs: number; done: number }): string {
  const [elapsedMs, made] = [nowMsOf() - began.atMs, done - began.done]
  if (elapsedMs < LEAST_MS || made <= 0 || done >= of) return ''
  return `  ${duration(((of - done) * elapsedMs) / made / 1000)} left`
}

/** One event as one line; an event without a line does not compile. */
export function line(event: Event): string {
  switch (event.at) {
    case 'stage':
      return `── ${event.name}`
    case 'progress':
      return `   ${bar(event.done / event.of)} ${event.task}: ${event.done}/${event.of} ${event.unit}`
    case 'note':
      return `   ${event.message}`
    case 'case.done':
      return `   ${event.caseId}: ${event.message}`
    case 'case.refused':
      return ` ! ${event.caseId}: ${event.fault.message} ${event.fault.where}: found ${event.fault.found}, expected ${event.fault.expected}. [${event.fault.kind}]`
    case 'train.step':
      return `   ${bar(event.step / event.of)} step ${event.step}/${event.of}  ${named(event.losses)}  ${event.imagesPerSecond.toFixed(1)} images/s  ${duration(event.remainingSeconds)} left`
    case 'train.validation':
      return `   validation at step ${event.step}: ${named(event.scores)}`
    case 'train.checkpoint':
      return `   checkpoint at step ${event.step}`
    default:
      return event satisfies never
  }
}

/** The five fields of a fault, one a line. */
export function printFault(screen: Screen, { kind, message, where, found, expected, fix }: Fault): void {
  const rows = [
    ['where', where],
    ['found', found],
    ['expected', expected],
    ['to do', fix],
  ] as const
  screen.write(`${message} [${kind}]\n`)
  for (const [name, text] of rows) screen.write(`  ${name.padEnd(9)} ${text}\n`)
}

function bar(share: number): string {
  const width = 20
  const full = Math.round(Math.min(1, Math.max(0, share)) * width)
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}`
}

function named(numbers: Record<string, number>): string {
  return Object.entries(numbers)
    .map(([name, value]) => `${name} ${value.toPrecision(3)}`)
    .join('  ')
}

export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–'
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

function styled(event: Event, text: string): string {
  if (event.at === 'stage') return styleText('bold', text)
  if (event.at === 'case.refused') return styleText('red', text)
  return text
}
