/** Model packages whose graphs are known formulas: what synthesis makes of them can be said without a network. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256 } from '../../src/files.ts'
import {
  addConstant,
  addInput,
  addNode,
  addOutput,
  emptyGraph,
  encodeModel,
  type OnnxGraph,
} from '../../src/export/onnx-file.ts'
import { INTENDED_USE, type ModelCard } from '../../src/synthesis/index.ts'

export const CHANNELS = 3

/** mr = Σ weights · channel: with [0, 1, 0] the middle CT slice, unchanged. `fixed` is a [width, height] that the graph insists on. */
export function weightedChannels(weights: readonly number[], fixed?: readonly [number, number]): OnnxGraph {
  const graph = emptyGraph()
  const ct = addInput(graph, 'ct', ['N', weights.length, fixed?.[1] ?? 'height', fixed?.[0] ?? 'width'])
  const kernel = addConstant(graph, Float32Array.from(weights), [1, weights.length, 1, 1])
  addOutput(graph, 'mr', addNode(graph, 'Conv', [ct, kernel]), ['N', 1, 'height', 'width'])
  return graph
}

/** One sequence for each row of weights, of its own channels as in `weightedChannels`. */
export function weightedSequences(rows: readonly (readonly number[])[]): OnnxGraph {
  const graph = emptyGraph()
  const ct = addInput(graph, 'ct', ['N', CHANNELS, 'height', 'width'])
  const kernel = addConstant(graph, Float32Array.from(rows.flat()), [rows.length, CHANNELS, 1, 1])
  addOutput(graph, 'mr', addNode(graph, 'Conv', [ct, kernel]), ['N', rows.length, 'height', 'width'])
  return graph
}

/** mr = the mean of width × width pixels of the middle CT slice; beyond the image there are zeros. */
export function blurred(width: number): OnnxGraph {
  const graph = emptyGraph()
  const ct = addInput(graph, 'ct', ['N', CHANNELS, 'height', 'width'])
  const kernel = new Float32Array(CHANNELS * width ** 2)
  kernel.fill(1 / width ** 2, width ** 2, 2 * width ** 2)
  const weights = addConstant(graph, kernel, [1, CHANNELS, width, width])
  const padding = (width - 1) / 2
  const blur = addNode(graph, 'Conv', [ct, weights], { pads: [padding, padding, padding, padding] })
  addOutput(graph, 'mr', blur, ['N', 1, 'height', 'width'])
  return graph
}

/** mr = the middle CT slice less its mean over the image: how much air there is changes every pixel. */
export function lessMean(): OnnxGraph {
  const graph = emptyGraph()
  const ct = addInput(graph, 'ct', ['N', CHANNELS, 'height', 'width'])
  const middle = addNode(graph, 'Conv', [ct, addConstant(graph, Float32Array.of(0, 1, 0), [1, CHANNELS, 1, 1])])
  const mean = addNode(graph, 'GlobalAveragePool', [middle])
  addOutput(graph, 'mr', addNode(graph, 'Sub', [middle, mean]), ['N', 1, 'height', 'width'])
  return graph
}

/**
 * The refiner of data N(m, s²) with m = target · stage 1 and s = SIGMA_DATA. The posterior mean is
 * D = (s² x + σ² m) / (s² + σ²) = c_skip x + c_out F, so F = σ m / (s √(s² + σ²)), and c_noise = ln(σ) / 4 tells σ.
 */
export function gaussianRefiner(target: number): OnnxGraph {
  const graph = emptyGraph()
  addInput(graph, 'scaled', ['N', 1, 'height', 'width'])
  const level = addInput(graph, 'noise_level', ['N'])
  const condition = addInput(graph, 'condition', ['N', CHANNELS + 1, 'height', 'width'])
  const scalar = (value: number): string => addConstant(graph, Float32Array.of(value))
  const pick = addConstant(graph, Float32Array.of(0, 0, 0, target), [1, CHANNELS + 1, 1, 1])
  const mean = addNode(graph, 'Conv', [condition, pick])
  const sigma = addNode(graph, 'Exp', [addNode(graph, 'Mul', [level, scalar(4)])])
  const squared = addNode(graph, 'Add', [addNode(graph, 'Mul', [sigma, sigma]), scalar(SIGMA_DATA ** 2)])
  const below = addNode(graph, 'Mul', [addNode(graph, 'Sqrt', [squared]), scalar(SIGMA_DATA)])
  const factor = addNode(graph, 'Div', [sigma, below])
  const shape = addConstant(graph, BigInt64Array.of(-1n, 1n, 1n, 1n), [4])
  const raw = addNode(graph, 'Mul', [mean, addNode(graph, 'Reshape', [factor, shape])])
  addOutput(graph, 'raw', raw, ['N', 1, 'height', 'width'])
  return graph
}
export const SIGMA_DATA = 0.1

const any = { low: [0], high: [1] }

export type Package = { stage1: OnnxGraph; refiner?: OnnxGraph; size?: [number, number]; spacingMm?: [number, number] }

export function bytesOf(graph: OnnxGraph): Buffer {
  return Buffer.concat(encodeModel(graph, 'test', {}))
}

/** Writes a package into a new folder; MR from 0 to 1000, CT window −1000 … 1000 HU. `edit` changes the card. */
export function modelFolder(
  { stage1, refiner, size = [32, 32], spacingMm = [2, 2] }: Package,
  edit = (card: ModelCard): unknown => card,
): string {
  const folder = mkdtempSync(join(tmpdir(), 'larmor-model-'))
  const write = (file: string, graph: OnnxGraph): { file: string; sha256: string } => {
    const bytes = bytesOf(graph)
    writeFileSync(join(folder, file), bytes)
    return { file, sha256: sha256(bytes) }
  }
  const common = { weights: 'as trained' as const, parity: { random: 0, realSlices: 0 } }
  const sampler = { name: 'dpmpp2m' as const, steps: 4, sigmaMin: 0.002, sigmaMax: 20, rho: 7 }
  const card: ModelCard = {
    schema: 'larmor/model@1',
    name: 'test',
    version: '1',
    createdBy: { program: 'larmor', version: '0.0.0' },
    createdAt: '2026-01-01T00:00:00.000Z',
    intendedUse: INTENDED_USE,
    input: { channels: CHANNELS, size, multipleOf: 1, spacingMm },
    ct: { kind: 'hu-window', lowHu: -1000, highHu: 1000 },
    mr: {
      target: 'mr_test',
      mapping: { kind: 'percentile', lowPercentile: 0.5, highPercentile: 99.5 },
      nominal: { low: 0, high: 1000 },
    },
    stage1: { ...write('stage1.onnx', stage1), ...common, generator: 'test', normalisation: 'none' },
    refiner: refiner
      ? {
          ...write('refiner.onnx', refiner),
          ...common,
          sigmaData: SIGMA_DATA,
          sampler,
          defaultMode: 'single',
          sampledParity: 0,
        }
      : null,
    training: {
      patients: { train: 0, validation: 0, test: 0 },
      splitBy: 'patient',
      planSha256: '0'.repeat(64),
      stages: [],
    },
    fingerprint: { patients: 0, spacingMm: any, slices: any, bodyExtentMm: any, bodyHu: any, mrScale: any },
    metrics: [],
  }
  writeFileSync(join(folder, 'model.json'), JSON.stringify(edit(card)))
  return folder
}
