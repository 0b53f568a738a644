/** A parent for the tests that kill: trains in its own child process as `larmor train` does. Argument: the job as JSON. */
import { launchTraining, type TrainJob } from '../../src/training/index.ts'

const job = JSON.parse(process.argv[2]!) as TrainJob
await launchTraining(job, {
  report: (event) => event.at === 'train.step' && process.stdout.write(`step ${event.step}\n`),
  signal: new AbortController().signal,
  environment: process.env,
})
