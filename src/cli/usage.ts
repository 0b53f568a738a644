/**
 * Wrong usage in one form, whoever found it: commander (words it does not know) or a command's schema (values it refuses).
 * Every problem at once, each with the words that were typed.
 */
import type { CommanderError } from 'commander'
import type { z } from 'zod'
import { LarmorError } from '../errors.ts'
import type { Command } from './command.ts'

/** What commander does not understand, with its guess at what was meant. */
export function usageFault(error: CommanderError, commandName: string | undefined): LarmorError {
  const [problem = '', suggestion] = error.message.replace(/^error: /, '').split('\n')
  const nearest = /Did you mean (?:one of )?(.+?)\?/.exec(suggestion ?? '')?.[1]
  return wrong(commandName, problem.replace(/\.$/, ''), nearest === undefined ? undefined : `perhaps ${nearest}`)
}

/** What a command's schema refuses: each problem once, in the words that were typed. */
export function optionFault(definition: Command, issues: readonly z.core.$ZodIssue[], given: unknown): LarmorError {
  const problems = issues.map((issue) => problemOf(definition, issue, given))
  const joined = (side: 'found' | 'expected'): string => [...new Set(problems.map((one) => one[side]))].join('; ')
  return wrong(definition.name, joined('found'), joined('expected'))
}

function wrong(commandName: string | undefined, found: string, expected?: string): LarmorError {
  const typed = commandName === undefined ? 'larmor' : `larmor ${commandName}`
  return new LarmorError({
    kind: 'usage.wrong',
    message: 'The command was not understood.',
    where: typed,
    found,
    expected: expected ?? `what ${typed} --help lists`,
    fix: `Run: ${typed} --help`,
  })
}

type Problem = { found: string; expected: string }

function problemOf(definition: Command, issue: z.core.$ZodIssue, given: unknown): Problem {
  const [key] = issue.path
  if (key === undefined) return { found: 'options that do not go together', expected: issue.message }
  const form = formOf(definition, String(key))
  const name = form.replace(/ .*/, '')
  const value = valueAt(given, issue.path)
  if (value === undefined) return { found: `no ${name}`, expected: form }
  return { found: `${name} ${value}`, expected: `${name} ${wished(issue)}` }
}

/** As --help shows it: `<stage>` of an argument, `--slice-size <pixels>` of an option. */
function formOf({ arguments: positional, flags }: Command, key: string): string {
  const long = `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
  const argument = positional.map(([form]) => form).find((form) => form.replaceAll(/[<>[\].]/g, '') === key)
  const flag = flags.map(([form]) => form.replace(/^-\w, /, '')).find((form) => form.split(' ')[0] === long)
  return argument ?? flag ?? long
}

/** Words as typed; undefined where there is none. */
function valueAt(given: unknown, path: readonly PropertyKey[]): string | undefined {
  const value = path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? new Map(Object.entries(at)).get(String(key)) : at),
    given,
  )
  return value === undefined || typeof value === 'string' ? value : JSON.stringify(value)
}

function wished(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'int' ? 'a whole number' : `a ${issue.expected}`
    case 'too_small':
      return `${issue.inclusive === false ? 'above' : 'at least'} ${issue.minimum}`
    case 'too_big':
      return `at most ${issue.maximum}`
    case 'invalid_value':
      return issue.values.map(String).join(' or ')
    default:
      return issue.message
  }
}
