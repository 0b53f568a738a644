/** A package is checked when it is opened: card, hashes, graphs, and that they fit each other. */
import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { sha256 } from '../../src/files.ts'
import { openModel, type ModelCard } from '../../src/synthesis/index.ts'
import { gaussianRefiner, modelFolder, weightedChannels } from './small-models.ts'

const middle = weightedChannels([0, 1, 0])

async function refusal(folder: string): Promise<LarmorError> {
  const error = await openModel(folder, { threads: 1 }).then(
    () => assert.fail('the package was opened'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof LarmorError, String(error))
  return error
}

test('a package opens, and its hash is that of its card', async () => {
  const folder = modelFolder({ stage1: middle, refiner: gaussianRefiner(0) })
  const model = await openModel(folder, { threads: 1 })
  assert.equal(model.sha256, sha256(readFileSync(join(folder, 'model.json'))))
  assert.ok(model.refiner)
  await model.close()
})

test('a graph that was changed after export is refused, by one byte', async () => {
  const folder = modelFolder({ stage1: middle })
  const bytes = readFileSync(join(folder, 'stage1.onnx'))
  bytes[bytes.length - 1]! ^= 1
  writeFileSync(join(folder, 'stage1.onnx'), bytes)
  const { fault } = await refusal(folder)
  assert.equal(fault.kind, 'model.damaged')
  assert.match(fault.found, /hash/)
})

test('a graph that is no ONNX is refused even where its hash is right', async () => {
  for (const bytes of [Buffer.from('no graph at all'), Buffer.alloc(0), Buffer.alloc(2000, 8)]) {
    const folder = modelFolder({ stage1: middle }, (card) => ({
      ...card,
      stage1: { ...card.stage1, sha256: sha256(bytes) },
    }))
    writeFileSync(join(folder, 'stage1.onnx'), bytes)
    assert.equal((await refusal(folder)).fault.kind, 'model.damaged')
  }
})

test('a missing graph and a missing card are refused', async () => {
  const folder = modelFolder({ stage1: middle })
  rmSync(join(folder, 'stage1.onnx'))
  assert.equal((await refusal(folder)).fault.kind, 'model.damaged')
  rmSync(join(folder, 'model.json'))
  assert.equal((await refusal(folder)).fault.kind, 'input.notFound')
})

test('a graph of another number of channels than the card says is refused with both', async () => {
  const folder = modelFolder({ stage1: weightedChannels([0, 0, 1, 0, 0]) })
  const { fault } = await refusal(folder)
  assert.equal(fault.kind, 'model.mismatch')
  assert.match(fault.found, /5/)
  assert.match(fault.expected, /N × 3 × 32 × 32/)
})

test('a graph of another fixed image size than the card says is refused with both', async () => {
  const folder = modelFolder({ stage1: weightedChannels([0, 1, 0], [64, 48]) })
  const { fault } = await refusal(folder)
  assert.equal(fault.kind, 'model.mismatch')
  assert.match(fault.found, /48 × 64/)
})

test('a graph of a fixed image size cannot look at the rectangle about the body', async () => {
  const fixed = { stage1: weightedChannels([0, 1, 0], [32, 32]) }
  await (await openModel(modelFolder(fixed), { threads: 1 })).close()
  const folder = modelFolder(fixed, (card) => ({
    ...card,
    stage1: { ...card.stage1, bodyBox: { marginPixels: 8, multipleOf: 16 } },
  }))
  const { fault } = await refusal(folder)
  assert.equal(fault.kind, 'model.mismatch')
  assert.match(fault.expected, /height × width/)
})

test('a refiner in the place of stage 1 is refused', async () => {
  const folder = modelFolder({ stage1: gaussianRefiner(0) })
  assert.equal((await refusal(folder)).fault.kind, 'model.mismatch')
})

test('a card with a misspelt, missing or impossible field is refused, and so is an even number of channels', async () => {
  const edits: ((card: ModelCard) => unknown)[] = [
    (card) => ({ ...card, intendedUs: card.intendedUse }),
    (card) => Object.fromEntries(Object.entries(card).filter(([key]) => key !== 'mr')),
    (card) => ({ ...card, schema: 'larmor/model@2' }),
    (card) => ({ ...card, input: { ...card.input, spacingMm: [2, -2] } }),
  ]
  for (const edit of edits)
    assert.equal((await refusal(modelFolder({ stage1: middle }, edit))).fault.kind, 'json.refused')
  const even = modelFolder({ stage1: middle }, (card) => ({ ...card, input: { ...card.input, channels: 2 } }))
  assert.equal((await refusal(even)).fault.kind, 'model.mismatch')
})

test('a file name in the card cannot lead out of the package', async () => {
  const folder = modelFolder({ stage1: middle }, (card) => ({
    ...card,
    stage1: { ...card.stage1, file: '../stage1.onnx' },
  }))
  assert.equal((await refusal(folder)).fault.kind, 'json.refused')
})
