/**
 * One writer of a cohort at a time. The lock is held for moments (to read, change and write one small file), so others
 * wait for it.
 */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { LarmorError } from '../errors.ts'
import { tryLock, type Holder, type Lock } from '../lock.ts'

const RETRY_MS = 25
const PATIENCE_MS = 30_000

/** @throws cohort.busy  another writer has held the lock for half a minute */
export async function withLock<T>(path: string, body: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true })
  const lock = await waitedFor(path)
  try {
    return await body()
  } finally {
    await lock.release()
  }
}

async function waitedFor(path: string): Promise<Lock> {
  const giveUpAt = Date.now() + PATIENCE_MS
  for (;;) {
    const lock = await tryLock(path)
    if ('release' in lock) return lock
    if (Date.now() > giveUpAt) throw busy(path, lock)
    await sleep(RETRY_MS)
  }
}

function busy(path: string, { pid, host }: Holder): LarmorError {
  return new LarmorError({
    kind: 'cohort.busy',
    message: 'Another larmor is writing to this cohort.',
    where: path,
    found: `a lock of process ${pid ?? 'unknown'} on ${host}`,
    expected: `to get it within ${PATIENCE_MS / 1000} s`,
    fix: 'Wait until the other command has ended; if there is none, remove this file.',
  })
}
