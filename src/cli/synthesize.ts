/** `larmor synthesize`: a synthetic MRI from each planning CT, on ONNX Runtime alone. */
import { join } from 'node:path'
import { z } from 'zod'
import { openCohort, patientImage } from '../cohort/index.ts'
import { inOneLine, LarmorError } from '../errors.ts'
import { exists } from '../files.ts'
import { openModel, synthesizeCases } from '../synthesis/index.ts'
import { command } from './command.ts'

/**
 * A cohort's folder stands for the CT of each of its patients who is not excluded.
 * @throws cohort.noPatient  it has none
 */
async function withoutCohorts(paths: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const path of paths) {
    if (!(await exists(join(path, 'cohort.json')))) found.push(path)
    else {
      const { patients } = await openCohort(path)
      const withCt = patients.filter(({ excluded, images }) => !excluded && images.some(({ role }) => role === 'ct'))
      if (withCt.length === 0) throw noCt(path, patients.length)
      found.push(...withCt.map((patient) => patientImage(path, patient, 'ct')))
    }
  }
  return found
}

function noCt(cohortDir: string, patients: number): LarmorError {
  return new LarmorError({
    kind: 'cohort.noPatient',
    message: 'There is no patient in this cohort to make a synthetic MRI of.',
    where: cohortDir,
    found: `${patients} patients, each of them excluded or without a CT`,
    expected: 'a patient with a CT who is not excluded',
    fix: `Run: larmor cohort ${cohortDir}, which lists them; larmor import adds CTs.`,
  })
}

export const synthesizeCommand = command({
  name: 'synthesize',
  summary: 'Make a synthetic MRI from a planning CT. For research and as a contouring aid; not for diagnosis or dose.',
  arguments: [['<ct...>', 'planning CTs: DICOM folders, .nii, .nii.gz or .mha files; or a cohort, for all its CTs']],
  flags: [
    ['--model <model>', 'the model package that larmor export wrote'],
    [
      '--output <dir>',
      'where a folder for each CT goes: the images and qa.json; what the same command has finished is kept',
    ],
    ['--format <format>', 'dicom, nifti or mha; default: as the CT came'],
    [
      '--mode <mode>',
      'single (a sample), mean (of several samples, with their uncertainty beside), one-step, or stage-1 (without the refiner); default: what validated best',
    ],
    ['--steps <n>', 'evaluations of the refiner a sample; default: the model card’s'],
    ['--samples <n>', 'how many samples --mode mean draws; default: 4'],
    ['--no-uncertainty', 'with --mode mean: do not write the standard deviation of the samples'],
    ['--enhanced', 'DICOM as one multi-frame file (Enhanced MR Image Storage) instead of a file a slice'],
    [
      '--rtstruct <path>',
      'structure sets of the CTs (a file or a folder), copied so that they reference the synthetic MRI',
    ],
    ['--force', 'synthesise a CT that the model was not trained for, which is refused else; every output says so'],
    ['--correct-tilt', 'resample a CT of a tilted gantry to an orthogonal grid; else it is refused'],
    ['--fill-gaps', 'resample unevenly spaced slices to even ones; else they are refused'],
  ],
  options: z.strictObject({
    ct: z.array(z.string()).min(1),
    model: z.string(),
    output: z.string(),
    format: z.enum(['dicom', 'nifti', 'mha']).optional(),
    mode: z.enum(['single', 'mean', 'one-step', 'stage-1']).optional(),
    steps: z.coerce.number().int().min(1).max(1000).optional(),
    samples: z.coerce.number().int().min(2).max(64).optional(),
    uncertainty: z.boolean().default(true),
    enhanced: z.boolean().optional(),
    rtstruct: z.string().optional(),
    force: z.boolean().optional(),
    correctTilt: z.boolean().optional(),
    fillGaps: z.boolean().optional(),
  }),

  async run({ ct, model: folder, output, ...asked }, { threads, seed, report, signal }) {
    const model = await openModel(folder, { threads })
    try {
      const options = { ...asked, outputDir: output, seed, report, signal }
      const { done, refused } = await synthesizeCases(model, await withoutCohorts(ct), options)
      const lines = [
        ...done.map(({ folder, gate }) => (gate.verdict === 'ok' ? folder : `${folder}  ${gate.verdict}: see qa.json`)),
        ...refused.map((each) => `${each.caseId}  refused: ${inOneLine(each.fault)}`),
      ]
      return {
        json: {
          model: { name: model.card.name, sha256: model.sha256 },
          done: done.map(({ caseId: id, ...made }) => ({ id, ...made })),
          refused: refused.map(({ caseId: id, fault }) => ({ id, ...fault })),
        },
        text: [...lines, `Synthetic; ${model.card.intendedUse}.`].join('\n'),
        exitCode: refused.length === 0 ? 0 : done.length === 0 ? 3 : 5,
      }
    } finally {
      await model.close()
    }
  },
})
