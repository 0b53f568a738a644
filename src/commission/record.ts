/** The acceptance record, `commission.json`: written by commission.ts, read again after an update. */
import { z } from 'zod'

const Interval = z.tuple([z.number(), z.number()]).nullable()
const Number = z.number().nullable()

/** Which MR sequence, where the model makes several. */
const Sequence = z.string().optional()

/** One for each sequence of each patient. */
const Patient = z.strictObject({
  id: z.string(),
  sequence: Sequence,
  /** Of the gate; 'refused' where nothing was made, for whatever reason. */
  gate: z.enum(['ok', 'caution', 'refused']),
  /** Checks before and after synthesis that did not end well. */
  notes: z.array(z.string()),
  /** Checks of the gate that lacked what they need. */
  notChecked: z.array(z.string()).default([]),
  msSsim2d: Number,
  mae: Number,
  skinP95Mm: Number,
  airP95Mm: Number,
  boneP95Mm: Number,
  sliceChange: Number,
  nmiWithCt: Number,
  /** Of the voxels: the same seed on the same machine gives the same bits. */
  voxelsSha256: z.string().nullable(),
})

const Score = z.strictObject({
  name: z.string(),
  sequence: Sequence,
  site: z.strictObject({ mean: Number, interval95: Interval, patients: z.int() }),
  card: z.strictObject({ value: z.number(), interval95: Interval }).nullable(),
  verdict: z.enum(['agrees', 'better', 'worse', 'not compared']),
})

const Changes = z.strictObject({
  since: z.iso.datetime(),
  /** What is not what it was: the model, the program, the cohort. */
  of: z.array(z.string()),
  scores: z.array(z.strictObject({ name: z.string(), sequence: Sequence, before: Number, now: Number })),
  gates: z.array(z.strictObject({ id: z.string(), before: z.string(), now: z.string() })),
  /** Constancy: patients of both records, by their voxels. */
  images: z.strictObject({
    same: z.int(),
    different: z.int(),
    /** Largest mean |now − before| of a patient, in percent of black to white; null where the earlier images are gone. */
    largestPercent: Number,
  }),
})

export const Commission = z.strictObject({
  schema: z.literal('larmor/commission@1'),
  createdAt: z.iso.datetime(),
  larmor: z.string(),
  intendedUse: z.string(),
  model: z.strictObject({ name: z.string(), version: z.string(), sha256: z.string() }),
  cohort: z.strictObject({ sha256: z.string(), patients: z.int() }),
  mode: z.string(),
  seed: z.int(),
  /** Where the images of this record lie, beside it. */
  images: z.string(),
  scores: z.array(Score),
  patients: z.array(Patient),
  changes: Changes.nullable(),
  /** What a physicist has to look at before signing; empty where nothing stood out. */
  lookAt: z.array(z.string()),
})
export type Commission = z.infer<typeof Commission>
export type CommissionPatient = z.infer<typeof Patient>
export type CommissionScore = z.infer<typeof Score>
export type CommissionChanges = z.infer<typeof Changes>
