/**
 * What a run writes down while it goes: lines of metrics.jsonl, the same numbers as TensorBoard events, and pictures.
 * Only ever appended to; when a run goes on, what was written after its checkpoint is cut off first.
 */
import { appendFileSync, existsSync } from 'node:fs'
import { readdir, readFile, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { asDiskFault, writeFileAtomic } from '../files.ts'
import type { LoopState } from './checkpoint.ts'
import { keptBytes, summaryRecord, versionRecord, type Picture } from './event-file.ts'
import { RUN_FILES } from './run-folder.ts'

/** One line of metrics.jsonl. */
export type MetricsLine =
  | {
      at: 'step'
      step: number
      /** Means since the last line. */
      losses: Record<string, number>
      /** At this step: gradient norms by network, the critic's share of right patches. */
      watched: Record<string, number>
      learningRate: number
      imagesPerSecond: number
      /** Of the training process: what the system holds for it now. */
      memoryBytes: number
      /** On a GPU, the most that was allocated there so far. */
      deviceMemoryBytes?: number
      elapsedSeconds: number
    }
  | { at: 'validation'; step: number; scores: Record<string, number>; elapsedSeconds: number }

/** Their tags begin so, which tells them from the lines of the same step when a run goes on. */
const VALIDATION = 'validation/'

/** @throws machine.diskFull, machine.noPermission */
export function writeLine(runDir: string, line: MetricsLine, pictures: Record<string, Picture> = {}): void {
  append(join(runDir, RUN_FILES.metrics), `${JSON.stringify(line)}\n`)
  const path = join(runDir, RUN_FILES.events)
  const wallSeconds = Date.now() / 1000
  if (!existsSync(path)) append(path, versionRecord(wallSeconds))
  append(path, summaryRecord(wallSeconds, line.step, scalarsOf(line), tagged(VALIDATION, pictures)))
}

function append(path: string, data: string | Uint8Array): void {
  try {
    appendFileSync(path, data)
  } catch (error) {
    throw asDiskFault(error, path)
  }
}

function scalarsOf(line: MetricsLine): Record<string, number> {
  if (line.at === 'validation') return tagged(VALIDATION, line.scores)
  const { losses, watched, learningRate, imagesPerSecond, memoryBytes, deviceMemoryBytes } = line
  const device = deviceMemoryBytes === undefined ? {} : { 'run/deviceMemoryBytes': deviceMemoryBytes }
  return {
    ...tagged('loss/', losses),
    ...tagged('watched/', watched),
    'run/learningRate': learningRate,
    'run/imagesPerSecond': imagesPerSecond,
    'run/memoryBytes': memoryBytes,
    ...device,
  }
}

function tagged<T>(prefix: string, named: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(named).map(([name, value]) => [`${prefix}${name}`, value]))
}

/** A picture of samples.ts, or (with a dot) what a kill left of one; whatever else lies there is not ours. */
const SAMPLE = /^(\.?)step-(\d{8,})\.png/

/** Cuts off what a killed run wrote beyond the checkpoint that it goes on from, also where the kill cut a line in two. */
export async function trimJournal(runDir: string, { step, score }: LoopState): Promise<void> {
  // The validation of the checkpoint's own step is in it only if the checkpoint was written after it.
  const keeps = (at: number, isValidation: boolean): boolean =>
    at < step || (at === step && (!isValidation || score !== null))
  const metrics = join(runDir, RUN_FILES.metrics)
  const text = await readFile(metrics, 'utf8').catch(() => '')
  const kept = text.split('\n').filter((line) => {
    const parsed = lineOf(line)
    return parsed !== undefined && keeps(parsed.step, parsed.at === 'validation')
  })
  await writeFileAtomic(metrics, kept.map((line) => `${line}\n`).join(''))

  const events = join(runDir, RUN_FILES.events)
  const bytes = await readFile(events).catch(() => undefined)
  if (bytes)
    await truncate(
      events,
      keptBytes(bytes, (at, event) => keeps(at, event.includes(VALIDATION))),
    )

  const samples = join(runDir, RUN_FILES.samples)
  for (const name of await readdir(samples).catch(() => [])) {
    const [, dot, at] = SAMPLE.exec(name) ?? []
    if (at !== undefined && (dot || !keeps(Number(at), true))) await rm(join(samples, name), { force: true })
  }
}

function lineOf(text: string): MetricsLine | undefined {
  try {
    return JSON.parse(text) as MetricsLine
  } catch {
    return undefined
  }
}
