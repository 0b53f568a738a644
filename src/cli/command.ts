/**
 * What a command is: words for the person who types it, a schema for what was typed, and one function.
 * A command is wiring: it calls rooms and returns what to print; it computes nothing and prints nothing itself.
 */
import type { z } from 'zod'
import type { Report } from '../progress.ts'

/** What every command gets besides its own options. */
export type Context = {
  report: Report
  signal: AbortSignal
  seed: number
  /** The seed as typed; undefined where it is the default. */
  seedAsked?: number | undefined
  threads: number
  device: 'cpu' | 'cuda'
}

/** `json` is the one object that --json prints; `text` is what a person reads; `exitCode` 5 = some were refused. */
export type Outcome = { json: Record<string, unknown>; text: string; exitCode?: 0 | 3 | 5 }

export type Command<Options extends z.ZodObject = z.ZodObject> = {
  name: string
  summary: string
  /** Positional arguments in commander's words, each with its explanation: ['<ct...>', 'the CT …']. */
  arguments: readonly (readonly [string, string])[]
  /** Flags in commander's words: ['--model <model>', 'the model package']. */
  flags: readonly (readonly [string, string])[]
  /** Checked after parsing; keys are the camel-case names of arguments and flags. Strict: an unknown one is refused. */
  options: Options
  /** Whether it can compute on a GPU; where not, --device cuda is refused, never passed over. */
  cuda?: true
  run(options: z.infer<Options>, context: Context): Promise<Outcome>
}

/** Keeps the type of the options between schema and `run`. */
export function command<Options extends z.ZodObject>(definition: Command<Options>): Command<Options> {
  return definition
}
