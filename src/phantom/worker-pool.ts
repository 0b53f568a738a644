/** One patient in a thread of its own, for as many at a time as there are cores. */
import { Worker } from 'node:worker_threads'
import { LarmorError } from '../errors.ts'
import type { Fault } from '../errors.ts'
import type { Event, Report } from '../progress.ts'
import type { MadePatient, PatientOptions } from './patient-options.ts'

/** What the thread says. */
export type Told = { made: MadePatient } | { fault: Fault } | { event: Event }
export type Work = { options: PatientOptions; n: number }

/** @throws what making the patient throws; the thread ends, and leaves nothing half written, when `signal` says so */
export function madeInWorker(
  options: PatientOptions,
  n: number,
  report: Report,
  signal: AbortSignal | undefined,
): Promise<MadePatient> {
  const workerData: Work = { options, n }
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData })
  // A thread's port has no origin to name: the rule is about windows.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  const stop = (): void => worker.postMessage('stop')
  signal?.addEventListener('abort', stop)
  const ended = new Promise<MadePatient>((resolve, reject) => {
    worker.on('message', (told: Told) => {
      if ('event' in told) report(told.event)
      else if ('fault' in told) reject(new LarmorError(told.fault))
      else resolve(told.made)
    })
    worker.on('error', reject)
    worker.on('exit', (code) => reject(new Error(`the thread of patient ${n} ended with ${code}, without a result`)))
  })
  return ended.finally(() => signal?.removeEventListener('abort', stop))
}
