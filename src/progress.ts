/**
 * Progress is data: a computation reports events and neither prints nor knows who listens.
 * The terminal draws them (cli/render.ts), the run folder keeps them, a test collects them in an array.
 */
import type { Fault } from './errors.ts'
import { throwIfAborted } from './errors.ts'

export type Event =
  /** A part of a longer command begins: 'registering', 'training stage 1'. */
  | { at: 'stage'; name: string }
  /** `done` of `of` units of one task; reported often, the renderer thins them out. */
  | { at: 'progress'; task: string; done: number; of: number; unit: string }
  /** A fact that a person should read: what was chosen and why, what was left out. */
  | { at: 'note'; message: string }
  | { at: 'case.done'; caseId: string; message: string }
  | { at: 'case.refused'; caseId: string; fault: Fault }
  | {
      at: 'train.step'
      step: number
      of: number
      losses: Record<string, number>
      imagesPerSecond: number
      remainingSeconds: number
    }
  | { at: 'train.validation'; step: number; scores: Record<string, number> }
  | { at: 'train.checkpoint'; step: number; path: string }

export type Report = (event: Event) => void

/** For callers who do not listen. */
export const silent: Report = () => {}

/** A long computation that can be left between two steps; each takes a part of a second at most. */
export type Steps<T> = Generator<void, T>

/** All steps at once, for callers whose work is short. */
export function toTheEnd<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/**
 * Lets the event loop turn once, between two pieces of work that block it.
 * @throws interrupted
 */
export async function pause(where: string, signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve))
  throwIfAborted(signal, where)
}

/**
 * All steps, while the event loop turns between them, so that Ctrl-C is heard and progress is drawn.
 * @throws interrupted, and what a step throws
 */
export async function listening<T>(steps: Steps<T>, where: string, signal: AbortSignal | undefined): Promise<T> {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    await pause(where, signal)
  }
}
