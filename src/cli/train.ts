/** `larmor train`: one stage of the translation, in a process of its own. */
import { z } from 'zod'
import { describeRun, describeTrial, launchDryRun, launchTraining } from '../training/index.ts'
import { command } from './command.ts'

export const trainCommand = command({
  name: 'train',
  summary: 'Train a stage: pix2pix (CT to MR), or diffusion (the refiner of a pix2pix run).',
  arguments: [
    ['<stage>', 'pix2pix or diffusion'],
    ['<store>', 'a slice store (larmor plan)'],
  ],
  flags: [
    ['--run <dir>', 'folder of the run'],
    ['--stage1 <run>', 'for diffusion, which needs it: the run of pix2pix to refine'],
    ['--preset <name>', 'paper (the published settings) or best (default)'],
    [
      '--set <key=value...>',
      'settings of the run, for instance --set minutes=30 batch=8; --dry-run prints all of them, docs/training.md explains them',
    ],
    ['--resume', 'go on with the run in that folder, from its last checkpoint, with its own settings and seed'],
    ['--dry-run', 'print all settings, and the memory and time that a few steps let expect; write nothing'],
  ],
  options: z.strictObject({
    stage: z.enum(['pix2pix', 'diffusion']),
    store: z.string(),
    run: z.string(),
    stage1: z.string().optional(),
    preset: z.enum(['paper', 'best']).optional(),
    set: z.array(z.string()).default([]),
    resume: z.boolean().default(false),
    dryRun: z.boolean().default(false),
  }),
  cuda: true,

  async run({ stage, store, run, stage1, preset, set, resume, dryRun }, context) {
    const { report, signal, seed, seedAsked, threads, device } = context
    const job = { stage, storeDir: store, runDir: run, stage1Dir: stage1, preset, settings: set, resume }
    const whole = { ...job, seed, seedAsked, threads, device }
    const how = { report, signal, environment: process.env }
    if (dryRun) return describeTrial(await launchDryRun(whole, how))
    const record = await launchTraining(whole, how)
    return describeRun(run, record)
  },
})
