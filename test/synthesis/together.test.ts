/** Two processes that write the same output: one is refused, and what the other has finished stays. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { writeFolderWhole } from '../../src/files.ts'
import { readImage, writeImage } from '../../src/formats/index.ts'
import { openModel, synthesizeMri } from '../../src/synthesis/index.ts'
import { writeSynthesis, type Made } from '../../src/synthesis/output.ts'
import { identityDirection } from '../../src/volume/index.ts'
import { centredGrid, sampledCt } from './phantom.ts'
import { gaussianRefiner, modelFolder, weightedChannels } from './small-models.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-together-'))
const isTaken = (error: unknown) => error instanceof LarmorError && error.fault.kind === 'usage.outputExists'

test('a folder or a file that appears while a folder is written is no fault of ours, and stays as it is', async () => {
  const [folder, file] = [join(root, 'folder'), join(root, 'file')]
  const another = async (): Promise<void> => {
    mkdirSync(folder)
    writeFileSync(join(folder, 'theirs'), '')
  }
  await assert.rejects(writeFolderWhole(folder, another), isTaken)
  await assert.rejects(
    writeFolderWhole(file, async () => writeFileSync(file, 'theirs')),
    isTaken,
  )
  assert.deepEqual([readdirSync(root).toSorted(), readdirSync(folder)], [['file', 'folder'], ['theirs']])
})

test('of two that write the same sMRI at once, one is refused and the other’s uncertainty stays', async () => {
  const packageDir = modelFolder({ stage1: weightedChannels([0, 1, 0]), refiner: gaussianRefiner(0), size: [48, 48] })
  const model = await openModel(packageDir, { threads: 1 })
  const path = join(root, 'ct.nii.gz')
  await writeImage(path, sampledCt(centredGrid([48, 44, 4], [1.6, 1.6, 4], identityDirection, [12, -18, 30])))
  const image = await readImage(path)
  const asked = { mode: 'mean', samples: 2, steps: 1, uncertainty: true, seed: 1 } as const
  const [synthesis] = await synthesizeMri(model, image.volume, asked)
  await model.close()
  const made: Made = {
    image,
    model,
    synthesis,
    shares: { air: 0.5, softTissue: 0.5, lowest: -1000, highest: 1000 },
    gate: { gate: { verdict: 'ok', findings: [] }, forced: false },
    after: [],
    seed: 1,
    resampling: {},
    structureSets: [],
    enhanced: false,
    signal: undefined,
  }
  for (let round = 0; round < 5; round++) {
    const folder = join(root, `round${round}`, 'case')
    const ended = await Promise.allSettled([
      writeSynthesis(folder, 'nifti', made),
      writeSynthesis(folder, 'nifti', made),
    ])
    const refused = ended.filter((one) => one.status === 'rejected')
    assert.equal(refused.length, 1)
    assert.ok(isTaken(refused[0]!.reason), String(refused[0]!.reason))
    assert.deepEqual(readdirSync(join(root, `round${round}`)).toSorted(), ['case', 'case_uncertainty'])
    const qa = JSON.parse(readFileSync(join(folder, 'qa.json'), 'utf8')) as { output: { uncertainty: object } }
    assert.ok('folder' in qa.output.uncertainty)
  }
})
