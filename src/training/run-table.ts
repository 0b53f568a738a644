/** Runs side by side: how far each is, how good, and whether somebody is at work on it. */
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { LarmorError } from '../errors.ts'
import { exists } from '../files.ts'
import { readRecord, RUN_FILES } from './run-folder.ts'
import { lockHolder } from './run-lock.ts'
import type { RunRecord } from './run-record-schema.ts'

/** `killed`: run.json says running, but no process is. */
export type RunSummary = { run: string } & Omit<RunRecord, 'schema' | 'state'> & {
    state: RunRecord['state'] | 'killed'
  }

/**
 * @param dirs  run folders, or folders that hold run folders
 * @throws input.notFound  a folder is or holds no run
 */
export async function summariseRuns(dirs: readonly string[]): Promise<RunSummary[]> {
  const found = await Promise.all(dirs.map(runsIn))
  return Promise.all(found.flat().map(summarise))
}

/** For people: a line a run. */
export function runsTable(runs: readonly RunSummary[]): string {
  const rows = runs.map((run) => [
    run.run,
    `${run.stage} ${run.preset}`,
    run.state,
    run.steps === null ? String(run.step) : `${run.step}/${run.steps}`,
    `${(run.seconds / 60).toFixed(1)} min`,
    run.best ? `${run.best.by} ${run.best.value.toFixed(4)} at step ${run.best.step}` : '–',
  ])
  const all = [['run', 'stage', 'state', 'steps', 'time', 'best validation'], ...rows]
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  return all
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
  const names = await readdir(dir).catch(() => [])
  const inside: string[] = []
  for (const name of names.toSorted((a, b) => (a < b ? -1 : 1)))
    if (await exists(join(dir, name, RUN_FILES.record))) inside.push(join(dir, name))
  if (inside.length > 0) return inside
  throw new LarmorError({
    kind: 'input.notFound',
    message: 'There is no run.',
    where: dir,
    found: `no ${RUN_FILES.record} in it or in its folders`,
    expected: 'a run folder, or a folder of run folders',
    fix: 'Check the path; runs are made by larmor train … --run <dir>.',
  })
}

async function summarise(dir: string): Promise<RunSummary> {
  const { schema: _, ...record } = await readRecord(dir)
  const killed = record.state === 'running' && (await lockHolder(dir)) === undefined
  return { run: basename(dir), ...record, state: killed ? 'killed' : record.state }
}

/** What `larmor train` prints at the end. */
export function describeRun(dir: string, record: RunRecord): { json: Record<string, unknown>; text: string } {
  const { best, scores, step, seconds } = record
  const widest = Math.max(0, ...Object.keys(scores ?? {}).map((name) => name.length))
  const lines = [
    `Trained ${step} steps in ${(seconds / 60).toFixed(1)} min.`,
    ...(best ? [`Best validation: ${best.by} ${best.value.toFixed(4)} at step ${best.step}.`] : []),
    ...Object.entries(scores ?? {}).map(([name, value]) => `  ${name.padEnd(widest)}  ${value.toFixed(4).padStart(7)}`),
    `Run: ${dir}`,
  ]
  return { json: { run: dir, ...record }, text: lines.join('\n') }
}
