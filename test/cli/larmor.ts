/** Runs the command line as a user does: a process of its own, an exit code, two streams. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export type Ended = { code: number | null; stdout: string; stderr: string; elapsedMs: number }

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** `onStderr` sees what was printed so far each time more arrives, with a way to send a signal. */
export function larmor(
  args: readonly string[],
  {
    onStderr,
    env,
  }: { onStderr?: (soFar: string, kill: (signal: NodeJS.Signals) => void) => void; env?: Record<string, string> } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now()
    const child = spawn(process.execPath, [main, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
      onStderr?.(stderr, (signal) => child.kill(signal))
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr, elapsedMs: performance.now() - startMs }))
  })
}
