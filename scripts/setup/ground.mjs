/** What the parts of the set-up share: places, running programs, problems in five fields. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const project = fileURLToPath(new URL('../..', import.meta.url))
/** What belongs to this checkout: which engine is used. */
export const projectCache = join(project, '.cache')

/** Something that a person must help with; printed in the same five fields as every error of larmor. */
export class Problem extends Error {
  constructor(fields) {
    super(fields.message)
    this.fields = fields
  }
  lines() {
    const { message, where, found, expected, fix } = this.fields
    return [message, `  where     ${where}`, `  found     ${found}`, `  expected  ${expected}`, `  do        ${fix}`]
  }
}

/** Progress is for a person: standard error, so that a command's standard output stays its own. */
export function say(line) {
  console.error(`set-up: ${line}`)
}

/**
 * Runs a program to its end: whether it succeeded, what it wrote, and the last lines of that for an error message.
 * A program that is not there has not succeeded.
 */
export function run(program, parameters, options = {}) {
  const done = spawnSync(program, parameters, { encoding: 'utf8', maxBuffer: 1 << 28, ...options })
  const written = `${done.stdout ?? ''}${done.stderr ?? ''}`.trim() || (done.error?.message ?? '')
  return { ok: done.status === 0, output: (done.stdout ?? '').trim(), tail: written.split('\n').slice(-6).join(' | ') }
}

export function isRoot() {
  return process.getuid?.() === 0
}

function writable(folder) {
  try {
    mkdirSync(folder, { recursive: true })
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

const userCache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'larmor')

/** Where an earlier set-up, of this checkout or another, may have left something. */
export const caches = [userCache, projectCache]

/** Where large things go: the user's cache, which all checkouts share, or this checkout's where that is closed. */
export function cacheFolder(name) {
  const folder = join(writable(userCache) ? userCache : projectCache, name)
  makeFolder(folder)
  sweep(folder)
  return folder
}

export function makeFolder(folder) {
  try {
    mkdirSync(folder, { recursive: true })
  } catch (error) {
    throw asProblem(error, folder)
  }
}

/** A name for something unfinished; whoever finds it can tell whether its maker is still at work. */
export function temporaryName() {
  return `.tmp-${process.pid}-${++temporaries}`
}
let temporaries = 0

/** Removes what an interrupted set-up left unfinished. */
function sweep(folder) {
  for (const name of readdirSync(folder)) {
    const pid = /^\.tmp-(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && !isRunning(Number(pid))) rmSync(join(folder, name), { recursive: true, force: true })
  }
}

export function isRunning(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code !== 'ESRCH' // EPERM: it runs, as another user
  }
}

/** Makes `path` with `make(temporaryPath)`, then renames: whoever reads sees all of it or nothing. */
export function makeAtomic(path, make) {
  const temporary = join(dirname(path), temporaryName())
  try {
    make(temporary)
    renameSync(temporary, path)
  } catch (error) {
    // ENOTEMPTY: another set-up made the same folder meanwhile, which is as good.
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw asProblem(error, path)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

export function writeAtomic(path, text) {
  makeAtomic(path, (temporary) => writeFileSync(temporary, text))
}

function asProblem(error, path) {
  const words = {
    ENOSPC: 'The disk is full.',
    EDQUOT: 'The disk quota is used up.',
    EACCES: 'A folder is closed.',
    EROFS: 'A folder is closed.',
  }
  if (!(error.code in words)) return error
  return new Problem({
    message: words[error.code],
    where: `Writing ${path}`,
    found: error.code,
    expected: 'about 1 GB of space in a folder that this user may write to',
    fix: 'Free some space or set XDG_CACHE_HOME to another folder, then run again: npm run setup',
  })
}
