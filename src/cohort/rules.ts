/**
 * The import rules: which role a series gets, as a YAML file that a person can read and write.
 *
 * Ours lie beside this file in default-rules.yaml; those of --rules come before them. What is written here is
 * explained in docs/import.md. A rule fits a series if all that it says holds; a rule that says nothing fits all.
 */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { LineCounter, parseDocument } from 'yaml'
import type { Document } from 'yaml'
import { z } from 'zod'
import { LarmorError } from '../errors.ts'

const Pattern = z.string().min(1).transform(compiled)
const Range = z
  .strictObject({ min: z.number().optional(), max: z.number().optional() })
  .refine(({ min, max }) => min !== undefined || max !== undefined, 'min, max or both')
  .refine(({ min = -Infinity, max = Infinity }) => min <= max, 'min must not be above max')
const Text = z.union([z.string().min(1), z.number()]).transform(String)

const conditions = {
  modality: z.enum(['CT', 'MR']).optional(),
  /** In the series description or the protocol's name. */
  words: Pattern.optional(),
  notWords: Pattern.optional(),
  /** Whether the file names a contrast agent. */
  contrast: z.boolean().optional(),
  orientation: z.enum(['axial', 'coronal', 'sagittal']).optional(),
  frameOfReference: z.string().optional(),
  /** Some other series of this kind of the same patient is in the same frame of reference. */
  sharesFrameWith: z.enum(['CT', 'MR']).optional(),
  /** Whether a structure set of the export was drawn on it. */
  structures: z.boolean().optional(),
  /** One of the values of these attributes. */
  imageType: z.string().optional(),
  scanningSequence: z.string().optional(),
  scanOptions: z.string().optional(),
  kernel: Pattern.optional(),
  /** Which volume of a series that holds several: 'echo 4.6'. */
  part: Pattern.optional(),
  seriesNumber: Text.optional(),
  seriesUid: z.string().optional(),
  images: Range.optional(),
  sliceThicknessMm: Range.optional(),
  repetitionTimeMs: Range.optional(),
  echoTimeMs: Range.optional(),
}
const because = z.string().min(1).optional()
const Conditions = z.strictObject({ ...conditions, because })
const SeriesRule = z.strictObject({
  role: z
    .string()
    .regex(/^(none|ct|ct_contrast|mr_[a-z0-9]+(\{[a-z]+\})*)$/, 'none, ct, ct_contrast or mr_<sequence>, with {marks}'),
  ...conditions,
  because,
})
/** For files that are no DICOM: by the name, without its ending. */
const FileRule = z.strictObject({
  role: z.string().regex(/^(none|ct|ct_contrast|mr_[a-z0-9]+)$/, 'none, ct, ct_contrast or mr_<sequence>'),
  file: Pattern,
})
const RulesFile = z.strictObject({
  schema: z.literal('larmor/import-rules@1').default('larmor/import-rules@1'),
  rules: z.array(SeriesRule).default([]),
  files: z.array(FileRule).default([]),
  marks: z.record(z.string().regex(/^[a-z]+$/, 'small letters'), z.array(Conditions).min(1)).default({}),
  prefer: z.array(Conditions).default([]),
})

export type Conditions = z.infer<typeof Conditions>
export type SeriesRule = z.infer<typeof SeriesRule> & {
  /** Lower goes before higher where several series have one role; ours all have the same. */
  rank: number
  /** 'rule 2 of rules.yaml'; ours have a reason instead. */
  name: string
}
export type Rules = {
  rules: readonly SeriesRule[]
  files: readonly z.infer<typeof FileRule>[]
  marks: Readonly<Record<string, readonly Conditions[]>>
  prefer: readonly Conditions[]
}

const DEFAULTS = new URL('default-rules.yaml', import.meta.url)

/** Ours alone. */
export function defaultRules(): Rules {
  const ours = parseRules(readFileSync(DEFAULTS, 'utf8'), 'default-rules.yaml')
  return { ...ours, rules: ours.rules.map((rule) => ({ ...rule, rank: Infinity, name: 'default rule' })) }
}

/**
 * Those of a file, then ours.
 * @throws input.notFound, config.refused (with line and column of every problem)
 */
export async function readRules(path: string): Promise<Rules> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw notThere(path, cause)
  })
  const [theirs, ours] = [parseRules(text, path), defaultRules()]
  return {
    rules: [...theirs.rules, ...ours.rules],
    files: theirs.files,
    marks: { ...ours.marks, ...theirs.marks },
    prefer: [...theirs.prefer, ...ours.prefer],
  }
}

/** @throws config.refused  with line and column of every problem */
export function parseRules(text: string, path: string): Rules {
  const lines = new LineCounter()
  const yaml = parseDocument(text, { lineCounter: lines, uniqueKeys: true, strict: true, prettyErrors: false })
  const at = (offset: number): string => `${lines.linePos(offset).line}:${lines.linePos(offset).col}`
  const broken = [...yaml.errors, ...yaml.warnings]
  if (broken.length > 0) throw refused(path, broken.map(({ pos, message }) => `${at(pos[0])} ${message}`).join('; '))
  const parsed = RulesFile.safeParse(asPlain(yaml, path))
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => {
      const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path
      return `${placeOf(yaml, path, at)} ${issue.message}`
    })
    throw refused(path, problems.join('; '))
  }
  const { rules, ...others } = parsed.data
  const unknown = rules.flatMap(({ role }) => marksOf(role)).find((mark) => !(mark in others.marks || mark in OURS))
  if (unknown !== undefined) throw refused(path, `a role with {${unknown}}, and no mark of that name`)
  return { ...others, rules: rules.map((rule, n) => ({ ...rule, rank: n, name: `rule ${n + 1} of ${path}` })) }
}

/** The marks that every file may use. */
const OURS = { gre: true, gd: true, fs: true }

/** 'mr_t1{gd}{fs}' has gd and fs. */
export function marksOf(role: string): string[] {
  return [...role.matchAll(/\{([a-z]+)\}/g)].map(([, mark]) => mark!)
}

/** Aliases that multiply are refused by the library after a hundred. */
function asPlain(yaml: Document, path: string): unknown {
  try {
    return yaml.toJS()
  } catch (cause) {
    throw refused(path, cause instanceof Error ? cause.message : String(cause), cause)
  }
}

/** Where the deepest node on this way begins, which is there also for a key that is missing. */
function placeOf(yaml: Document, path: readonly PropertyKey[], at: (offset: number) => string): string {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = yaml.getIn(path.slice(0, depth), true)
    const name = path.join('.')
    if (isPlaced(node)) return `${at(node.range[0])}${name === '' ? '' : ` ${name}:`}`
  }
  return '1:1'
}

function isPlaced(node: unknown): node is { range: [number, number, number] } {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)
}

function compiled(pattern: string, context: z.RefinementCtx): RegExp {
  try {
    return new RegExp(pattern, 'i')
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) })
    return z.NEVER
  }
}

function refused(path: string, found: string, cause?: unknown): LarmorError {
  return new LarmorError(
    {
      kind: 'config.refused',
      message: 'The import rules cannot be understood.',
      where: path,
      found,
      expected: 'rules as in docs/import.md',
      fix: 'Mend what is named here by line and column.',
    },
    cause,
  )
}

function notThere(path: string, cause: unknown): LarmorError {
  return new LarmorError(
    {
      kind: 'input.notFound',
      message: 'The file of the import rules cannot be read.',
      where: path,
      found: 'nothing that can be read',
      expected: 'a YAML file',
      fix: 'Check the path given with --rules.',
    },
    cause,
  )
}
