/**
 * From a run to a model package: trace, write, open in ONNX Runtime, compare with libtorch, and only then give the
 * folder its name.
 */
import { basename, dirname, join, resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../errors.ts'
import { sha256OfFile, version, writeChunksAtomic, writeFileAtomic, writeFolderWhole, writeJson } from '../files.ts'
import { planSha256, targetsOf } from '../plan/index.ts'
import type { Report } from '../progress.ts'
import { INTENDED_USE, openNetwork, type ModelCard, type Network, type SamplerSettings } from '../synthesis/index.ts'
import { scope, setThreads } from '../tensor/index.ts'
import { multipleOf, sigmaRange, type RefinerConfig } from '../training/index.ts'
import type { BoxRule } from '../volume/index.ts'
import { bestMode, cardOf, type Described } from './card.ts'
import { calibrationFigure } from './calibration.ts'
import { fromStore } from './from-store.ts'
import { libtorchNetwork, refinerNetwork, stage1Network, traceable, type Exported } from './networks.ts'
import { encodeModel } from './onnx-file.ts'
import { onValidation, type Graphs } from './on-validation.ts'
import { onRealSlices, refinerRandom, requireParity, stage1Random, type Twins } from './parity.ts'
import { openSources, type Sources } from './sources.ts'
import { traceNetwork } from './trace.ts'

export type ExportOptions = {
  /** What the model is called; the output folder's name where left out. */
  name?: string | undefined
  /** The slice store, where it no longer lies where the run found it. */
  storeDir?: string | undefined
  threads: number
  report: Report
  signal?: AbortSignal | undefined
}

/** Noise levels of a sample, so many evaluations a slice: what a CPU affords. */
const STEPS = 4

/**
 * @param runDir  a run of either stage; the second knows its first
 * @returns the card, as written
 * @throws export.parity      a graph differs from libtorch by more than 1e-3: nothing is written
 * @throws run.mismatch       the first stage has been trained on since, or the store is another plan's
 * @throws usage.outputExists the folder is not empty, or a file
 * @throws run.damaged, store.damaged, input.notFound, machine.diskFull, interrupted
 */
export async function exportModel(runDir: string, outputDir: string, options: ExportOptions): Promise<ModelCard> {
  setThreads(options.threads)
  const sources = await openSources(runDir)
  tellUnfinished(sources, options.report)
  const name = options.name ?? basename(resolve(outputDir))
  try {
    return await writeFolderWhole(outputDir, async (temporary) => {
      const card = await writePackage(sources, temporary, { ...options, name })
      throwIfAborted(options.signal, `Writing ${outputDir}`)
      return card
    })
  } finally {
    sources.dispose()
  }
}

async function writePackage(
  sources: Sources,
  folder: string,
  options: ExportOptions & { name: string },
): Promise<ModelCard> {
  const { stage1, refiner } = sources
  const { plan } = stage1.run
  const open: Written[] = []
  const write = async (file: string, network: Exported): Promise<Written> => {
    throwIfAborted(options.signal, `Writing ${file}`)
    options.report({ at: 'stage', name: `exporting ${file}` })
    const written = await writeGraph(join(folder, file), network, plan.sliceSize, options)
    open.push(written)
    return written
  }
  try {
    const first = await write('stage1.onnx', stage1Network(stage1.run.config, plan, stage1.predictor.params))
    const second = refiner && {
      ...(await write('refiner.onnx', refinerNetwork(refiner.config, plan, refiner.predictor.params))),
      sigmaData: refiner.sigmaData,
      sampler: samplerOf(refiner.sigmaData, refiner.config),
      defaultMode: bestMode(refiner),
    }
    options.report({ at: 'stage', name: 'comparing ONNX Runtime with libtorch' })
    const described = await compared(sources, first, second, options)
    const card = cardOf(plan, refiner ? [stage1, refiner] : [stage1], described, version(), new Date())
    await writeJson(join(folder, 'model.json'), card)
    return card
  } finally {
    for (const { twins } of open) await twins.onnx.close()
  }
}

/**
 * What the card says of the graphs, among it how far they are from libtorch.
 * @throws export.parity
 */
async function compared(
  { stage1, refiner, storeDir: recorded }: Sources,
  first: Written,
  second: SecondWritten | undefined,
  options: ExportOptions & { name: string },
): Promise<Described> {
  const { name, storeDir = recorded, signal } = options
  const { plan, config } = stage1.run
  const { sliceSize: size, spacingMm } = plan
  const channels = 2 * plan.neighbours + 1
  const targets = targetsOf(plan).length
  // Powers of two, so the larger one is a multiple of both.
  const multiple = Math.max(...[stage1, refiner].flatMap((each) => (each ? [multipleOf(each.run.config, plan)] : [])))
  const ofStage1 = await stage1Random(first.twins, channels, size, multiple)
  const ofRefiner = second
    ? await refinerRandom(second.twins, { channels, targets }, size, multiple, second.sampler)
    : 0
  const { slices, gate } = await fromStore(storeDir, planSha256(plan), signal)
  const real = await onRealSlices(first, second, slices, size)
  const differences = { ...real, 'stage1, random': ofStage1, 'refiner, random': ofRefiner }
  for (const [what, found] of Object.entries(differences)) requireParity(what, found)
  options.report({ at: 'stage', name: 'measuring the package on validation slices' })
  const found = await onValidation(storeDir!, graphsOf(first, second), options.report)
  const uncertainty = found.calibration
  if (uncertainty)
    await writeFileAtomic(
      join(dirname(first.file), FIGURE),
      `${calibrationFigure(uncertainty, `Error against the SD of ${uncertainty.samples} samples, ${found.slices} validation slices`)}\n`,
    )
  return {
    name,
    gate,
    found,
    input: { channels, size, multipleOf: multiple, spacingMm },
    stage1: {
      file: basename(first.file),
      sha256: first.sha256,
      generator: config.generator,
      normalisation: first.normalisation,
      weights: config.generator === 'unet' ? 'as trained' : 'averaged',
      ...boxOf(first),
      parity: { random: ofStage1, realSlices: real.stage1 },
    },
    refiner: second
      ? {
          file: basename(second.file),
          sha256: second.sha256,
          sigmaData: second.sigmaData,
          sampler: second.sampler,
          defaultMode: second.defaultMode,
          weights: 'averaged',
          ...boxOf(second),
          parity: { random: ofRefiner, realSlices: real.refiner },
          sampledParity: real.sampled,
          ...(uncertainty ? { uncertainty } : {}),
        }
      : null,
  }
}

const boxOf = ({ bodyBox }: Written): { bodyBox?: BoxRule } => (bodyBox ? { bodyBox } : {})

/** Beside model.json: what its figures of uncertainty look like. */
const FIGURE = 'uncertainty.svg'

function graphsOf(first: Written, second: SecondWritten | undefined): Graphs {
  const refiner = second && {
    ...seeing(second),
    sigmaData: second.sigmaData,
    sampler: second.sampler,
    defaultMode: second.defaultMode,
  }
  return { stage1: seeing(first), refiner }
}

const seeing = ({ twins, bodyBox }: Written): Graphs['stage1'] => ({ network: twins.onnx, bodyBox })

type SecondWritten = Written & Pick<NonNullable<ModelCard['refiner']>, 'sigmaData' | 'sampler' | 'defaultMode'>
type Written = { file: string; sha256: string; twins: Twins } & Pick<Exported, 'normalisation' | 'bodyBox'>

async function writeGraph(
  file: string,
  network: Exported,
  size: readonly [number, number],
  { threads, signal }: ExportOptions,
): Promise<Written> {
  const graph = scope(() => traceNetwork(traceable(network, size)))
  await writeChunksAtomic(file, encodeModel(graph, version(), { intendedUse: INTENDED_USE }))
  return {
    file,
    sha256: await sha256OfFile(file),
    normalisation: network.normalisation,
    bodyBox: network.bodyBox,
    twins: {
      libtorch: heeding(libtorchNetwork(network), signal),
      onnx: heeding(await openNetwork(file, threads), signal),
    },
  }
}

/** The network, which hears a request to stop before each run. */
function heeding(network: Network, signal: AbortSignal | undefined): Network {
  return {
    ...network,
    async run(feeds) {
      await setImmediate()
      throwIfAborted(signal, 'Comparing ONNX Runtime with libtorch')
      return network.run(feeds)
    },
  }
}

function samplerOf(sigmaData: number, { sampleFrom, wiener }: RefinerConfig): SamplerSettings {
  // Runs of before the filter make the packages that they made.
  const noise = wiener ? 'mirrored' : 'independent'
  return { name: 'dpmpp2m', steps: STEPS, ...sigmaRange(sigmaData, sampleFrom), rho: 7, noise }
}

/** Weights so far may be what is wanted, for a look: so it is said, and not refused. */
function tellUnfinished({ stage1, refiner }: Sources, report: Report): void {
  for (const each of refiner ? [stage1, refiner] : [stage1]) {
    const { dir, record } = each.run
    if (record.state === 'finished') continue
    const message = `${dir} is not finished (${record.state}): these are its best weights so far, of step ${each.predictor.state.step}.`
    report({ at: 'note', message })
  }
}
