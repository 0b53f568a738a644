/**
 * One writer at a time, across processes: a lock file with the writer's process id.
 *
 * The lock is held for moments (to read, change and write one small file), so others wait for it. A writer that
 * died leaves its lock behind; the next one sees that the process is gone and takes it away.
 */
import { mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { LarmorError } from '../errors.ts'
import { asDiskFault } from '../files.ts'

const RETRY_MS = 25
const PATIENCE_MS = 30_000
/** Taking away a dead writer's lock is itself guarded by a file; who dies in these few lines is waited for this long. */
const BREAKING_MS = 5_000

/** @throws cohort.busy  another writer has held the lock for half a minute */
export async function withLock<T>(path: string, body: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true })
  const mine = `${process.pid} ${hostname()}\n`
  const giveUpAt = Date.now() + PATIENCE_MS
  while (!(await createExclusively(path, mine))) {
    if (await isAbandoned(path)) await takeAway(path)
    else if (Date.now() > giveUpAt) throw busy(path, await readFile(path, 'utf8').catch(() => ''))
    else await sleep(RETRY_MS)
  }
  try {
    return await body()
  } finally {
    await rm(path, { force: true })
  }
}

async function createExclusively(path: string, content: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    try {
      await file.writeFile(content)
    } catch (error) {
      await rm(path, { force: true }) // a lock without a name, of a disk that is full, would be nobody's for ever
      throw error
    } finally {
      await file.close()
    }
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw asDiskFault(error, path)
  }
}

/**
 * Whether the process that holds the lock is gone; one on another machine cannot be seen, so it counts as alive.
 * A lock that stays without a name is of a process that died between making and signing it.
 */
async function isAbandoned(path: string): Promise<boolean> {
  const text = (await readFile(path, 'utf8').catch(() => '')).trim()
  if (text === '') return (await ageMs(path)) > BREAKING_MS
  const [pid, host] = text.split(' ')
  return host === hostname() && !isAlive(Number(pid))
}

/** Only one process may take a lock away, and only if it is still abandoned then: it may have a new owner by now. */
async function takeAway(path: string): Promise<void> {
  const guard = `${path}.breaking`
  if (!(await createExclusively(guard, ''))) {
    if ((await ageMs(guard)) > BREAKING_MS) await rm(guard, { force: true })
    return sleep(RETRY_MS)
  }
  try {
    if (await isAbandoned(path)) await rm(path, { force: true })
  } finally {
    await rm(guard, { force: true })
  }
}

/** 0 where there is none any more. */
function ageMs(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  )
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM' // it is there, and another user's
  }
}

function busy(path: string, holder: string): LarmorError {
  return new LarmorError({
    kind: 'cohort.busy',
    message: 'Another larmor is writing to this cohort.',
    where: path,
    found: `a lock of process ${holder.trim() || 'unknown'}`,
    expected: `to get it within ${PATIENCE_MS / 1000} s`,
    fix: 'Wait until the other command has ended; if there is none, remove this file.',
  })
}
