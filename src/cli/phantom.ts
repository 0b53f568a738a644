/** `larmor phantom`: virtual patients with CT, MR in another frame, labels and the truth that joins them. */
import { z } from 'zod'
import { KERNELS, makePatients, MOTION_NAMES, SEQUENCE_NAMES, SIZES } from '../phantom/index.ts'
import { command } from './command.ts'

export const phantomCommand = command({
  name: 'phantom',
  summary: 'Make virtual patients (CT, MR, labels, truth) of no person.',
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
  ],
  options: z.strictObject({
    patients: z.coerce.number().int().min(1).max(9999),
    jobs: z.coerce.number().int().min(1).max(256).default(1),
    output: z.string(),
    format: z.enum(['dicom', 'nifti']).default('dicom'),
    sequences: z.array(z.enum(SEQUENCE_NAMES)).min(1).default(['t1', 't2']),
    contrast: z.boolean().default(false),
    kernel: z.enum(KERNELS).default('soft'),
    motion: z.enum(MOTION_NAMES).default('small'),
    size: z.enum(SIZES).default('small'),
  }),

  async run(options, { report, signal, seed }) {
    const patients = await makePatients({ ...options, seed }, report, signal)
    return {
      json: { output: options.output, patients },
      text: `${patients.length} virtual ${patients.length === 1 ? 'patient' : 'patients'} in ${options.output}`,
    }
  },
})
