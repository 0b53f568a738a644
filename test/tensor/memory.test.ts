import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import * as t from '../../src/tensor/index.ts'
import { faultOf } from './fault-of.ts'
import type { Tensor } from '../../src/tensor/index.ts'

const megabytes = (): number => process.memoryUsage.rss() / 2 ** 20

test('100,000 operator calls in scopes leave the resident memory flat', () => {
  const x = t.ones([256, 64])
  const round = (): void =>
    t.scope(() => {
      t.mul(t.add(x, 1), 2)
    })
  for (let i = 0; i < 10_000; i++) round()
  const [rss, live] = [megabytes(), t.liveTensors()]
  for (let i = 0; i < 50_000; i++) round()
  // Had they stayed, 100,000 tensors of 64 KiB would be 6 GiB.
  expect(megabytes() - rss).toBeLessThan(20)
  expect(t.liveTensors()).toBe(live)
})

test('a loop of training steps leaves no tensor behind, also where a step fails', () => {
  const weights = new Map([['w', t.randn([8, 3, 3, 3], { generator: t.generator(1) }).requireGrad()]])
  const x = t.ones([2, 3, 16, 16])
  const step = (fail: boolean): number =>
    t.scope(() => {
      const loss = t.mean(t.square(t.conv2d(x, weights.get('w')!, undefined, { padding: 1 })))
      const grads = t.gradients(loss, weights)
      if (fail) throw new Error('amid a step')
      t.noGrad(() => t.aten.add_(weights.get('w'), grads.get('w'), { alpha: -0.1 }))
      return loss.item()
    })
  const before = t.liveTensors()
  const losses = Array.from({ length: 20 }, () => step(false))
  expect(() => step(true)).toThrow('amid a step')
  expect(t.liveTensors()).toBe(before)
  expect(losses.at(-1)!).toBeLessThan(losses[0]!)
})

test('a scope keeps what it returns, wherever in records, lists and maps it lies, and nothing else', () => {
  const before = t.liveTensors()
  const kept = t.scope(() => {
    const inner = t.scope(() => ({ list: [t.ones([1])], map: new Map([['a', t.ones([1])]]), spare: undefined }))
    t.ones([1])
    return { inner, n: 3, bytes: new Uint8Array(4), text: 'x', nothing: null }
  })
  expect(t.liveTensors()).toBe(before + 2)
  expect(t.add(kept.inner.list[0]!, kept.inner.map.get('a')!).item()).toBe(2)
})

test('what was made outside and is returned from a scope is not freed, nor bound to the outer scope', () => {
  const outside = t.ones([1])
  t.scope(() => {
    t.scope(() => outside)
  })
  expect(outside.item()).toBe(1)
})

test('what an outer scope made and an inner one returns is freed with the outer one', () => {
  const before = t.liveTensors()
  for (let i = 0; i < 3; i++) {
    t.scope(() => {
      const made = t.ones([1])
      t.scope(() => [made, t.scope(() => made)])
      expect(made.item()).toBe(1)
    })
    expect(t.liveTensors()).toBe(before)
  }
})

test('keep() lets a tensor outlive its scope, dispose() frees it at once', () => {
  const before = t.liveTensors()
  const held: Tensor[] = []
  t.scope(() => {
    held.push(t.ones([2]).keep())
  })
  expect(held[0]!.shape).toEqual([2])
  held[0]!.dispose()
  expect(t.liveTensors()).toBe(before)
  expect(faultOf(() => held[0]!.keep()).found).toMatch(/freed/)
})

test('the memory in use counts a storage once, however many views it has', () => {
  const before = t.memory().bytes
  const x = t.zeros([1024, 1024])
  const view = t.narrow(x, 0, 0, 10)
  expect(t.memory().bytes - before).toBe(4 * 2 ** 20)
  view.dispose()
  x.dispose()
  expect(t.memory().bytes).toBe(before)
})

test('without a scope many small tensors do not pile up either', async () => {
  const before = t.liveTensors()
  const x = t.ones([4])
  let most = 0
  for (let i = 0; i < 200_000; i++) {
    t.add(x, x)
    if (i % 1000 === 0) await setImmediate()
    most = Math.max(most, t.liveTensors() - before)
  }
  expect(most).toBeLessThan(120_000)
})

test('without a scope the garbage collector frees, since it is told of the memory', async () => {
  const before = t.liveTensors()
  let most = 0
  for (let i = 0; i < 400; i++) {
    t.ones([2 ** 20]) // 4 MiB each, 1.6 GiB in all
    if (i % 10 === 0) await setImmediate()
    most = Math.max(most, t.liveTensors() - before)
  }
  expect(most).toBeLessThan(300)
})
