import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import * as t from '../../src/tensor/index.ts'

const door = new URL('../../src/tensor/index.ts', import.meta.url).href

function worker(body: string): Worker {
  const program = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(${JSON.stringify(door)}).then((t) => { ${body} })`
  return new Worker(program, { eval: true })
}

test('each thread has its own tensors, scopes and modes', async () => {
  const before = t.liveTensors()
  const told = await new Promise((resolve, reject) => {
    worker(
      't.setThreads(1); const x = t.ones([2]); parentPort.postMessage([t.liveTensors(), t.threads(), t.add(x, 1).data()])',
    )
      .on('message', resolve)
      .on('error', reject)
  })
  expect(told).toEqual([1, 1, Float32Array.of(2, 2)])
  expect(t.liveTensors()).toBe(before)
})

test('a worker that is ended amid operators takes nothing down with it', async () => {
  const busy = worker(
    'parentPort.postMessage("on"); for (;;) t.scope(() => { const k = t.ones([64, 64]).keep(); t.matmul(k, k) })',
  )
  await new Promise((resolve) => busy.on('message', resolve))
  expect(await busy.terminate()).toBe(1)
  expect(t.sum(t.ones([10])).item()).toBe(10)
})
