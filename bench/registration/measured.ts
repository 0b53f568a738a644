/** What a program costs: GNU time's figures of the process and its children. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Cost = { readonly cpuSeconds: number; readonly wallSeconds: number; readonly peakMb: number }

/** @throws Error  it ended with another code than 0 or 3 (a registration that is rejected), or GNU time is missing */
export function measured(program: string, args: readonly string[]): Cost {
  const folder = mkdtempSync(join(tmpdir(), 'larmor-time-'))
  const file = join(folder, 'time')
  const began = performance.now()
  const format = ['-o', file, '-f', '%U %S %M']
  const { status, stderr, error } = spawnSync('/usr/bin/time', [...format, program, ...args], { encoding: 'utf8' })
  const wallSeconds = (performance.now() - began) / 1000
  if (error) throw new Error('/usr/bin/time (GNU time) could not be run', { cause: error })
  if (status !== 0 && status !== 3) throw new Error(`${program} ended with ${status}: ${stderr.slice(-2000)}`)
  const [user, system, kilobytes] = readFileSync(file, 'utf8').trim().split('\n').at(-1)!.split(' ').map(Number)
  rmSync(folder, { recursive: true })
  return { cpuSeconds: user! + system!, wallSeconds, peakMb: kilobytes! / 1024 }
}

export function addedUp(a: Cost, b: Cost): Cost {
  return {
    cpuSeconds: a.cpuSeconds + b.cpuSeconds,
    wallSeconds: a.wallSeconds + b.wallSeconds,
    peakMb: Math.max(a.peakMb, b.peakMb),
  }
}
