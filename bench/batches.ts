/**
 * How fast augmented batches are made against how fast a network uses them: 16 slices of 256² with every augmentation, and
 * the full-size pix2pix step (U-Net 256, batch 1), alternating in one run with the same threads. The ratio must stay above 5,
 * so that data loading is never the limit. The slices are a head of simple parts: what they show does not change the time.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { augmentedBatch, type Store } from '../src/dataset/index.ts'
import { initPix2pix, PAPER_LAMBDA_L1, PAPER_UNET, pix2pixStep, type Pix2pixOptions } from '../src/models/index.ts'
import { generator, readSafetensors, scope, setThreads, tensor, writeSafetensors } from '../src/tensor/index.ts'

const side = 256
const slices = 60
const batch = 16
const rounds = 3
const everything = {
  flip: true,
  jitter: true,
  turnDegrees: 10,
  sizeShare: 0.1,
  bendMm: 3,
  contrastShare: 1,
  metalShare: 1,
  truncationShare: 1,
  noiseHu: 30,
  shiftHu: 30,
}

/** Mapped from a file, as a store is. */
function openHead(path: string): Store {
  const count = slices * side * side
  const far = (n: number): number => Math.hypot((n % side) - side / 2, (Math.floor(n / side) % side) - side / 2)
  const hu = (n: number): number => (far(n) > 100 ? -1000 : far(n) > 94 ? -100 : far(n) > 88 ? 1300 : 50)
  const shape = [slices, side, side]
  const body = Uint8Array.from({ length: count }, (_, n) => (far(n) > 100 ? 0 : 1))
  const ct = Int16Array.from({ length: count }, (_, n) => hu(n))
  const tensors = {
    ct: tensor(ct, shape, 'int16'),
    mr: tensor(
      Int16Array.from(body, (inside) => (inside ? 9000 : -32767)),
      [slices, 1, side, side],
      'int16',
    ),
    body: tensor(body, shape, 'uint8'),
    mask: tensor(body, shape, 'uint8'),
  }
  writeSafetensors(path, tensors)
  for (const t of Object.values(tensors)) t.dispose()
  const mapped = readSafetensors(path).tensors
  const stored = Object.fromEntries(mapped) as Record<keyof typeof tensors, ReturnType<typeof tensor>>
  const plan = { ct: { kind: 'hu-window', lowHu: -1000, highHu: 1500 }, neighbours: 1, spacingMm: [1, 1] }
  const patients = new Map([['p001', { ...stored, usable: new Uint8Array(slices).fill(1), weights: [1] }]])
  return { dir: '', plan, manifest: undefined, patients, close() {} } as unknown as Store
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
const secondsOf = (body: () => void): number => {
  const began = performance.now()
  body()
  return (performance.now() - began) / 1000
}

setThreads(Math.min(2, cpus().length))
const folder = await mkdtemp(join(tmpdir(), 'larmor-batches-'))
try {
  const store = openHead(join(folder, 'p001.safetensors'))
  const options: Pix2pixOptions = {
    unet: { ...PAPER_UNET, inChannels: 3, outChannels: 1 },
    critic: { inChannels: 4, ndf: PAPER_UNET.ngf, norm: PAPER_UNET.norm },
    lambdaL1: PAPER_LAMBDA_L1,
  }
  const network = initPix2pix(options, generator(1))
  let position = 0
  const makeBatch = (): void =>
    scope(() => {
      const refs = Array.from({ length: batch }, (_, n) => ({ patient: 'p001', k: (position + 7 * n) % slices }))
      augmentedBatch(store, refs, everything, { seed: 1, position })
      position += batch
    })
  const train = (): void =>
    scope(() => {
      const { ct, mr } = augmentedBatch(
        store,
        [{ patient: 'p001', k: 30 }],
        { ...everything, ...off },
        { seed: 1, position: 0 },
      )
      pix2pixStep(network, options, ct, mr, { generator: generator(position) })
    })
  const off = Object.fromEntries(Object.keys(everything).map((key) => [key, 0])) as unknown as typeof everything
  makeBatch()
  train()
  const [made, used]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    made.push(secondsOf(makeBatch) / batch)
    used.push(secondsOf(train))
  }
  const ratio = median(used) / median(made)
  console.log(`batches of ${batch} × ${side}², all augmentations   ${(1 / median(made)).toFixed(1)} images/s`)
  console.log(`full-size pix2pix step, batch 1            ${(1 / median(used)).toFixed(2)} images/s`)
  console.log(JSON.stringify({ bench: 'batches', ratios: { batches: ratio }, machine: { cpu: cpus()[0]?.model } }))
} finally {
  await rm(folder, { recursive: true, force: true })
}
