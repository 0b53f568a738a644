/** The float64 checks that both golden variants share: architecture, losses, optimiser and statistics, to 1e-7. */
import assert from 'node:assert/strict'
import { countTrained } from '../../src/nn/index.ts'
import { assertPicks, assertRelative, assertSummary, type Golden } from './golden-rule.ts'
import { generated, judged, layerOutputs, step, values, type GoldenRun } from './golden-run.ts'

const TO = 1e-7

export function checkNames(run: GoldenRun, golden: Golden): void {
  for (const [net, params] of [
    ['G', run.generator],
    ['D', run.critic],
  ] as const) {
    assert.deepEqual(
      [...params.tensors].map(([name, t]) => [name, t.shape]),
      golden.state_dict[net],
    )
    assert.deepEqual([...params.trained.keys()], golden.parameter_order[net])
    assert.equal(countTrained(params), golden.parameter_count[net])
  }
}

export function checkForward(run: GoldenRun, golden: Golden, tolerance = TO): void {
  assertSummary(values(run.ct), golden.input_A, 1e-12, 'input A')
  assertSummary(values(run.mr), golden.input_B, 1e-12, 'input B')
  assertSummary(generated(run, false), golden.forward_eval_initial.G, tolerance, 'G in evaluation')
  assertSummary(judged(run, false), golden.forward_eval_initial.D_real, tolerance, 'D in evaluation')
  assertSummary(generated(run, true), golden.steps[0].fake_B, tolerance, 'G in training')
  const layers = layerOutputs(run)
  assert.deepEqual([...layers.keys()].sort(), Object.keys(golden.layers_step1_train_forward).sort())
  for (const [key, expected] of Object.entries(golden.layers_step1_train_forward))
    assertSummary(layers.get(key)!, expected, tolerance, key)
}

/** Three steps: every loss, and the gradients of the first, which Adam's first moment holds times 1 − β₁. */
export function checkSteps(run: GoldenRun, golden: Golden): void {
  golden.steps.forEach((expected, i) => {
    const losses = step(run)
    const named = {
      loss_D_fake: losses.dFake,
      loss_D_real: losses.dReal,
      loss_D: losses.d,
      loss_G_GAN: losses.gGan,
      L1_unweighted: losses.gL1,
      loss_G: losses.g,
    }
    for (const [name, found] of Object.entries(named))
      assertRelative(found, expected[name as keyof typeof named], TO, `step ${i + 1}, ${name}`)
    if (i === 0) checkGradients(run, golden)
  })
}

function checkGradients(run: GoldenRun, golden: Golden): void {
  for (const [net, state] of [
    ['G', run.adamG],
    ['D', run.adamD],
  ] as const) {
    for (const [name, moment] of state.mean) {
      const expected = golden.steps[0].gradients[net][name]!
      const gradient = values(moment).map((m) => m / (1 - state.options.beta1))
      assertRelative(Math.hypot(...chunkNorms(gradient)), expected.l2, TO, `|gradient of ${net}/${name}|`)
      assertPicks(gradient, expected, TO, 0, `gradient of ${net}/${name}`)
    }
  }
}

/** Norms of pieces, since Math.hypot takes its numbers on the stack. */
function* chunkNorms(x: Float64Array): Generator<number> {
  for (let from = 0; from < x.length; from += 4096) yield Math.hypot(...x.subarray(from, from + 4096))
}

export function checkFinal(run: GoldenRun, golden: Golden): void {
  for (const [net, params] of [
    ['G', run.generator],
    ['D', run.critic],
  ] as const) {
    for (const [name, expected] of Object.entries(golden.final.parameters[net])) {
      const found = values(params.get(name))
      assertPicks(found, expected, TO, 0, `${net}/${name}`)
      const absolute = found.reduce((sum, x) => sum + Math.abs(x), 0)
      const sum = found.reduce((total, x) => total + x, 0)
      assert.ok(Math.abs(sum - expected.sum) <= TO * absolute, `sum of ${net}/${name}`)
    }
    for (const [name, expected] of Object.entries(golden.final.buffers[net])) {
      if (typeof expected === 'number') assert.equal(params.get(name).item(), expected, `${net}/${name}`)
      else assertSummary(values(params.get(name)), expected, TO, `${net}/${name}`)
    }
  }
  assertSummary(generated(run, true), golden.final.forward_train_after3, TO, 'G in training after three steps')
  assertSummary(generated(run, false), golden.final.forward_eval_after3, TO, 'G in evaluation after three steps')
  assertSummary(judged(run, false), golden.final.D_real_eval_after3, TO, 'D in evaluation after three steps')
}
