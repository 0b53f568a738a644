/** Runs side by side: how far each is, how good, how fast, whether somebody is at work on it, and where they differ. */
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { LarmorError } from '../errors.ts'
import { exists } from '../files.ts'
import { silent, type Report } from '../progress.ts'
import type { MetricsLine } from './journal.ts'
import { readRecord, readRun, RUN_FILES } from './run-folder.ts'
import { runHolder } from './run-lock.ts'
import type { RunRecord } from './run-record-schema.ts'
import type { RunConfig } from './settings.ts'

/** `killed`: run.json says running, but no process is. */
export type RunSummary = { run: string; dir: string } & Omit<RunRecord, 'schema' | 'state'> & {
    state: RunRecord['state'] | 'killed'
    /** Of the last line of metrics.jsonl; null before the first. */
    imagesPerSecond: number | null
    config: RunConfig
  }

/** For each setting (or machine) that is not the same in all runs: what it is in each, by the run's folder. */
export type Differences = Record<string, Record<string, string>>

/**
 * @param dirs    run folders, or folders that hold run folders
 * @param report  told of each run that is left out since a file of it is not what it should be
 * @throws input.notFound  a folder is or holds no run
 * @throws json.refused    no run can be read
 */
export async function summariseRuns(dirs: readonly string[], report: Report = silent): Promise<RunSummary[]> {
  const found = new Set((await Promise.all(dirs.map(runsIn))).flat())
  const runs: RunSummary[] = []
  const refused: LarmorError[] = []
  for (const dir of found)
    try {
      runs.push(await summarise(dir))
    } catch (error) {
      if (!(error instanceof LarmorError)) throw error
      refused.push(error)
      report({ at: 'case.refused', caseId: dir, fault: error.fault })
    }
  if (runs.length === 0) throw refused[0]!
  return runs
}

/** Where the runs differ, beside how far and how good they are. A setting that a run does not have is `–`. */
export function differences(runs: readonly RunSummary[]): Differences {
  const facts = runs.map(({ config, planSha256, stage1, versions, device, threads }) => ({
    ...config,
    plan: planSha256.slice(0, 12),
    stage1: stage1 ? `${basename(stage1.run)} at step ${stage1.step}` : '–',
    larmor: versions.larmor,
    libtorch: versions.libtorch,
    device,
    threads,
  }))
  const texts = facts.map((each) => new Map(Object.entries(each).map(([key, value]) => [key, String(value)])))
  const keys = [...new Set(texts.flatMap((each) => [...each.keys()]))]
  const ofKey = (key: string): string[] => texts.map((each) => each.get(key) ?? '–')
  const differing = keys.filter((key) => new Set(ofKey(key)).size > 1)
  return Object.fromEntries(
    differing.map((key) => [key, Object.fromEntries(ofKey(key).map((text, n) => [runs[n]!.dir, text]))]),
  )
}

/** For people: a line a run; below it, a line for each setting that differs. */
export function runsTable(runs: readonly RunSummary[]): string {
  const names = namesOf(runs)
  const rows = runs.map((run, n) => [
    names[n]!,
    `${run.stage} ${run.preset}`,
    run.state,
    run.steps === null ? String(run.step) : `${run.step}/${run.steps}`,
    `${(run.seconds / 60).toFixed(1)} min`,
    run.imagesPerSecond === null ? '–' : run.imagesPerSecond.toPrecision(3),
    run.best ? `${run.best.by} ${run.best.value.toFixed(4)} at step ${run.best.step}` : '–',
  ])
  const overview = aligned([['run', 'stage', 'state', 'steps', 'time', 'images/s', 'best validation'], ...rows])
  const differing = Object.entries(differences(runs))
  if (differing.length === 0) return overview
  const compared = differing.map(([key, values]) => [key, ...runs.map(({ dir }) => values[dir]!)])
  const plans = new Set(runs.map(({ planSha256 }) => planSha256)).size
  const caution =
    plans > 1 ? '\n\nThese runs follow different plans: their validations are not of the same slices.' : ''
  return `${overview}\n\nWhere they differ:\n${aligned([['', ...names], ...compared])}${caution}`
}

/** The folder's own name; where two runs share it, the whole path. */
function namesOf(runs: readonly RunSummary[]): string[] {
  const count = (name: string): number => runs.filter(({ run }) => run === name).length
  return runs.map(({ run, dir }) => (count(run) > 1 ? dir : run))
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

async function runsIn(dir: string): Promise<string[]> {
  if (await exists(join(dir, RUN_FILES.record))) return [dir]
  const names = await readdir(dir).catch(() => undefined)
  if (names === undefined) throw noRunIn(dir, 'no such folder')
  const inside: string[] = []
  for (const name of names.toSorted((a, b) => (a < b ? -1 : 1)))
    if (await exists(join(dir, name, RUN_FILES.record))) inside.push(join(dir, name))
  if (inside.length > 0) return inside
  throw noRunIn(dir, `no ${RUN_FILES.record} in it or in its folders`)
}

function noRunIn(dir: string, found: string): LarmorError {
  return new LarmorError({
    kind: 'input.notFound',
    message: 'There is no run.',
    where: dir,
    found,
    expected: 'a run folder, or a folder of run folders',
    fix: 'Check the path; runs are made by larmor train … --run <dir>.',
  })
}

async function summarise(dir: string): Promise<RunSummary> {
  const { schema: _, ...record } = await readRecord(dir)
  const killed = record.state === 'running' && (await runHolder(dir)) === undefined
  const { config } = await readRun(dir)
  const imagesPerSecond = await lastSpeed(dir)
  return { run: basename(dir), dir, ...record, state: killed ? 'killed' : record.state, imagesPerSecond, config }
}

async function lastSpeed(dir: string): Promise<number | null> {
  const text = await readFile(join(dir, RUN_FILES.metrics), 'utf8').catch(() => '')
  // A run at work may be in the middle of its last line.
  const whole = text.slice(0, text.lastIndexOf('\n') + 1).trimEnd()
  const lines = whole === '' ? [] : whole.split('\n').map((line) => JSON.parse(line) as MetricsLine)
  return lines.findLast((line) => line.at === 'step')?.imagesPerSecond ?? null
}

/** What `larmor train` prints at the end. */
export function describeRun(dir: string, record: RunRecord): { json: Record<string, unknown>; text: string } {
  const { best, scores, step, seconds } = record
  const widest = Math.max(0, ...Object.keys(scores ?? {}).map((name) => name.length))
  const lines = [
    `Trained ${step} steps in ${(seconds / 60).toFixed(1)} min.`,
    ...(best ? [`Best validation: ${best.by} ${best.value.toFixed(4)} at step ${best.step}.`] : []),
    ...(scores ? [`Last validation:`] : []),
    ...Object.entries(scores ?? {}).map(([name, value]) => `  ${name.padEnd(widest)}  ${value.toFixed(4).padStart(7)}`),
    `Run: ${dir}`,
  ]
  return { json: { run: dir, ...record }, text: lines.join('\n') }
}
