/**
 * Files: atomic writes, hashes, JSON with a schema.
 *
 * A file is written under a temporary name in its own folder, flushed to the disk, then renamed:
 * a reader sees the old content or the new one, never a part. So is a folder that must be whole.
 */
import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { LarmorError } from './errors.ts'
import type { z } from 'zod'

/** Writes `data` under `path`, all of it or nothing; makes the folder if it is not there.
 * @throws machine.diskFull, machine.noPermission, usage.outputExists (a file where a folder should be) */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  await writeChunksAtomic(path, [data])
}

/** As `writeFileAtomic`, from pieces: nothing larger than a piece is copied. */
export async function writeChunksAtomic(
  path: string,
  chunks: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.tmp-${process.pid}-${++writes}`)
  try {
    await mkdir(dirname(path), { recursive: true })
    const file = await open(temporary, 'w')
    try {
      for await (const chunk of chunks) await file.writeFile(chunk)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}) // nothing is there to remove: the first error is the one to tell
    throw asDiskFault(error, path)
  }
}
let writes = 0

/** Turns the operating system's word for a disk that is full, closed or in the way into a fault; any other error is returned as it is. */
export function asDiskFault(error: unknown, path: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    return new LarmorError(
      {
        kind: 'machine.diskFull',
        message: code === 'EFBIG' ? 'The system allows no file of this size.' : 'The disk is full.',
        where: `Writing ${path}`,
        found: code === 'EFBIG' ? 'a limit on the size of files' : 'no space left',
        expected: 'room for the file',
        fix:
          code === 'EFBIG'
            ? 'Raise the limit (ulimit -f) or use another disk, then run the same command again.'
            : 'Free some space, then run the same command again: what was finished is kept.',
      },
      error,
    )
  }
  // Node's recursive mkdir says ENOENT where the system said EROFS: it makes parents, so none can be missing.
  const ofMkdir = error instanceof Error && 'syscall' in error && error.syscall === 'mkdir'
  const noFolder = ofMkdir && code === 'ENOENT'
  if (noFolder || code === 'EACCES' || code === 'EROFS' || code === 'EPERM') {
    return new LarmorError(
      {
        kind: 'machine.noPermission',
        message: 'The file cannot be written.',
        where: `Writing ${path}`,
        found: noFolder ? 'no folder there, and none can be made' : code,
        expected: 'a folder that this user may write to',
        fix: 'Choose another output folder, or change the permissions.',
      },
      error,
    )
  }
  if (ofMkdir && (code === 'ENOTDIR' || code === 'EEXIST')) {
    return new LarmorError(
      {
        kind: 'usage.outputExists',
        message: 'A file stands where a folder should be.',
        where: `Writing ${path}`,
        found: 'a file on the way to it',
        expected: 'folders only, or nothing yet',
        fix: 'Choose another output folder, or move that file away.',
      },
      error,
    )
  }
  return error
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`)
}

/**
 * Reads a JSON file and checks it against its schema.
 * @throws input.notFound  no such file
 * @throws json.refused    not JSON, or not of this schema: every problem at once
 */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new LarmorError(
      {
        kind: 'input.notFound',
        message: 'A file is missing.',
        where: path,
        found: 'nothing that can be read',
        expected: 'a JSON file',
        fix: 'Check the path; if the command that writes this file was interrupted, run it again.',
      },
      error,
    )
  })
  return parseJson(text, path, schema)
}

/** @throws json.refused  with every problem at once */
export function parseJson<T>(text: string, where: string, schema: z.ZodType<T>): T {
  const refuse = (found: string, cause?: unknown): LarmorError =>
    new LarmorError(
      {
        kind: 'json.refused',
        message: 'A JSON file is not what it should be.',
        where,
        found,
        expected: 'the fields that this version of larmor writes',
        fix: 'If a newer larmor wrote it, use that one; if it was edited, mend the fields named here; else make it again.',
      },
      cause,
    )
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw refuse(`text that is not JSON (${error instanceof Error ? error.message : String(error)})`, error)
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  throw refuse(
    parsed.error.issues.map((issue) => `${issue.path.join('.') || 'top level'}: ${issue.message}`).join('; '),
  )
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
  return hash.digest('hex')
}

/**
 * The rule of every command that makes something new: it never writes over what is there. Those that go on with their
 * own work (import, register, plan, train --resume, phantom, synthesize) pass over what is finished instead.
 * @throws usage.outputExists  the folder is there and not empty; and as `requireWritableFolder`
 */
export async function refuseFilled(folder: string): Promise<void> {
  const inside = await readdir(folder).catch(() => [])
  if (inside.length === 0) return requireWritableFolder(folder)
  throw new LarmorError({
    kind: 'usage.outputExists',
    message: 'The output folder is in use.',
    where: folder,
    found: `${inside.length} files or folders in it`,
    expected: 'a folder that is empty or not there',
    fix: 'Choose another output folder, or move this one away.',
  })
}

/**
 * Calls `write` with an empty temporary folder beside `folder` and renames that to `folder` when it is done.
 * Whatever `write` throws, nothing of it is left behind.
 * @returns what `write` does
 * @throws usage.outputExists  the folder is there and not empty, or another process put it there meanwhile
 * @throws machine.diskFull, machine.noPermission
 */
export async function writeFolderWhole<T>(folder: string, write: (temporary: string) => Promise<T>): Promise<T> {
  const target = resolve(folder)
  await refuseFilled(target)
  const temporary = join(dirname(target), `.${basename(target)}.tmp-${process.pid}-${++writes}`)
  try {
    await mkdir(temporary, { recursive: true })
    const written = await write(temporary)
    await rename(temporary, target).catch((error: unknown) => {
      throw asTaken(error, target)
    })
    return written
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {}) // the first error is the one to tell
    throw asDiskFault(error, target)
  }
}

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

/**
 * Tells before long work that its result could not be written; tried, not asked, since permissions do not say all. Leaves nothing.
 * @throws machine.diskFull, machine.noPermission, usage.outputExists (a file where a folder should be)
 */
export async function requireWritableFolder(folder: string): Promise<void> {
  let made: string | undefined
  try {
    made = await mkdir(folder, { recursive: true })
    const probe = join(folder, `.probe.tmp-${process.pid}-${++writes}`)
    await writeFile(probe, 'x')
    await rm(probe)
  } catch (error) {
    throw asDiskFault(error, folder)
  } finally {
    if (made !== undefined) await removeEmpty(folder, made)
  }
}

/** From `folder` up to `top`, as far as they are empty: another command may have begun to write there. */
async function removeEmpty(folder: string, top: string): Promise<void> {
  for (let at = resolve(folder); at.startsWith(resolve(top)); at = dirname(at)) {
    const removed = await rmdir(at).then(
      () => true,
      () => false,
    )
    if (!removed) return
  }
}

/** The version in package.json: one place says it. */
export function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}
