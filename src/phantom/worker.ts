/** The thread that worker-pool.ts starts: makes one patient, says what happened, and ends. */
import { parentPort, workerData } from 'node:worker_threads'
import { LarmorError } from '../errors.ts'
import { makePatient } from './make-patients.ts'
import type { Told, Work } from './worker-pool.ts'

// Written by worker-pool.ts in the same process.
const { options, n } = workerData as Work
const port = parentPort!
const stop = new AbortController()
port.on('message', () => stop.abort())
const tell = (told: Told): void => port.postMessage(told)

try {
  tell({ made: await makePatient(options, n, (event) => tell({ event }), stop.signal) })
} catch (error) {
  if (!(error instanceof LarmorError)) throw error
  tell({ fault: error.fault })
} finally {
  port.close()
}
