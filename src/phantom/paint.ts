/**
 * The painter: samples an anatomy on any grid, organ over organ, with partial volume.
 *
 * An organ covers the share of a voxel that its signed distance d says: 1/2 − d / width, within 0 … 1, where the width is
 * about a voxel; a channel's value is mixed by that share (Porter and Duff 1984, "over"). Labels go to the organ that
 * covers half a voxel or more.
 * A slice is thicker than its pixels are wide: where an edge may cross it, the mean of three places along k is taken
 * (partial volume of a grid three times as fine), elsewhere the one in the middle stands for all.
 * The grid is walked in blocks; organs that cannot reach a block, or lie under one that fills it, are left out.
 */
import { toTheEnd } from '../progress.ts'
import type { Steps } from '../progress.ts'
import { mmFromIndex, voxelCount } from '../volume/index.ts'
import type { Grid, Vec3 } from '../volume/index.ts'
import type { Anatomy } from './anatomy/index.ts'
import type { PointMap } from './pose.ts'
import type { Box, Sdf } from './shapes.ts'
import { TISSUE_NAMES } from './tissues.ts'
import type { TissueName } from './tissues.ts'
import type { Traits } from './traits.ts'

/** What one image channel shows of each tissue, by TISSUE_NAMES' order: a mean, and its share of three textures. */
export type Channel = { readonly mean: Float64Array; readonly texture: Float64Array }

export type Painting = {
  readonly channels: readonly Float32Array[]
  /** structures[label − 1]; 0 outside the body. */
  readonly labels: Uint8Array
  /** Index in TISSUE_NAMES. */
  readonly tissues: Uint8Array
}

export function channel(
  meanOf: (tissue: TissueName) => number,
  textureOf: (tissue: TissueName) => readonly [number, number, number],
): Channel {
  return {
    mean: Float64Array.from(TISSUE_NAMES, meanOf),
    texture: Float64Array.from(TISSUE_NAMES.flatMap((name) => [...textureOf(name)])),
  }
}

/** Which images an organ is painted in: metal disturbs MR beyond its own size. */
export type Modality = 'CT' | 'MR'

type Brush = { sdf: Sdf; box: Box; tissue: number; label: number; depthMm: number }
/** Blocks are about this long: large enough to save tests, small enough to exclude most organs. */
const BLOCK_MM = 13
/** Distances are first-order: a block is ruled out (or in) only with this margin. */
const MARGIN = 1.45

export function paint(...given: Parameters<typeof paintInSteps>): Painting {
  return toTheEnd(paintInSteps(...given))
}

/** Paints in steps of some tens of milliseconds, so that its caller can hear a request to stop between two. */
export function* paintInSteps(
  { body, organs, structures }: Anatomy,
  traits: Traits,
  grid: Grid,
  templateFromMm: PointMap,
  channels: readonly Channel[],
  modality: Modality = 'CT',
): Steps<Painting> {
  const shown = organs.filter(({ only }) => only === undefined || only === modality)
  const brushes = shown.map(({ structure, tissue, shape, depthMm }): Brush => ({
    sdf: shape.sdf,
    box: shape.box,
    tissue: TISSUE_NAMES.indexOf(tissue),
    label: structure === undefined ? 1 : structures.indexOf(structure) + 1,
    depthMm,
  }))
  const deepestMm = Math.max(...brushes.map(({ depthMm }) => depthMm))
  const count = voxelCount(grid)
  const air = TISSUE_NAMES.indexOf('air')
  const images = channels.map(({ mean }) => new Float32Array(count).fill(mean[air]!))
  const painting = { channels: images, labels: new Uint8Array(count), tissues: new Uint8Array(count).fill(air) }
  const width = 0.55 * (grid.spacingMm[0] + grid.spacingMm[1])
  const block = makeBlock(grid, templateFromMm)
  const thick = grid.spacingMm[2] / 3
  const painter = makePainter(traits, channels, painting, body.sdf, { width, thick })
  for (const corner of blockCorners(grid, block.size)) {
    if (corner[0] === 0 && corner[1] === 0) yield
    block.place(corner)
    const { centre, reach } = middleOf(block.box, width + thick)
    const skin = body.sdf(...centre)
    if (skin > reach || !meets(block.box, body.box, width + thick)) continue
    painter(block, activeBrushes(brushes, skin, block, width + thick), skin + deepestMm < -reach)
  }
  return painting
}

type Block = {
  readonly size: Vec3
  /** Fills the lists below for the block at this corner. */
  place(corner: Vec3): void
  count: number
  readonly voxels: Int32Array
  readonly x: Float64Array
  readonly y: Float64Array
  readonly z: Float64Array
  /** A third of a slice, in the template. */
  readonly step: [number, number, number]
  box: Box
}

function* blockCorners({ size }: Grid, step: Vec3): Generator<Vec3> {
  for (let k = 0; k < size[2]; k += step[2])
    for (let j = 0; j < size[1]; j += step[1]) for (let i = 0; i < size[0]; i += step[0]) yield [i, j, k]
}

/** A block of voxels with their places in the template, from a lattice of exact ones every 5 mm or less. */
function makeBlock(grid: Grid, templateFromMm: PointMap): Block {
  const size = grid.spacingMm.map((mm) => Math.max(1, Math.round(BLOCK_MM / mm))) as unknown as Vec3
  const most = size[0] * size[1] * size[2]
  const locate = latticeMap(grid, templateFromMm)
  const out: [number, number, number] = [0, 0, 0]
  const block: Block = {
    size,
    count: 0,
    voxels: new Int32Array(most),
    x: new Float64Array(most),
    y: new Float64Array(most),
    z: new Float64Array(most),
    step: [0, 0, 0],
    box: { low: [0, 0, 0], high: [0, 0, 0] },
    place([i0, j0, k0]) {
      const [ni, nj, nk] = grid.size
      let n = 0
      const low: [number, number, number] = [Infinity, Infinity, Infinity]
      const high: [number, number, number] = [-Infinity, -Infinity, -Infinity]
      for (let k = k0; k < Math.min(k0 + size[2], nk); k++)
        for (let j = j0; j < Math.min(j0 + size[1], nj); j++)
          for (let i = i0; i < Math.min(i0 + size[0], ni); i++) {
            locate(i, j, k, out)
            block.voxels[n] = i + ni * (j + nj * k)
            block.x[n] = out[0]
            block.y[n] = out[1]
            block.z[n] = out[2]
            n++
            for (let axis = 0; axis < 3; axis++) {
              if (out[axis]! < low[axis]!) low[axis] = out[axis]!
              if (out[axis]! > high[axis]!) high[axis] = out[axis]!
            }
          }
      block.count = n
      locate(i0, j0, k0 + 1 / 3, out)
      block.step[0] = out[0] - block.x[0]!
      block.step[1] = out[1] - block.y[0]!
      block.step[2] = out[2] - block.z[0]!
      block.box = { low, high }
    },
  }
  return block
}

type Locate = (i: number, j: number, k: number, out: [number, number, number]) => void

/**
 * The map on a lattice, linear between: a wave 90 mm long and 3 mm high is met to 0.05 mm with nodes 5 mm apart,
 * and it is evaluated once for several voxels.
 */
function latticeMap(grid: Grid, map: PointMap): Locate {
  const step = grid.spacingMm.map((mm) => Math.max(1, Math.floor(5 / mm))) as unknown as Vec3
  const nodes = grid.size.map((n, axis) => Math.ceil((n - 1) / step[axis]!) + 2) as unknown as Vec3
  const { linear, offset } = mmFromIndex(grid)
  const values = new Float64Array(nodes[0] * nodes[1] * nodes[2] * 3)
  let at = 0
  for (let c = 0; c < nodes[2]; c++)
    for (let b = 0; b < nodes[1]; b++)
      for (let a = 0; a < nodes[0]; a++) {
        const [i, j, k] = [a * step[0], b * step[1], c * step[2]]
        const mm = [0, 1, 2].map((r) => linear[0][r]! * i + linear[1][r]! * j + linear[2][r]! * k + offset[r]!)
        values.set(map(mm as unknown as Vec3), at)
        at += 3
      }
  const [stepJ, stepK] = [nodes[0] * 3, nodes[0] * nodes[1] * 3]
  return (i, j, k, out) => {
    const [a, b, c] = [Math.floor(i / step[0]), Math.floor(j / step[1]), Math.floor(k / step[2])]
    const [u, v, w] = [i / step[0] - a, j / step[1] - b, k / step[2] - c]
    const n = a * 3 + b * stepJ + c * stepK
    for (let axis = 0; axis < 3; axis++) {
      const m = n + axis
      const near = mix(mix(values[m]!, values[m + 3]!, u), mix(values[m + stepJ]!, values[m + stepJ + 3]!, u), v)
      const o = m + stepK
      const far = mix(mix(values[o]!, values[o + 3]!, u), mix(values[o + stepJ]!, values[o + stepJ + 3]!, u), v)
      out[axis] = mix(near, far, w)
    }
  }
}

function mix(a: number, b: number, t: number): number {
  return a + (b - a) * t
}

/** A block's middle, and how far from it a surface can still meet one of its voxels. */
function middleOf({ low, high }: Box, width: number): { centre: Vec3; reach: number } {
  const centre: Vec3 = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, (low[2] + high[2]) / 2]
  const diagonal = Math.hypot(high[0] - low[0], high[1] - low[1], high[2] - low[2])
  return { centre, reach: (MARGIN * diagonal) / 2 + width }
}

/** The organs that a block can meet, from the last that fills it whole; `skin` is its middle's distance from the skin. */
function activeBrushes(brushes: readonly Brush[], skin: number, block: Block, width: number): Brush[] {
  const { centre, reach } = middleOf(block.box, width)
  const active: Brush[] = []
  for (const brush of brushes) {
    if (!meets(block.box, brush.box, width)) continue
    const d = Math.max(brush.sdf(...centre), skin + brush.depthMm)
    if (d > reach) continue
    if (d < -reach) active.length = 0
    active.push(brush)
  }
  return active
}

function meets(a: Box, b: Box, mm: number): boolean {
  for (let axis = 0; axis < 3; axis++)
    if (a.low[axis]! > b.high[axis]! + mm || a.high[axis]! < b.low[axis]! - mm) return false
  return true
}

/** `deep`: no voxel of the block is near the skin. */
type Paint = (block: Block, active: readonly Brush[], deep: boolean) => void

function makePainter(
  traits: Traits,
  channels: readonly Channel[],
  out: Painting,
  skin: Sdf,
  { width, thick }: { width: number; thick: number },
): Paint {
  const sample = makeSampler(traits, channels, skin, width)
  const { colour } = sample
  const sum = new Float64Array(colour.length)
  return (block, active, deep) => {
    const [dx, dy, dz] = block.step
    for (let n = 0; n < block.count; n++) {
      const [x, y, z, voxel] = [block.x[n]!, block.y[n]!, block.z[n]!, block.voxels[n]!]
      const edge = sample.at(x, y, z, active, deep)
      out.labels[voxel] = sample.label
      out.tissues[voxel] = sample.tissue
      if (edge > width + MARGIN * thick) {
        for (let image = 0; image < colour.length; image++) out.channels[image]![voxel] = colour[image]!
        continue
      }
      sum.set(colour)
      for (let way = -1; way <= 1; way += 2) {
        sample.at(x + way * dx, y + way * dy, z + way * dz, active, deep)
        for (let image = 0; image < sum.length; image++) sum[image]! += colour[image]!
      }
      for (let image = 0; image < sum.length; image++) out.channels[image]![voxel] = sum[image]! / 3
    }
  }
}

type Sampler = {
  /** Paints all organs at a place of the template into `colour`; returns how far the nearest edge is. */
  at(x: number, y: number, z: number, active: readonly Brush[], deep: boolean): number
  readonly colour: Float64Array
  label: number
  tissue: number
}

function makeSampler(traits: Traits, channels: readonly Channel[], skin: Sdf, width: number): Sampler {
  const perWidth = 1 / width
  const air = TISSUE_NAMES.indexOf('air')
  const { coarse, fine, fibre } = traits
  const colour = new Float64Array(channels.length)
  const sampler: Sampler = {
    colour,
    label: 0,
    tissue: air,
    at(x, y, z, active, deep) {
      for (let image = 0; image < colour.length; image++) colour[image] = channels[image]!.mean[air]!
      sampler.label = 0
      sampler.tissue = air
      const depth = deep ? -Infinity : skin(x, y, z)
      if (depth > width) return depth
      let edge = Infinity
      const a = coarse(x, y, z)
      const b = fine(x, y, z)
      const c = fibre(x, y, z)
      for (let m = 0; m < active.length; m++) {
        const brush = active[m]!
        const own = brush.sdf(x, y, z)
        const inSkin = depth + brush.depthMm
        const d = own > inSkin ? own : inSkin
        if (d < edge && d > -edge) edge = d < 0 ? -d : d
        const share = 0.5 - d * perWidth
        if (share <= 0) continue
        const cover = share < 1 ? share : 1
        const t = brush.tissue
        for (let image = 0; image < colour.length; image++) {
          const { mean, texture } = channels[image]!
          const value = mean[t]! + texture[3 * t]! * a + texture[3 * t + 1]! * b + texture[3 * t + 2]! * c
          colour[image]! += cover * (value - colour[image]!)
        }
        if (share >= 0.5) {
          sampler.label = brush.label
          sampler.tissue = t
        }
      }
      return edge
    },
  }
  return sampler
}
