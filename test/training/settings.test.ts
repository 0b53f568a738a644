import assert from 'node:assert/strict'
import { test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { learningRate, shareDone, stepsOf } from '../../src/training/budget.ts'
import { resolveConfig, type RunConfig } from '../../src/training/settings.ts'

const resolved = (settings: readonly string[], more = {}): RunConfig =>
  resolveConfig({ stage: 'pix2pix', settings, seed: 1, planBatch: 4, ...more })

function refusal(settings: readonly string[], more = {}): string {
  try {
    resolved(settings, more)
  } catch (error) {
    assert.ok(error instanceof LarmorError && error.fault.kind === 'config.refused')
    return `${error.fault.where}: ${error.fault.found}; ${error.fault.expected}`
  }
  return assert.fail(`${settings.join(' ')} was taken`)
}

test('the preset paper is the reference: U-Net 256 of 64 filters, λ 100, Adam 2e-4, batch 1, jitter, 100 + 100 epochs', () => {
  const config = resolved([], { preset: 'paper' })
  assert.ok(config.generator === 'unet')
  const { width, criticWidth, downs, norm, dropout, lambdaL1, batch, epochs, holdShare, jitter, flip, maskLoss } =
    config
  assert.deepEqual([width, criticWidth, downs, norm, dropout, lambdaL1], [64, 64, 8, 'batch', 0.5, 100])
  assert.deepEqual([batch, epochs, holdShare, jitter, flip, maskLoss], [1, 200, 0.5, true, true, false])
  assert.deepEqual([config.learningRate, config.schedule], [2e-4, 'linear'])
})

test('a misspelt setting is refused with the one that was meant', () => {
  assert.match(refusal(['learningrate=1e-3']), /no such setting; perhaps learningRate/)
  assert.match(refusal(['lamdaL1=10'], { preset: 'paper' }), /perhaps lambdaL1/)
  assert.match(refusal(['xyzzy=10']), /one of .*batch/)
})

test('settings that contradict one another, the network or the command are refused', () => {
  assert.match(refusal(['steps=10', 'minutes=1']), /one of epochs, steps, minutes/)
  assert.match(refusal(['batch=2', 'batch=4']), /two values/)
  assert.match(refusal(['downs=6']), /a setting of unet/)
  assert.match(refusal(['levels=2'], { preset: 'paper' }), /a setting of residual/)
  assert.match(refusal(['generator=unet'], { stage: 'diffusion' }), /no choice/)
  assert.match(refusal(['seed=3']), /--seed/)
  assert.match(refusal(['holdShare=0.3']), /schedule=linear/)
  assert.match(refusal(['accumulate=8', 'batch=4']), /8 parts of 4 images/)
  assert.match(refusal(['accumulate=2', 'batch=4'], { preset: 'paper' }), /norm=batch/)
})

test('a value out of range is refused with its name, and so is a word that is no key=value', () => {
  assert.match(refusal(['batch=0']), /batch/)
  assert.match(refusal(['width=12']), /width/)
  assert.match(refusal(['flip=perhaps']), /flip/)
  assert.match(refusal(['batch']), /no key=value/)
})

test('one length replaces the preset’s, and the batch comes from the plan', () => {
  const config = resolved(['minutes=2'])
  assert.deepEqual([config.epochs, config.steps, config.minutes, config.batch], [null, null, 2, 4])
  assert.equal(stepsOf(config, 100), undefined)
  assert.equal(stepsOf(resolved(['epochs=3']), 10), 8)
})

// junyanz: lambda_rule(epoch) = 1 − max(0, epoch + 1 − 100) / 101 for epochs counted from 0.
test('the learning rate of the paper falls by one 101st an epoch from the hundredth on', () => {
  const config = resolved([], { preset: 'paper' })
  const rateOf = (epoch: number) => learningRate(config, { step: 50 * epoch + 7, elapsedSeconds: 0 }, epoch / 200, 50)
  for (const [epoch, expected] of [
    [0, 1],
    [99, 1],
    [100, 100 / 101],
    [150, 50 / 101],
    [199, 1 / 101],
  ] as const)
    assert.ok(Math.abs(rateOf(epoch) / 2e-4 - expected) < 1e-12, `epoch ${epoch}`)
})

test('where the clock ends the run, schedule and end follow the share of time, with room for the last validation', () => {
  const config = resolved(['minutes=1', 'warmUpSteps=1'])
  const share = (elapsedSeconds: number) => shareDone(config, { step: 5, elapsedSeconds }, 100, 10)
  assert.equal(share(25), 0.5)
  assert.equal(share(50), 1)
  const rate = (elapsedSeconds: number) => learningRate(config, { step: 5, elapsedSeconds }, share(elapsedSeconds), 100)
  assert.ok(Math.abs(rate(25) - 0.5e-3) < 1e-12 && Math.abs(rate(50)) < 1e-12)
})
