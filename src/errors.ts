/**
 * Typed errors: what was refused, where, what was found, what was expected, and what to do.
 *
 * A kind is a promise to scripts: its exit code and HTTP status stay, its wording may improve.
 * Thrown where the fault is first known; caught only by the loop over cases, the HTTP layer and cli/program.ts.
 */

/** Exit codes: 2 wrong usage, 3 input refused, 4 the machine lacks something, 130 interrupted. */
export const FAULTS = {
  'usage.wrong': { exit: 2, http: 400 },
  'usage.outputExists': { exit: 2, http: 409 },

  'input.notFound': { exit: 3, http: 404 },
  'input.empty': { exit: 3, http: 422 },
  'input.notDicom': { exit: 3, http: 415 },
  'input.notNifti': { exit: 3, http: 415 },
  'input.notMetaImage': { exit: 3, http: 415 },
  'input.notNrrd': { exit: 3, http: 415 },
  'input.unknownFormat': { exit: 3, http: 415 },
  'input.truncated': { exit: 3, http: 422 },
  'input.corrupt': { exit: 3, http: 422 },
  'input.unsupported': { exit: 3, http: 415 },
  'input.severalPatients': { exit: 3, http: 422 },
  'input.severalSeries': { exit: 3, http: 422 },
  'input.wrongModality': { exit: 3, http: 422 },
  'input.missingAttribute': { exit: 3, http: 422 },
  'input.badValue': { exit: 3, http: 422 },
  'input.noReferencedImage': { exit: 3, http: 422 },
  'input.wrongFrame': { exit: 3, http: 422 },
  'input.refusedByGate': { exit: 3, http: 422 },

  'geometry.missingSlice': { exit: 3, http: 422 },
  'geometry.duplicateSlice': { exit: 3, http: 422 },
  'geometry.sheared': { exit: 3, http: 422 },
  'geometry.inconsistent': { exit: 3, http: 422 },
  'geometry.gridsDiffer': { exit: 3, http: 422 },

  'json.refused': { exit: 3, http: 422 },
  'config.refused': { exit: 2, http: 400 },

  'cohort.noPatient': { exit: 3, http: 404 },
  'cohort.incomplete': { exit: 3, http: 422 },
  'cohort.busy': { exit: 4, http: 409 },
  'registration.failed': { exit: 3, http: 422 },
  'plan.tooFewPatients': { exit: 3, http: 422 },
  'plan.noUsableSlices': { exit: 3, http: 422 },
  'plan.leak': { exit: 3, http: 422 },
  'store.damaged': { exit: 3, http: 422 },
  'run.damaged': { exit: 3, http: 422 },
  'run.mismatch': { exit: 3, http: 422 },
  'train.notFinite': { exit: 3, http: 422 },
  'model.damaged': { exit: 3, http: 422 },
  'model.mismatch': { exit: 3, http: 422 },
  'export.parity': { exit: 3, http: 422 },
  'evaluation.badMask': { exit: 3, http: 422 },
  'evaluation.tooSmall': { exit: 3, http: 422 },

  'machine.noLibtorch': { exit: 4, http: 503 },
  'machine.noAddon': { exit: 4, http: 503 },
  'machine.noCuda': { exit: 4, http: 503 },
  'machine.noChromium': { exit: 4, http: 503 },
  'machine.diskFull': { exit: 4, http: 507 },
  'machine.noPermission': { exit: 4, http: 500 },
  'machine.outOfMemory': { exit: 4, http: 503 },

  'native.torch': { exit: 1, http: 500 },
  'native.argument': { exit: 1, http: 500 },
  interrupted: { exit: 130, http: 499 },
} as const

export type FaultKind = keyof typeof FAULTS
/** Plain data, so that it crosses a process or HTTP as it is. */
export type Fault = { kind: FaultKind } & Record<'message' | 'where' | 'found' | 'expected' | 'fix', string>

/** A file's own words can be a megabyte long, or hold what a terminal obeys. */
const LONGEST_FIELD = 2000
function shown(fault: Fault): Fault {
  const clean = (text: string): string => text.slice(0, LONGEST_FIELD).replace(/(?!\n)\p{Cc}/gu, '\uFFFD')
  const { kind, message, where, found, expected, fix } = fault
  const fields = { message, where, found, expected, fix }
  for (const name of ['message', 'where', 'found', 'expected', 'fix'] as const) fields[name] = clean(fields[name])
  return { kind, ...fields }
}

export class LarmorError extends Error {
  readonly fault: Fault
  constructor(told: Fault, cause?: unknown) {
    const fault = shown(told)
    super(`${fault.message} ${fault.where}: found ${fault.found}, expected ${fault.expected}.`, { cause })
    this.name = 'LarmorError'
    this.fault = fault
  }
}

/** All five fields and the kind in one line, for tables of what was refused: a person must not need --json to know what to do. */
export function inOneLine({ kind, message, where, found, expected, fix }: Fault): string {
  return `${message} ${where}: found ${found}, expected ${expected}. ${fix} [${kind}]`
}

/** What Ctrl-C becomes inside a computation: thrown between two steps, after what was finished has been kept. */
export function throwIfAborted(
  signal: AbortSignal | undefined,
  where: string,
  fix = 'Run the same command again: what was finished is kept.',
): void {
  if (!signal?.aborted) return
  throw new LarmorError({
    kind: 'interrupted',
    message: 'Interrupted.',
    where,
    found: 'a request to stop',
    expected: 'the end of the work',
    fix,
  })
}
