/**
 * One piece of work over many cases: here, one after the other, or several at a time in worker threads.
 *
 * For work that is long and shares nothing. A module that does it in a thread is a file of its own, which calls `serve`.
 */
import { parentPort, Worker, type Transferable } from 'node:worker_threads'
import type { Fault } from './errors.ts'
import { LarmorError, throwIfAborted } from './errors.ts'

/** Tasks and results are plain data, which can go from thread to thread. */
export type Work<T, R> = {
  /** As it says itself where it was interrupted. */
  readonly name: string
  readonly here: (task: T, signal: AbortSignal | undefined) => Promise<R>
  /** The file that calls `serve` with the same work. */
  readonly module: URL
}

/**
 * Hands on what came of each task in the order in which they finish: the result, or the typed error it ended with.
 * @param jobs  at a time; one is done here
 * @throws interrupted, any other error than a LarmorError of a task, and what `settled` throws; the threads are gone then
 */
export async function overCases<T, R>(
  work: Work<T, R>,
  tasks: readonly T[],
  { jobs = 1, signal }: { jobs?: number | undefined; signal?: AbortSignal | undefined },
  settled: (task: T, result: R | LarmorError) => void | Promise<void>,
): Promise<void> {
  const waiting = [...tasks]
  const workers: Worker[] = []
  const next = async (): Promise<void> => {
    const worker = jobs > 1 ? new Worker(work.module) : undefined
    if (worker) workers.push(worker)
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
      throwIfAborted(signal, work.name)
      const result = worker ? inWorker(worker, work, task, signal) : work.here(task, signal)
      await settled(task, await result.catch(typed))
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(jobs, tasks.length) }, next))
  } finally {
    waiting.length = 0
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

/** @throws what is no LarmorError of the task, and interrupted */
function typed(error: unknown): LarmorError {
  if (error instanceof LarmorError && error.fault.kind !== 'interrupted') return error
  throw error
}

async function inWorker<T, R>(
  worker: Worker,
  { name }: Work<T, R>,
  task: T,
  signal: AbortSignal | undefined,
): Promise<R> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer<R>>()
  const stop = (): void => {
    try {
      throwIfAborted(signal, name)
    } catch (error) {
      reject(error)
    }
  }
  signal?.addEventListener('abort', stop)
  worker.once('message', resolve)
  worker.once('error', reject)
  worker.postMessage(task, [])
  try {
    const answer = await promise
    if ('result' in answer) return answer.result
    throw 'fault' in answer ? new LarmorError(answer.fault) : new Error(answer.crash)
  } finally {
    signal?.removeEventListener('abort', stop)
    worker.removeListener('message', resolve)
    worker.removeListener('error', reject)
  }
}

/** What comes back from a worker: a result, or what was thrown. */
type Answer<R> = { result: R } | { fault: Fault } | { crash: string }

/** In a worker's module: does each task that comes in. `transfer` names buffers that need no copy. */
export function serve(work: (task: never) => Promise<{ result: unknown; transfer?: readonly Transferable[] }>): void {
  const port = parentPort
  port?.on('message', (task: unknown) => {
    work(task as never).then(
      ({ result, transfer = [] }) => port.postMessage({ result }, [...transfer]),
      (error: unknown) => port.postMessage(answerOf(error), []),
    )
  })
}

function answerOf(error: unknown): Answer<never> {
  if (error instanceof LarmorError) return { fault: error.fault }
  return { crash: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}
