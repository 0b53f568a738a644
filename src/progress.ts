/**
 * Progress is data: a computation reports events and neither prints nor knows who listens.
 * The terminal draws them (cli/render.ts), the run folder keeps them, a test collects them in an array.
 */
import type { Fault } from './errors.ts'

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
