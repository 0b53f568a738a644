import { z } from 'zod'
import { deidentifiedTable, deidentifySources } from '../formats/index.ts'
import { command } from './command.ts'

export const deidentifyCommand = command({
  name: 'deidentify',
  summary: 'Copy DICOM objects without what identifies the patient (PS3.15 basic profile).',
  arguments: [['<source...>', 'folders or files of CT, MR, RTSTRUCT, RTPLAN, RTDOSE and registrations']],
  flags: [
    ['--output <dir>', 'where the copies go: empty, not there, or begun by this command'],
    ['--key <file>', 'the secret that new UIDs follow from; made if it is not there, never shared'],
    ['--clean-descriptors', 'keep the words of the trade in descriptions and ROI names (113105)'],
    ['--retain-intervals', 'keep dates, moved by one number of days a patient (113107)'],
  ],
  options: z.strictObject({
    source: z.array(z.string()).min(1),
    output: z.string(),
    key: z.string(),
    cleanDescriptors: z.boolean().default(false),
    retainIntervals: z.boolean().default(false),
  }),

  async run({ source, output, key, ...options }, { report, signal }) {
    const done = await deidentifySources(source, output, { ...options, keyFile: key, report, signal })
    const kept = Object.keys(done.objects).length > 0
    return {
      json: { output, ...done },
      text: deidentifiedTable(done),
      exitCode: kept ? (done.refused.length === 0 ? 0 : 5) : 3,
    }
  },
})
