/** Training in a process of its own, so that the command stays responsive and the allocator suits the work. */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { LarmorError } from '../errors.ts'
import type { Report } from '../progress.ts'
import { ENGINE_ENVIRONMENT } from '../tensor/index.ts'
import type { ToChild, ToParent } from './messages.ts'
import type { RunRecord } from './run-record-schema.ts'
import { LESS_MEMORY } from './advice.ts'
import type { TrainJob } from './job.ts'
import type { Trial } from './trial.ts'

/** Ctrl-C is answered within two seconds: a step that takes longer ends in the background. */
const ANSWER_WITHIN_MS = 1500

/**
 * As `train`, elsewhere. The signal asks the process to stop between two steps; where its step takes longer than a person
 * waits, this ends first, and the process saves its checkpoint and ends by itself.
 * @throws what `train` throws; what `endedAlone` makes of a process that was killed
 */
export async function launchTraining(job: TrainJob, context: LaunchContext): Promise<RunRecord> {
  const answer = await inProcess({ tell: 'train', job }, context)
  if (answer.tell !== 'done') throw new Error('the training process tried what it was to train')
  return answer.record
}

/** As `dryRun`, elsewhere. */
export async function launchDryRun(job: TrainJob, context: LaunchContext): Promise<Trial> {
  const answer = await inProcess({ tell: 'dry-run', job }, context)
  if (answer.tell !== 'tried') throw new Error('the training process trained what it was to try')
  return answer.trial
}

type LaunchContext = { report: Report; signal: AbortSignal; environment: NodeJS.ProcessEnv }
type Answer = Extract<ToParent, { tell: 'done' | 'tried' }>

async function inProcess(
  order: Extract<ToChild, { job: TrainJob }>,
  { report, signal, environment }: LaunchContext,
): Promise<Answer> {
  const { job } = order
  const child = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), {
    // Structured clones: NaN and infinity arrive as they are, where JSON would make null of them.
    serialization: 'advanced',
    execArgv: [],
    env: { ...environment, ...ENGINE_ENVIRONMENT },
  })
  const ask = (message: ToChild): void => {
    if (child.connected) child.send(message)
  }
  let giveUp: NodeJS.Timeout | undefined
  const tooLong = Promise.withResolvers<never>()
  const onAbort = (): void => {
    ask({ tell: 'stop' })
    giveUp = setTimeout(() => {
      child.removeAllListeners()
      if (order.tell === 'dry-run') {
        child.kill('SIGKILL') // it writes nothing
        return tooLong.reject(interruptedTrial(job.storeDir))
      }
      if (child.connected) child.disconnect()
      child.unref()
      tooLong.reject(stillSaving(job.runDir, child.pid))
    }, ANSWER_WITHIN_MS)
  }
  signal.addEventListener('abort', onAbort)
  try {
    const outcome = outcomeOf(child, job, report)
    ask(order)
    if (signal.aborted) onAbort()
    return await Promise.race([outcome, tooLong.promise])
  } finally {
    clearTimeout(giveUp)
    signal.removeEventListener('abort', onAbort)
  }
}

function outcomeOf(child: ChildProcess, job: TrainJob, report: Report): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let told = false
    child.on('message', (message: ToParent) => {
      if (message.tell === 'event') return report(message.event)
      told = true
      switch (message.tell) {
        case 'done':
        case 'tried':
          return resolve(message)
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
      if (!told) reject(endedAlone(job, code, signal))
    })
  })
}

function interruptedTrial(storeDir: string): LarmorError {
  return new LarmorError({
    kind: 'interrupted',
    message: 'Interrupted.',
    where: `The dry run on ${storeDir}`,
    found: 'a request to stop',
    expected: 'the end of the work',
    fix: 'Run it again; nothing was written.',
  })
}

function stillSaving(runDir: string, pid: number | undefined): LarmorError {
  return new LarmorError({
    kind: 'interrupted',
    message: 'Interrupted. The step at work is finished in the background.',
    where: runDir,
    found: 'a request to stop',
    expected: `process ${pid} to save its checkpoint and end by itself, after this step`,
    fix: 'Then go on with --resume; until then that is refused.',
  })
}

/** A process that was killed could say nothing: the signal tells what most likely happened. */
function endedAlone({ runDir, storeDir }: TrainJob, code: number | null, signal: NodeJS.Signals | null): Error {
  const shared = { expected: 'a result', found: `killed by ${signal}` }
  // The system kills; Node aborts or traps where a tensor has left its own heap no room.
  if (signal === 'SIGKILL' || signal === 'SIGABRT' || signal === 'SIGTRAP')
    return new LarmorError({
      ...shared,
      kind: 'machine.outOfMemory',
      message: 'The training process was killed: when memory runs out, the system or Node itself does that.',
      where: runDir,
      fix: `If it was memory, try ${LESS_MEMORY}; else go on with --resume: the last checkpoint is there.`,
    })
  // Stored slices are mapped into memory: reading where a file has been cut off is a bus error.
  if (signal === 'SIGBUS')
    return new LarmorError({
      ...shared,
      kind: 'store.damaged',
      message: 'A file that training reads was cut short or vanished.',
      where: storeDir,
      fix: 'Check that store and its disk, then go on with --resume: the last checkpoint is there.',
    })
  const how = signal ? `was killed by ${signal}` : `ended with code ${code} and no word`
  return new Error(`The training process in ${runDir} ${how}. --resume goes on from its last checkpoint.`)
}
