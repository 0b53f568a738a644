/** `larmor warp`: images, masks, structures and points by a registration that was saved, ours or another system's. */
import { z } from 'zod'
import { inOneLine } from '../errors.ts'
import { openTransform, warpFiles } from '../registration/index.ts'
import type { Warped } from '../registration/index.ts'
import { command } from './command.ts'

export const warpCommand = command({
  name: 'warp',
  summary: 'Bring images, masks, structures and points of the MR onto the CT, by a saved registration.',
  arguments: [
    ['<source...>', 'images (DICOM, .nii, .mha, .nrrd), RT structure sets, or points x,y,z as .csv (RAS mm)'],
  ],
  flags: [
    [
      '--transform <registration>',
      'a folder of larmor register, a displacement field (.nii.gz), or a DICOM registration',
    ],
    ['--output <dir>', 'a folder that is empty or not there'],
    ['--onto <image>', 'whose grid the results are put on: the CT; not needed for points'],
    ['--inverse', 'the other way: what belongs to the CT onto the MR'],
    ['--nearest', 'the images are masks or labels'],
    ['--outside <value>', 'where the source has no data (default: its lowest value; with --nearest 0)'],
    ['--role <mr_…>', 'which MR, where a registration folder holds several'],
    ['--moving-frame <uid>', 'which frame of reference, where a DICOM registration holds several'],
  ],
  options: z.strictObject({
    source: z.array(z.string()).min(1),
    transform: z.string(),
    output: z.string(),
    onto: z.string().optional(),
    inverse: z.boolean().default(false),
    nearest: z.boolean().default(false),
    outside: z.coerce.number().optional(),
    role: z.string().optional(),
    movingFrame: z.string().optional(),
  }),

  async run({ source, transform, output, role, movingFrame, onto, outside, inverse, nearest }, { report, signal }) {
    const saved = await openTransform(transform, { role, movingFrameUid: movingFrame })
    const warped = await warpFiles(source, saved, output, { onto, outside, inverse, nearest, report, signal })
    const isDone = warped.files.length > 0
    return {
      json: { output, ...warped },
      text: isDone ? `${textOf(warped)}\nResults in ${output}` : textOf(warped),
      exitCode: warped.refused.length === 0 ? 0 : isDone ? 5 : 3,
    }
  },
})

function textOf({ files, refused, unsolvedShare }: Warped): string {
  const share = unsolvedShare > 0 ? [`${(100 * unsolvedShare).toFixed(2)} % of the inverse has no solution`] : []
  return [
    ...files.map(({ file, kind, notes }) => `${file}  ${[kind, ...notes].join('; ')}`),
    ...refused.map((fault) => `refused: ${inOneLine(fault)}`),
    ...share,
  ].join('\n')
}
