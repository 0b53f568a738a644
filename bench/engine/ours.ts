/** Our side of bench/engine.ts: the same operators as engine/peer.py, called through the addon. */
import { setImmediate } from 'node:timers/promises'
import {
  add,
  aten,
  cat,
  conv2d,
  convTranspose2d,
  generator,
  gradients,
  libtorchInfo,
  liveTensors,
  ones,
  operator,
  randn,
  scope,
  setThreads,
  sum,
  type Tensor,
} from '../../src/tensor/index.ts'
import { answerLines, startClock } from '../contest/answer.ts'

type Convolution = { kind: 'conv2d' | 'conv_transpose2d'; x: number[]; w: number[]; stride: number; padding: number }
type Request = { repeats: number; small?: string; convolution?: Convolution; growth?: 'scoped' | 'unscoped' }

setThreads(Number(process.argv[2]))
const [a, b] = [ones([4]), ones([4])]
const recorded = ones([4]).requireGrad()
const addInPlace = operator('add_.Tensor')
const view = operator('view')
const SMALL: Record<string, () => Tensor> = {
  add: () => add(a, b),
  add_: () => addInPlace(a, b),
  'add, recorded': () => add(recorded, b),
  'add 2': () => add(a, 2),
  view: () => view(a, [2, 2]),
  cat: () => cat([a, b], 0),
}

/** A scope every 100 calls, about as many as a training step has in one. */
function small(body: () => Tensor, repeats: number): void {
  for (let done = 0; done < repeats; done += 100) scope(() => times(100, body))
}

function times(count: number, body: () => unknown): void {
  for (let n = 0; n < count; n++) body()
}

function convolution({ kind, x: sizeX, w: sizeW, stride, padding }: Convolution): () => void {
  const random = generator(1)
  const x = randn(sizeX, { generator: random }).requireGrad()
  const w = randn(sizeW, { generator: random }).requireGrad()
  const conv = kind === 'conv2d' ? conv2d : convTranspose2d
  return () => scope(() => void gradients(sum(conv(x, w, undefined, { stride, padding })), [x, w]))
}

/** How much higher memory (MiB) and live tensors stand at most in a second round of this many small tensors than in a first. */
async function growth(how: 'scoped' | 'unscoped', repeats: number): Promise<object> {
  const round = async (): Promise<{ mib: number; tensors: number }> => {
    const most = { mib: 0, tensors: 0 }
    for (let done = 0; done < repeats; done += 1000) {
      if (how === 'scoped') small(() => add(a, b), 1000)
      else times(1000, () => aten['add.Tensor'](a, b))
      most.mib = Math.max(most.mib, process.memoryUsage.rss() / 2 ** 20)
      most.tensors = Math.max(most.tensors, liveTensors())
      await setImmediate() // the collector frees when the loop turns, as it does between two steps
    }
    return most
  }
  const [first, second] = [await round(), await round()]
  return { grownMib: second.mib - first.mib, grownTensors: second.tensors - first.tensors }
}

const known = new Map<string, () => void>()

answerLines(`larmor, libtorch ${libtorchInfo().version}, Node ${process.versions.node}`, async (asked) => {
  const request = asked as Request
  if (request.growth) return growth(request.growth, request.repeats)
  const name = JSON.stringify(request.convolution)
  if (request.convolution && !known.has(name)) known.set(name, convolution(request.convolution))
  const clock = startClock()
  if (request.small !== undefined) small(SMALL[request.small]!, request.repeats)
  else times(request.repeats, known.get(name)!)
  return { cpuMs: clock() }
})
