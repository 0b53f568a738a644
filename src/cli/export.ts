/** `larmor export`: a run as a model package that runs without libtorch. */
import { join } from 'node:path'
import { z } from 'zod'
import { exportModel } from '../export/index.ts'
import { sha256OfFile } from '../files.ts'
import { command } from './command.ts'

export const exportCommand = command({
  name: 'export',
  summary: 'Write a run as a model package: ONNX graphs, compared with libtorch, and their card.',
  arguments: [['<run>', 'a run of either stage; a refiner knows its first stage']],
  flags: [
    ['--output <model>', 'where the package goes: an empty folder, or none yet'],
    ['--name <name>', 'what the model is called; default: the name of that folder'],
    ['--store <dir>', 'the slice store, where it no longer lies where the run found it'],
  ],
  options: z.strictObject({
    run: z.string(),
    output: z.string(),
    name: z.string().min(1).optional(),
    store: z.string().optional(),
  }),

  async run({ run, output, name, store }, { threads, report, signal }) {
    const card = await exportModel(run, output, { name, storeDir: store, threads, report, signal })
    const { stage1, refiner } = card
    const sha256 = await sha256OfFile(join(output, 'model.json'))
    const parity = { stage1: stage1.parity, refiner: refiner?.parity ?? null, sampled: refiner?.sampledParity ?? null }
    const stages = refiner ? 'both stages' : 'stage 1 alone'
    const largest = Math.max(stage1.parity.realSlices, refiner?.sampledParity ?? 0)
    return {
      json: { model: output, sha256, name: card.name, version: card.version, parity, metrics: card.metrics },
      text: `${output}: ${stages}, at most ${largest.toExponential(1)} from libtorch on real slices; ${card.intendedUse}`,
    }
  },
})
