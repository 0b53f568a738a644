/** One set-up at a time in a checkout: the second waits for the first and finds everything done. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isRunning, Problem, say } from './ground.mjs'

const LONGEST_WAIT_MS = 1_200_000

export function withLock(folder, body) {
  take(folder)
  try {
    return body()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function take(folder) {
  const deadline = Date.now() + LONGEST_WAIT_MS
  for (let waited = false; !tryTake(folder); waited = true) {
    if (isAbandoned(folder)) {
      rmSync(folder, { recursive: true, force: true })
      continue
    }
    if (!waited) say('another set-up is at work here: waiting for it')
    if (Date.now() > deadline) throw stuck(folder)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  }
}

/** mkdir either makes the folder or fails: no two processes can both make it. */
function tryTake(folder) {
  try {
    mkdirSync(folder)
    writeFileSync(join(folder, 'pid'), String(process.pid))
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

/** Its owner is no longer there: it was killed. */
function isAbandoned(folder) {
  let pid
  try {
    pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
  } catch {
    return false // just being made, or just released
  }
  return pid > 0 && !isRunning(pid)
}

function stuck(folder) {
  return new Problem({
    message: 'Another set-up does not end.',
    where: folder,
    found: 'a set-up that has been at work for 20 minutes',
    expected: 'its end',
    fix: `End it, or if there is none remove the folder: rm -r '${folder}'`,
  })
}
