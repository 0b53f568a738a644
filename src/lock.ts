/**
 * Lock files: one holder at a time, across processes and across machines that share a disk.
 *
 * Signed   with the holder's process, its machine, and when that process started, which a later one of its number does not share.
 * Void     when that process is gone; when nobody has signed for some seconds (it died between making and signing the file);
 *          or, of another machine, whose processes cannot be seen, when it was not touched for ten minutes.
 */
import { open, readFile, rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { asDiskFault } from './files.ts'

/** The process is not known while its signature is still to come. */
export type Holder = { pid: number | undefined; host: string }
export type Lock = { release(): Promise<void> }

const RETRY_MS = 25
/** To sign takes no longer, nor to take a void lock away, which is itself guarded by a file. */
const SIGNING_MS = 5_000
const TOUCHED_EVERY_MS = 60_000
const UNTOUCHED_MS = 600_000

/** The lock, to be released; or who holds it. @throws machine.diskFull, machine.noPermission */
export async function tryLock(path: string): Promise<Lock | Holder> {
  const mine = `${process.pid} ${hostname()} ${await startedAt(process.pid)}\n`
  while (!(await createExclusively(path, mine))) {
    const holder = await lockHolder(path)
    if (holder) return holder
    await takeAway(path)
  }
  const touching = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), TOUCHED_EVERY_MS)
  touching.unref()
  const release = async (): Promise<void> => {
    clearInterval(touching)
    if ((await readFile(path, 'utf8').catch(() => '')) === mine) await rm(path, { force: true })
  }
  return { release }
}

/** Who holds the lock now; undefined where nobody does. */
export async function lockHolder(path: string): Promise<Holder | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const [pid, host, started] = text.trim().split(' ')
  if (!pid) return (await ageMs(path)) > SIGNING_MS ? undefined : { pid: undefined, host: 'some machine' }
  const holder = { pid: Number(pid), host: host ?? 'an unknown machine' }
  if (host !== hostname()) return (await ageMs(path)) > UNTOUCHED_MS ? undefined : holder
  const isThere = isAlive(holder.pid) && (started === undefined || started === (await startedAt(holder.pid)))
  return isThere ? holder : undefined
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM' // it is there, and another user's
  }
}

/** In clock ticks; 'unknown' where the system does not say. */
async function startedAt(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? 'unknown'
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

/** Only one process may take a lock away, and only if it is still void then: it may have a new holder by now. */
async function takeAway(path: string): Promise<void> {
  const guard = `${path}.breaking`
  if (!(await createExclusively(guard, ''))) {
    if ((await ageMs(guard)) > SIGNING_MS) await rm(guard, { force: true })
    return sleep(RETRY_MS)
  }
  try {
    if (!(await lockHolder(path))) await rm(path, { force: true })
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
