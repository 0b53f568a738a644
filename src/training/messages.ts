/** What parent and training process tell one another; plain data. */
import type { Fault } from '../errors.ts'
import type { Event } from '../progress.ts'
import type { RunRecord } from './run-record-schema.ts'
import type { TrainJob } from './job.ts'
import type { Trial } from './trial.ts'

export type ToChild = { tell: 'train' | 'dry-run'; job: TrainJob } | { tell: 'stop' }
export type ToParent =
  | { tell: 'event'; event: Event }
  | { tell: 'done'; record: RunRecord }
  | { tell: 'tried'; trial: Trial }
  | { tell: 'fault'; fault: Fault }
  | { tell: 'bug'; stack: string }
