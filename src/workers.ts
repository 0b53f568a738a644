/**
 * One piece of work over many cases: here, one after the other, or several at a time in worker threads.
 *
 * For work that is long and shares nothing. A module that does it in a thread is a file of its own, which calls `serve`.
 * A thread that is to stop is asked to, as work that is done here would be: what it writes is whole or not there.
 */
import { parentPort, Worker, type Transferable } from 'node:worker_threads'
import type { Fault } from './errors.ts'
import { LarmorError, throwIfAborted } from './errors.ts'
import { silent, type Event, type Report } from './progress.ts'

/** What work may use: it listens to `signal`, and tells `report` how far it is. */
export type Listening = { readonly signal?: AbortSignal | undefined; readonly report: Report }

/** Tasks and results are plain data, which can go from thread to thread. */
export type Work<T, R> = {
  /** As it says itself where it was interrupted. */
  readonly name: string
  readonly here: (task: T, listening: Listening) => Promise<R>
  /** The file that calls `serve` with the same work. */
  readonly module: URL
}

/**
 * Hands on what came of each task in the order in which they finish: the result, or the typed error it ended with.
 * @param jobs  at a time; one is done here
 * @throws interrupted, any other error than a LarmorError of a task, and what `settled` throws; no thread is left then
 */
export async function overCases<T, R>(
  work: Work<T, R>,
  tasks: readonly T[],
  {
    jobs = 1,
    signal,
    report = silent,
  }: { jobs?: number | undefined; signal?: AbortSignal | undefined; report?: Report },
  settled: (task: T, result: R | LarmorError) => void | Promise<void>,
): Promise<void> {
  const waiting = [...tasks]
  const failed = new AbortController()
  const listening = { signal: signal ? AbortSignal.any([signal, failed.signal]) : failed.signal, report }
  const lane = async (): Promise<void> => {
    const worker = jobs > 1 ? new Worker(work.module) : undefined
    try {
      for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
        throwIfAborted(listening.signal, work.name)
        const result = worker ? inWorker<R>(worker, task, listening) : work.here(task, listening)
        await settled(task, await result.catch(typed))
      }
    } catch (error) {
      failed.abort()
      throw error
    } finally {
      await worker?.terminate()
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(jobs, tasks.length) }, lane))
  const reasons = lanes.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
  // Those that were stopped because another failed say no more than that.
  const first = reasons.find((reason) => !isInterrupted(reason)) ?? reasons[0]
  if (first !== undefined) throw first
}

/** @throws what is no LarmorError of the task, and interrupted */
function typed(error: unknown): LarmorError {
  if (error instanceof LarmorError && !isInterrupted(error)) return error
  throw error
}

function isInterrupted(error: unknown): boolean {
  return error instanceof LarmorError && error.fault.kind === 'interrupted'
}

/** What comes back from a worker: how far it is, a result, or what was thrown. */
type Answer<R> = { event: Event } | { result: R } | { fault: Fault } | { crash: string }
/** What goes to it. */
type Asked = { task: unknown } | 'stop'

async function inWorker<R>(worker: Worker, task: unknown, { signal, report }: Listening): Promise<R> {
  const { promise, resolve, reject } = Promise.withResolvers<R>()
  const ask = (asked: Asked): void => worker.postMessage(asked, [])
  const stop = (): void => ask('stop')
  const hear = (answer: Answer<R>): void => {
    if ('event' in answer) report(answer.event)
    else if ('result' in answer) resolve(answer.result)
    else reject('fault' in answer ? new LarmorError(answer.fault) : new Error(answer.crash))
  }
  signal?.addEventListener('abort', stop)
  worker.on('message', hear)
  worker.once('error', reject)
  ask({ task })
  try {
    return await promise
  } finally {
    signal?.removeEventListener('abort', stop)
    worker.removeListener('message', hear)
    worker.removeListener('error', reject)
  }
}

type Served = { result: unknown; transfer?: readonly Transferable[] }

/** In a worker's module: does each task that comes in. `transfer` names buffers that need no copy. */
export function serve(work: (task: never, listening: Listening) => Promise<Served>): void {
  const port = parentPort
  const stopped = new AbortController()
  const report: Report = (event) => port?.postMessage({ event } satisfies Answer<never>, [])
  port?.on('message', (asked: Asked) => {
    if (asked === 'stop') return stopped.abort()
    work(asked.task as never, { signal: stopped.signal, report }).then(
      ({ result, transfer = [] }) => port.postMessage({ result }, [...transfer]),
      (error: unknown) => port.postMessage(answerOf(error), []),
    )
  })
}

function answerOf(error: unknown): Answer<never> {
  if (error instanceof LarmorError) return { fault: error.fault }
  return { crash: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}
