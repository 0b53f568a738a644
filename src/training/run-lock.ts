/** One training process a run folder. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { LarmorError } from '../errors.ts'
import { asDiskFault } from '../files.ts'
import { lockHolder, tryLock, type Holder, type Lock } from '../lock.ts'

const pathOf = (runDir: string): string => join(runDir, 'run.lock')

/** Makes the folder where there is none. @throws usage.outputExists  another process is training in this folder */
export async function lockRun(runDir: string): Promise<Lock> {
  await mkdir(runDir, { recursive: true }).catch((error: unknown) => {
    throw asDiskFault(error, runDir)
  })
  const lock = await tryLock(pathOf(runDir))
  if ('release' in lock) return lock
  throw inUse(runDir, lock)
}

/** The process that trains in this folder now; undefined where none does. */
export async function runHolder(runDir: string): Promise<Holder | undefined> {
  return lockHolder(pathOf(runDir))
}

function inUse(runDir: string, { pid, host }: Holder): LarmorError {
  return new LarmorError({
    kind: 'usage.outputExists',
    message: 'A training is already at work in this run folder.',
    where: runDir,
    found: `process ${pid ?? 'unknown'} on ${host}`,
    expected: 'no other training',
    fix: `Wait for it, or end it with Ctrl-C in its terminal; or choose another --run. If there is none, remove ${pathOf(runDir)}.`,
  })
}
