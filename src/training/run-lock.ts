/** One training process a run folder: a lock file that names its process, and is void when that process is gone. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LarmorError } from '../errors.ts'
import { asDiskFault } from '../files.ts'

const LOCK = 'run.lock'

/** @throws usage.outputExists  another process is training in this folder */
export async function lockRun(runDir: string): Promise<void> {
  const path = join(runDir, LOCK)
  const own = `${process.pid} ${await startedAt(process.pid)}`
  for (;;) {
    try {
      return await writeFile(path, own, { flag: 'wx' })
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw asDiskFault(error, path)
    }
    const holder = await lockHolder(runDir)
    if (holder !== undefined) throw inUse(runDir, holder)
    await rm(path, { force: true })
  }
}

export async function unlockRun(runDir: string): Promise<void> {
  await rm(join(runDir, LOCK), { force: true })
}

/** The process that trains in this folder now; undefined where none does. */
export async function lockHolder(runDir: string): Promise<number | undefined> {
  const text = await readFile(join(runDir, LOCK), 'utf8').catch(() => '')
  const [pid, started] = text.split(' ')
  if (!pid || started === undefined) return undefined
  const now = await startedAt(Number(pid))
  return now !== undefined && now === started ? Number(pid) : undefined
}

/** When a process started, in clock ticks: a number that a later process of the same id does not share. */
async function startedAt(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (stat !== undefined) return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  if (process.platform === 'linux') return undefined
  try {
    process.kill(pid, 0)
    return 'unknown'
  } catch {
    return undefined
  }
}

function inUse(runDir: string, pid: number): LarmorError {
  return new LarmorError({
    kind: 'usage.outputExists',
    message: 'A training is already at work in this run folder.',
    where: runDir,
    found: `process ${pid}`,
    expected: 'no other training',
    fix: 'Wait for it, or end it with Ctrl-C in its terminal; or choose another --run.',
  })
}
