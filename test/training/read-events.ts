/** The events of each file as an independent reader sees them (read_events.py); needs python3. */
import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export type ReadEvent = {
  wall: number
  step: number
  version?: string
  scalars: Record<string, number>
  images: Record<string, { height: number; width: number; channels: number; sha256: string }>
}

export const hasPython = spawnSync('python3', ['--version']).status === 0

export function readEvents(...paths: string[]): ReadEvent[][] {
  const program = fileURLToPath(new URL('./read_events.py', import.meta.url))
  return JSON.parse(execFileSync('python3', [program, ...paths], { encoding: 'utf8' })) as ReadEvent[][]
}
