/**
 * The command line: finds the command, runs it, prints its outcome, turns errors into exit codes.
 * Results go to standard output; progress and faults to standard error. This is one of three places that catch.
 */
import { availableParallelism } from 'node:os'
import { Command as Program, CommanderError, Option } from 'commander'
import { z } from 'zod'
import { asDiskFault, version } from '../files.ts'
import { FAULTS, LarmorError } from '../errors.ts'
import type { Command, Outcome } from './command.ts'
import { printFault, renderer } from './render.ts'
import { optionFault, usageFault } from './usage.ts'

/** Loaded one by one, so that a command starts only what it needs: `synthesize` never touches libtorch. */
const commands: Record<string, () => Promise<Command>> = {
  doctor: async () => (await import('./doctor.ts')).doctorCommand,
  import: async () => (await import('./import.ts')).importCommand,
  'cohort-export': async () => (await import('./cohort-export.ts')).cohortExportCommand,
  deidentify: async () => (await import('./deidentify.ts')).deidentifyCommand,
  convert: async () => (await import('./convert.ts')).convertCommand,
  cohort: async () => (await import('./cohort.ts')).cohortCommand,
  register: async () => (await import('./register.ts')).registerCommand,
  warp: async () => (await import('./warp.ts')).warpCommand,
  plan: async () => (await import('./plan.ts')).planCommand,
  train: async () => (await import('./train.ts')).trainCommand,
  runs: async () => (await import('./runs.ts')).runsCommand,
  export: async () => (await import('./export.ts')).exportCommand,
  synthesize: async () => (await import('./synthesize.ts')).synthesizeCommand,
  commission: async () => (await import('./commission.ts')).commissionCommand,
  evaluate: async () => (await import('./evaluate.ts')).evaluateCommand,
  'reader-study': async () => (await import('./reader-study.ts')).readerStudyCommand,
  phantom: async () => (await import('./phantom.ts')).phantomCommand,
  demo: async () => (await import('./demo.ts')).demoCommand,
}

const Common = z.object({
  json: z.boolean().default(false),
  quiet: z.boolean().default(false),
  // Beyond 2⁵³ − 1 two seeds would be one number.
  seed: z.coerce.number().int().min(0).optional(),
  threads: z.coerce.number().int().min(1).max(1024).default(availableParallelism()),
  device: z.enum(['cpu', 'cuda']).default('cpu'),
})
const commonOptions = [
  new Option('--json', 'print one JSON object on standard output and nothing else there'),
  new Option('--quiet', 'no progress'),
  new Option('--seed <n>', 'seed of all random numbers (default: 1)'),
  new Option('--threads <n>', 'threads to compute with (default: all cores)'),
]

const wantsJson = process.argv.includes('--json')

async function main(argv: readonly string[]): Promise<number> {
  const interrupt = new AbortController()
  process.on('SIGINT', () => interrupt.abort())
  process.on('SIGTERM', () => interrupt.abort())
  try {
    return await run(argv, interrupt.signal)
  } catch (error) {
    return report(asDiskFault(error, 'a file'))
  }
}

async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const program = new Program('larmor')
    .description(
      'Synthetic MRI from the planning CT of head-and-neck patients.\nFor research and as a contouring aid; not for diagnosis or dose.',
    )
    .version(version(), '--version')
    .exitOverride()
    // What commander has to say against the words becomes a fault like any other; its help is printed as it is.
    .configureOutput({ outputError: () => {} })
  const wanted = argv.find((word) => !word.startsWith('-'))
  const known = wanted !== undefined && Object.hasOwn(commands, wanted) ? wanted : undefined
  // All of them for the help alone.
  const names = known !== undefined ? [known] : argv.includes('--version') ? [] : Object.keys(commands)
  let exitCode = 0
  for (const name of names) {
    const definition = await commands[name]!()
    addCommand(program, definition, signal, async (outcome) => {
      await print(outcome)
      exitCode = outcome.exitCode ?? 0
    })
  }
  try {
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return 0
    if (error.code === 'commander.help') return FAULTS['usage.wrong'].exit // no command: the help is the answer
    throw usageFault(error, known)
  }
  return exitCode
}

function addCommand(
  program: Program,
  definition: Command,
  signal: AbortSignal,
  finish: (outcome: Outcome) => Promise<void>,
): void {
  const sub = program.command(definition.name).description(definition.summary)
  sub.usage([...definition.arguments.map(([form]) => form), ...neededFlags(definition), '[options]'].join(' '))
  for (const [name, text] of definition.arguments) sub.argument(name, text)
  for (const [flags, text] of definition.flags) sub.addOption(new Option(flags, text))
  for (const option of commonOptions) sub.addOption(option)
  const device = new Option('--device <name>', 'where to compute: cpu (default) or cuda')
  sub.addOption(definition.cuda === true ? device : device.hideHelp())
  sub.action(async () => {
    const common = check(definition, Common, pick(sub.opts(), Object.keys(Common.shape)))
    if (common.device === 'cuda' && definition.cuda !== true) throw cpuAlone(definition.name)
    const own = Object.fromEntries(Object.entries(sub.opts()).filter(([key]) => !(key in Common.shape)))
    const positional = Object.fromEntries(
      sub.registeredArguments
        .map((argument, index): [string, unknown] => [camelCase(argument.name()), sub.processedArgs[index]])
        .filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
    )
    const options = check(definition, definition.options, { ...own, ...positional })
    const { seed: seedAsked, threads, device, quiet } = common
    const seed = seedAsked ?? 1
    const { report, end } = renderer(process.stderr, { quiet })
    await finish(await definition.run(options, { report, signal, seed, seedAsked, threads, device }).finally(end))
  })
}

/** The flags that a command cannot do without, for its usage line. */
function neededFlags({ flags, options }: Command): string[] {
  const needed = Object.keys(options.shape).filter((key) => !options.shape[key]!.safeParse(undefined).success)
  const forms = flags.map(([form]) => form).filter((form) => needed.includes(new Option(form).attributeName()))
  return forms.map((form) => form.replace(/^(-\w), --\S+/, '$1'))
}

/** @throws usage.wrong  with every problem at once */
function check<T>(definition: Command, schema: z.ZodType<T>, options: unknown): T {
  const parsed = schema.safeParse(options)
  if (parsed.success) return parsed.data
  throw optionFault(definition, parsed.error.issues, options)
}

/** Asked for a GPU, computed on the CPU: the user would wait for what never comes. */
function cpuAlone(name: string): LarmorError {
  return new LarmorError({
    kind: 'machine.noCuda',
    message: 'This command computes on the CPU alone.',
    where: `larmor ${name}`,
    found: '--device cuda',
    expected: '--device cpu, or none',
    fix: 'Leave --device out.',
  })
}

function pick(from: Record<string, unknown>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]))
}

function camelCase(name: string): string {
  return name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}

/** @throws machine.diskFull  standard output is a file, and the disk is full */
async function print(outcome: Outcome): Promise<void> {
  const text = wantsJson ? `${JSON.stringify(outcome.json)}\n` : `${outcome.text.trimEnd()}\n`
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(text, (error) => {
      // A reader that has seen enough (head) has closed the pipe: the work is done all the same.
      if (error && !('code' in error && error.code === 'EPIPE')) reject(asDiskFault(error, 'standard output'))
      else resolve()
    })
  })
}

/** Prints what went wrong and gives the exit code; an error that is not typed is a fault of ours, so: the whole stack. */
function report(error: unknown): number {
  if (error instanceof LarmorError) {
    if (wantsJson) process.stdout.write(`${JSON.stringify({ refused: [error.fault] })}\n`)
    printFault(process.stderr, error.fault)
    return FAULTS[error.fault.kind].exit
  }
  if (wantsJson) process.stdout.write(`${JSON.stringify({ failed: String(error) })}\n`)
  process.stderr.write(`larmor failed, and this is a fault of ours. Please report what follows.\n`)
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  return 1
}

// Nobody may be listening any more: `print` hears of it itself, and what is only progress is no reason to end.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})
process.exitCode = await main(process.argv.slice(2))
// Thread pools of the inference runtime may keep the process alive after the last result is out.
process.stdout.write('', () => process.exit())
