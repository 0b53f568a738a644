/**
 * The training process: waits for its job, trains, tells its parent what happens, and ends.
 *
 * Ctrl-C in a terminal reaches every process of the group: here it is left to the parent, which asks for the stop.
 * If the parent is gone (the channel closes), the step at work is finished, a checkpoint written, and the process ends.
 */
import { LarmorError } from '../errors.ts'
import type { Report } from '../progress.ts'
import type { ToChild, ToParent } from './messages.ts'
import type { TrainJob } from './job.ts'
import { dryRun, train, type TrainContext } from './train.ts'

const stop = new AbortController()
process.on('SIGINT', () => {})
process.on('SIGTERM', () => stop.abort())
process.on('SIGHUP', () => stop.abort())
process.on('disconnect', () => stop.abort())
process.on('message', (message: ToChild) => {
  if (message.tell === 'stop') stop.abort()
  else void run(message.tell, message.job)
})

async function run(what: 'train' | 'dry-run', job: TrainJob): Promise<void> {
  try {
    const report: Report = (event) => tell({ tell: 'event', event })
    const context: TrainContext = { report, stop: stop.signal, environment: process.env }
    if (what === 'train') tell({ tell: 'done', record: await train(job, context) })
    else tell({ tell: 'tried', trial: await dryRun(job, context) })
  } catch (error) {
    if (error instanceof LarmorError) tell({ tell: 'fault', fault: error.fault })
    else tell({ tell: 'bug', stack: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }
  if (process.connected) process.disconnect()
}

/** After the parent is gone there is nobody to tell; the run folder says it all. */
function tell(message: ToParent): void {
  if (process.connected) process.send!(message, undefined, undefined, () => {})
}
