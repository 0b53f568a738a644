import assert from 'node:assert/strict'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'vitest'
import { parseCard } from '../../src/synthesis/card.ts'
import { modelFolder, weightedChannels } from '../synthesis/small-models.ts'

const mappings = [
  { kind: 'percentile', lowPercentile: 0.5, highPercentile: 99.5, biasCorrection: false },
  { kind: 'z-score', deviations: 3, biasCorrection: true },
  { kind: 'landmarks', percentiles: [0.5, 50, 99.5], standard: [-1, -0.2, 1], biasCorrection: false },
] as const

for (const mapping of mappings)
  test(`a model card says that its MR was brought to a common scale by ${mapping.kind}, and of coils`, async () => {
    const folder = modelFolder({ stage1: weightedChannels([0, 1, 0]) }, (card) => ({
      ...card,
      mr: { ...card.mr, mapping },
    }))
    const path = join(folder, 'model.json')
    const { mr } = parseCard(await readFile(path, 'utf8'), path)
    assert.deepEqual(mr.mapping, mapping)
    assert.deepEqual(mr.nominal, { low: 0, high: 1000 })
    await rm(folder, { recursive: true })
  })
