/** Folders that appear whole or not at all: written under a temporary name beside the target, then renamed. */
import { mkdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { LarmorError } from '../../errors.ts'
import { asDiskFault, refuseFilled } from '../../files.ts'

/**
 * Calls `write` with an empty temporary folder and renames that to `folder` when it is done.
 * Whatever `write` throws, nothing of it is left behind.
 * @throws usage.outputExists  the folder is there and not empty, or another process put it there meanwhile
 * @throws machine.diskFull, machine.noPermission
 */
export async function writeFolderWhole(folder: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const target = resolve(folder)
  await refuseFilled(target)
  const temporary = join(dirname(target), `.${basename(target)}.tmp-${process.pid}-${++folders}`)
  try {
    await mkdir(temporary, { recursive: true })
    await write(temporary)
    await rename(temporary, target).catch((error: unknown) => {
      throw asTaken(error, target)
    })
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {}) // the first error is the one to tell
    throw asDiskFault(error, target)
  }
}
let folders = 0

/** What a rename says where something stands in its way; any other error is returned as it is. */
const IN_THE_WAY = new Set<unknown>(['ENOTEMPTY', 'EEXIST', 'ENOTDIR'])
function asTaken(error: unknown, folder: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (!IN_THE_WAY.has(code)) return error
  return new LarmorError(
    {
      kind: 'usage.outputExists',
      message: 'Something has appeared in the output folder meanwhile.',
      where: folder,
      found: code === 'ENOTDIR' ? 'a file of this name' : 'a folder of this name, with files in it',
      expected: 'none, as at the start: nothing is overwritten',
      fix: 'Look whether another larmor writes the same output; if so, let it finish, or choose another output folder.',
    },
    error,
  )
}

/** Files that are flushed to the disk at one time: alone, each would wait for the disk by itself. */
const WRITTEN_TOGETHER = 32

/** Writes `count` files, some of them at a time; `write` is called with 0, 1, 2 … */
export async function writeTogether(count: number, write: (index: number) => Promise<void>): Promise<void> {
  for (let first = 0; first < count; first += WRITTEN_TOGETHER) {
    const last = Math.min(count, first + WRITTEN_TOGETHER)
    const written = await Promise.allSettled(Array.from({ length: last - first }, (_, n) => write(first + n)))
    for (const one of written) if (one.status === 'rejected') throw one.reason
  }
}
