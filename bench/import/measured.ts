/** What a program took: by the clock, of the processors, and of memory at its peak. Linux, from /proc. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

export type Measured = { wallMs: number; cpuMs: number; peakMiB: number }

const EVERY_MS = 10

/** @throws Error  the program ended with another code than 0 */
export async function measured(program: string, parameters: readonly string[]): Promise<Measured> {
  const began = performance.now()
  const child = spawn(program, parameters, { stdio: ['ignore', 'ignore', 'pipe'] })
  let [cpuMs, peakMiB, complaint] = [0, 0, '']
  child.stderr.on('data', (data: Buffer) => (complaint = `${complaint}${data.toString()}`.slice(-2000)))
  const look = (): void => {
    try {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
      // Fields 14 to 17: of the process itself and of its children that have ended, in hundredths of a second.
      const now = [11, 12, 13, 14].reduce((sum, at) => sum + 10 * Number(fields[at]), 0)
      const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]
      cpuMs = Math.max(cpuMs, now)
      if (peak !== undefined) peakMiB = Math.max(peakMiB, Number(peak) / 1024)
    } catch {
      // it has just ended: what was seen last holds
    }
  }
  const timer = setInterval(look, EVERY_MS)
  const code = await new Promise<number | null>((resolve, reject) => child.on('close', resolve).on('error', reject))
  clearInterval(timer)
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${complaint}`)
  return { wallMs: performance.now() - began, cpuMs, peakMiB }
}
