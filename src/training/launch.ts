/** Training in a process of its own, so that the command stays responsive and the allocator suits the work. */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { LarmorError } from '../errors.ts'
import type { Report } from '../progress.ts'
import { ENGINE_ENVIRONMENT } from '../tensor/index.ts'
import type { ToChild, ToParent } from './messages.ts'
import type { RunRecord } from './run-record-schema.ts'
import type { TrainJob } from './train.ts'

/**
 * As `train`, elsewhere. The signal asks the process to stop between two steps.
 * @throws what `train` throws; `machine.outOfMemory` where the process was killed from outside
 */
export async function launchTraining(
  job: TrainJob,
  { report, signal, environment }: { report: Report; signal: AbortSignal; environment: NodeJS.ProcessEnv },
): Promise<RunRecord> {
  const child = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), {
    // Structured clones: NaN and infinity arrive as they are, where JSON would make null of them.
    serialization: 'advanced',
    execArgv: [],
    env: { ...environment, ...ENGINE_ENVIRONMENT },
  })
  const ask = (message: ToChild): void => {
    if (child.connected) child.send(message)
  }
  const onAbort = (): void => ask({ tell: 'stop' })
  signal.addEventListener('abort', onAbort)
  try {
    const outcome = outcomeOf(child, report)
    ask({ tell: 'train', job })
    if (signal.aborted) onAbort()
    return await outcome
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function outcomeOf(child: ChildProcess, report: Report): Promise<RunRecord> {
  return new Promise((resolve, reject) => {
    let told = false
    child.on('message', (message: ToParent) => {
      if (message.tell === 'event') return report(message.event)
      told = true
      switch (message.tell) {
        case 'done':
          return resolve(message.record)
        case 'fault':
          return reject(new LarmorError(message.fault))
        case 'bug':
          return reject(new Error(message.stack))
        default:
          return message satisfies never
      }
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (!told) reject(endedAlone(code, signal))
    })
  })
}

function endedAlone(code: number | null, signal: NodeJS.Signals | null): LarmorError {
  return new LarmorError({
    kind: 'machine.outOfMemory',
    message: 'The training process ended without a word.',
    where: 'The training process',
    found: signal ? `killed by ${signal}` : `exit code ${code}`,
    expected: 'a result',
    fix: 'If memory ran out, use a smaller batch or width in a new run; else go on with --resume: the last checkpoint is there.',
  })
}
