/** Our side of bench/train.ts: one training step of a network as its preset makes it, and what convolutions can reach. */
import {
  initPix2pix,
  initRefinerTraining,
  initResidualTraining,
  PAPER_LAMBDA_L1,
  PAPER_NOISE,
  PAPER_UNET,
  pix2pixStep,
  REFINER_DEFAULTS,
  refinerStep,
  RESIDUAL_DEFAULTS,
  residualStep,
} from '../../src/models/index.ts'
import {
  autocast,
  fastConvolutions,
  generator,
  libtorchInfo,
  ones,
  rand,
  setThreads,
  sub,
  to,
  type Tensor,
} from '../../src/tensor/index.ts'
import { answerLines, startClock } from '../contest/answer.ts'
import { convolutionPeak, hearConvolutions } from '../contest/convolutions.ts'

export type Network = 'paper' | 'best' | 'refiner'
type Request = {
  network?: Network
  batch?: number
  count?: boolean
  peak?: boolean
  bfloat16?: boolean
  fast?: boolean
}

const SIDE = 256
const threads = process.argv[2] ?? '1'
const device = process.argv[3] === 'cuda' ? 'cuda' : 'cpu'
setThreads(Number(threads))
const random = generator(1)
const image = (batch: number, channels = 1): Tensor =>
  to(sub(rand([batch, channels, SIDE, SIDE], { generator: random }), 0.5), { device }).keep()

const STEPS: Record<Network, (batch: number) => () => unknown> = {
  paper(batch) {
    const options = {
      unet: { ...PAPER_UNET, inChannels: 1 },
      critic: { inChannels: 2, ndf: PAPER_UNET.ngf, norm: PAPER_UNET.norm },
      lambdaL1: PAPER_LAMBDA_L1,
    }
    const state = initPix2pix(options, random, device)
    const [ct, mr] = [image(batch), image(batch)]
    return () => pix2pixStep(state, options, ct, mr, { generator: random })
  },
  best(batch) {
    const tables = [{ ct: [-1, -0.5, 0, 1], mr: [-1, 0.2, 0.4, -0.2] }]
    const options = { ...RESIDUAL_DEFAULTS, inChannels: 3, tables }
    const state = initResidualTraining(options, { lr: 1e-3, emaDecay: 0.999 }, random, device)
    const images = { ct: image(batch, 3), mr: image(batch), weight: ones([batch, 1, SIDE, SIDE], { device }) }
    return () => residualStep(state, options, images)
  },
  refiner(batch) {
    const options = { ...REFINER_DEFAULTS, targets: 1, conditionChannels: 4 }
    const state = initRefinerTraining(options, { lr: 1e-3, emaDecay: 0.999 }, random, device)
    const weight = ones([batch, 1, SIDE, SIDE], { device })
    const images = { ct: image(batch, 3), stage1: image(batch), mr: image(batch), weight }
    return () => refinerStep(state, options, { ...PAPER_NOISE, sigmaData: 0.5 }, images, { generator: random })
  },
}

const known = new Map<string, () => unknown>()

function stepOf(network: Network, batch: number): () => unknown {
  const name = `${network} ${batch}`
  if (!known.has(name)) known.set(name, STEPS[network](batch))
  return known.get(name)!
}

/** GFLOP of a step: every convolution once forward, and once more for each of its two gradients that is asked for. */
function gflopOf(step: () => unknown, network: Network): number {
  const heard: { gflop: number; passes: number }[] = []
  hearConvolutions(step, ({ x, weight, gflop }) => {
    heard.push({ gflop, passes: 1 + Number(x.requiresGrad) + Number(weight.requiresGrad) })
  })
  // What the critic says to the generator comes last, and no gradient of the critic's weights is asked for there.
  if (network === 'paper') for (const each of heard.slice(-CRITIC_LAYERS)) each.passes--
  return heard.reduce((sum, { gflop, passes }) => sum + gflop * passes, 0)
}
const CRITIC_LAYERS = 5

answerLines(`larmor, libtorch ${libtorchInfo().version}, Node ${process.versions.node}`, (asked) => {
  const request = asked as Request
  if (request.peak) return { gflopPerSecond: convolutionPeak(random) }
  const step = stepOf(request.network!, request.batch!)
  if (request.count) return { gflop: gflopOf(step, request.network!) }
  if (request.fast !== undefined) fastConvolutions(request.fast)
  const [clock, began] = [startClock(), performance.now()]
  // Its losses are read at the end of a step, which waits for a GPU.
  if (request.bfloat16) autocast(device, 'bfloat16', () => void step())
  else step()
  return { cpuMs: clock(), wallMs: performance.now() - began }
})
