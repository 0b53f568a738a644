/** `larmor phantom`: virtual patients with CT, MR in another frame, structures and the truth that joins them. */
import { z } from 'zod'
import { KERNELS, makeFromCt, makePatients, MOTION_NAMES, SEQUENCE_NAMES, SIZES } from '../phantom/index.ts'
import { command } from './command.ts'

const Label = z
  .string()
  .regex(/^\d+=[\w-]+$/, 'a number and a name, as 1=Brainstem')
  .transform((text): [number, string] => [Number(text.split('=')[0]), text.split('=')[1]!])

export const phantomCommand = command({
  name: 'phantom',
  summary: 'Make virtual patients (CT, MR, structures, truth) of no person, or MR for real CTs.',
  arguments: [],
  flags: [
    ['-n, --patients <n>', 'how many patients'],
    ['-j, --jobs <n>', 'patients at a time (default 1)'],
    ['--output <dir>', 'folder that gets PHANTOM-001, PHANTOM-002 …'],
    ['--format <format>', 'dicom (default) or nifti'],
    ['--sequences <names...>', 'any of t1, t1gd, t1gdfs, t2, t2fs, t1gre (default: t1 t2)'],
    ['--contrast', 'a second CT, with contrast agent'],
    ['--kernel <kernel>', 'of the CT: soft (default) or sharp'],
    ['--motion <motion>', 'between CT and MR: none, small (default) or clinical (jaw, neck, swallowing)'],
    ['--size <size>', 'small (default; orbits to thyroid) or standard (vertex to shoulders)'],
    ['--from-ct <ct...>', 'simulate MR for these CTs in place of inventing patients; writes NIfTI'],
    [
      '--structures <name>',
      'with --from-ct: masks in each CT’s folder, a folder or a label image (default: structures)',
    ],
    ['--labels <n=name...>', 'with --from-ct: what the numbers of a label image mean'],
  ],
  options: z
    .strictObject({
      patients: z.coerce.number().int().min(1).max(9999).optional(),
      jobs: z.coerce.number().int().min(1).max(256).default(1),
      output: z.string(),
      format: z.enum(['dicom', 'nifti']).optional(),
      sequences: z.array(z.enum(SEQUENCE_NAMES)).min(1).default(['t1', 't2']),
      contrast: z.boolean().default(false),
      kernel: z.enum(KERNELS).default('soft'),
      motion: z.enum(MOTION_NAMES).default('small'),
      size: z.enum(SIZES).default('small'),
      fromCt: z.array(z.string()).min(1).optional(),
      structures: z.string().default('structures'),
      labels: z.array(Label).default([]),
    })
    .refine(({ patients, fromCt }) => (patients === undefined) !== (fromCt === undefined), {
      message: 'either -n or --from-ct',
      path: ['patients'],
    })
    .refine(({ format, fromCt }) => fromCt === undefined || format !== 'dicom', {
      message: 'with --from-ct NIfTI alone is written',
      path: ['format'],
    }),

  async run({ fromCt, structures, labels, patients = 0, format = 'dicom', ...options }, { report, signal, seed }) {
    const { output } = options
    if (fromCt) {
      const masks = { structures, labels: new Map(labels) }
      const made = await makeFromCt({ ...options, cts: fromCt, masks, seed }, report, signal)
      return { json: { output, patients: made }, text: `simulated MR for ${made.length} CTs in ${output}` }
    }
    const made = await makePatients({ ...options, patients, format, seed }, report, signal)
    return {
      json: { output, patients: made },
      text: `${made.length} virtual ${made.length === 1 ? 'patient' : 'patients'} in ${output}`,
    }
  },
})
