/** A model package, opened: its card, its graphs in ONNX Runtime, and the hash that goes into every output. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LarmorError } from '../errors.ts'
import { sha256, sha256OfFile } from '../files.ts'
import { parseCard, targetsOf, type ModelCard } from './card.ts'
import { damaged, openNetwork, type Network, type Port } from './network.ts'

export type Model = {
  card: ModelCard
  /** Of model.json, which holds the hashes of the graphs: it names the whole package. */
  sha256: string
  stage1: Network
  refiner: Network | undefined
  close(): Promise<void>
}

/**
 * Opens the package in `folder` and checks it: card, hashes, and that the graphs take what the card says.
 * @throws input.notFound  no model.json
 * @throws json.refused    the card is not one of this version
 * @throws model.damaged   a graph is missing, its hash is not the card's, or ONNX Runtime cannot read it
 * @throws model.mismatch  a graph of another input size or number of channels than the card says
 */
export async function openModel(folder: string, { threads }: { threads: number }): Promise<Model> {
  const cardFile = join(folder, 'model.json')
  const text = await readFile(cardFile, 'utf8').catch((error: unknown) => {
    throw noPackage(folder, error)
  })
  const card = parseCard(text, cardFile)
  const { channels } = card.input
  const targets = targetsOf(card).length
  const stage1 = await openChecked(folder, card.stage1, threads, card, {
    inputs: { ct: channels },
    outputs: { mr: targets },
  })
  const refiner =
    card.refiner &&
    (await openChecked(folder, card.refiner, threads, card, {
      inputs: { scaled: targets, noise_level: undefined, condition: channels + targets },
      outputs: { raw: targets },
    }))
  return {
    card,
    sha256: sha256(text),
    stage1,
    refiner: refiner ?? undefined,
    async close() {
      await stage1.close()
      await refiner?.close()
    },
  }
}

/** Channels of each input and output; undefined for the one that is a list of numbers, one an image. */
type Ports = Record<'inputs' | 'outputs', Record<string, number | undefined>>

async function openChecked(
  folder: string,
  { file, sha256: expected, bodyBox }: Pick<ModelCard['stage1'], 'file' | 'sha256' | 'bodyBox'>,
  threads: number,
  card: ModelCard,
  ports: Ports,
): Promise<Network> {
  const path = join(folder, file)
  const found = await sha256OfFile(path).catch((error: unknown) => {
    throw damaged(path, 'no file that can be read', error)
  })
  if (found !== expected) throw damaged(path, `the hash ${found.slice(0, 12)}…, not ${expected.slice(0, 12)}…`)
  const network = await openNetwork(path, threads)
  for (const side of ['inputs', 'outputs'] as const)
    for (const [name, channels] of Object.entries(ports[side])) {
      const port = network[side].find((each) => each.name === name)
      const expected = wanted(channels, bodyBox ? ['height', 'width'] : card.input.size.toReversed())
      if (!port || !fits(port, expected)) throw mismatch(path, name, port, expected)
    }
  return network
}

/** @param size  height and width: numbers where the graph may fix them, names where it has to leave them open */
function wanted(channels: number | undefined, size: readonly (number | string)[]): (number | string)[] {
  return channels === undefined ? ['N'] : ['N', channels, ...size]
}

/** A size that the graph leaves open fits any; one that it fixes must be the expected. */
function fits({ shape }: Port, expected: readonly (number | string)[]): boolean {
  return (
    shape.length === expected.length && shape.every((size, at) => typeof size === 'string' || size === expected[at])
  )
}

function mismatch(
  path: string,
  name: string,
  port: Port | undefined,
  expected: readonly (number | string)[],
): LarmorError {
  return new LarmorError({
    kind: 'model.mismatch',
    message: 'A graph of the model package does not take what its card says.',
    where: `${path}, ${name}`,
    found: port ? port.shape.join(' × ') : 'no such input or output',
    expected: expected.join(' × '),
    fix: 'Use the graphs and the model.json of one export together; do not edit the input sizes.',
  })
}

function noPackage(folder: string, cause: unknown): LarmorError {
  return new LarmorError(
    {
      kind: 'input.notFound',
      message: 'There is no model package here.',
      where: folder,
      found: 'no model.json that can be read',
      expected: 'the folder that larmor export wrote: model.json, stage1.onnx and, for two stages, refiner.onnx',
      fix: 'Check the path given to --model.',
    },
    cause,
  )
}
