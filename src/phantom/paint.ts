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
import { voxelCount } from '../volume/index.ts'
import type { Grid, Vec3 } from '../volume/index.ts'
import type { Anatomy } from './anatomy/index.ts'
import type { Modality } from './tissues.ts'
import { blockCorners, makeBlock } from './blocks.ts'
import type { Block } from './blocks.ts'
import type { PointMap } from './pose.ts'
import { widened } from './shapes.ts'
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

type Brush = { sdf: Sdf; box: Box; low: Vec3; high: Vec3; tissue: number; label: number; depthMm: number }
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
  const width = 0.55 * (grid.spacingMm[0] + grid.spacingMm[1])
  const thick = grid.spacingMm[2] / 3
  const brushes = shown.map(({ structure, tissue, shape, depthMm }): Brush => ({
    sdf: shape.sdf,
    box: shape.box,
    // Beyond this box the organ neither covers a part of the voxel nor asks for its slice to be sampled.
    ...widened(shape.box, nearEdge(width, thick)),
    tissue: TISSUE_NAMES.indexOf(tissue),
    label: structure === undefined ? 1 : structures.indexOf(structure) + 1,
    depthMm,
  }))
  const count = voxelCount(grid)
  const air = TISSUE_NAMES.indexOf('air')
  const images = channels.map(({ mean }) => new Float32Array(count).fill(mean[air]!))
  const painting = { channels: images, labels: new Uint8Array(count), tissues: new Uint8Array(count).fill(air) }
  const block = makeBlock(grid, templateFromMm)
  // Half a block's diagonal, with a margin for what the template's own size does to it.
  const far = MARGIN * 1.2 * 0.5 * Math.hypot(...block.size.map((n, axis) => n * grid.spacingMm[axis]!)) + width + thick
  const painter = makePainter(traits, channels, painting, body.sdf, { width, thick })
  for (const corner of blockCorners(grid, block.size)) {
    if (corner[0] === 0 && corner[1] === 0) yield
    if (body.sdf(...block.middle(corner)) > far) continue
    block.place(corner)
    const reach = reachOf(block, width + thick)
    const skin = body.sdf(...block.centre)
    if (skin > reach || !meets(block.box, body.box, width + thick)) continue
    const active = activeBrushes(brushes, skin, block, width + thick)
    const deepestMm = active.reduce((mm, { depthMm }) => Math.max(mm, depthMm), 0)
    painter(block, active, skin + deepestMm < -reach)
  }
  return painting
}

/** How far from a block's middle a surface can still meet one of its voxels. */
function reachOf({ radiusMm }: Block, width: number): number {
  return MARGIN * radiusMm + width
}

/** The organs that a block can meet, from the last that fills it whole; `skin` is its middle's distance from the skin. */
function activeBrushes(brushes: readonly Brush[], skin: number, block: Block, width: number): Brush[] {
  const { centre } = block
  const reach = reachOf(block, width)
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

/** An edge changes what is seen from half its width on; a place a third of a slice away is that much nearer to it. */
function nearEdge(width: number, thick: number): number {
  return 0.5 * width + 1.15 * thick
}

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
  const near = nearEdge(width, thick)
  return (block, active, deep) => {
    const [dx, dy, dz] = block.step
    for (let n = 0; n < block.count; n++) {
      const [x, y, z, voxel] = [block.x[n]!, block.y[n]!, block.z[n]!, block.voxels[n]!]
      const edge = sample.at(x, y, z, active, deep)
      out.labels[voxel] = sample.label
      out.tissues[voxel] = sample.tissue
      if (edge > near) {
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
      if (depth > 0.5 * width) return depth // nothing covers a part of it
      let edge = Infinity
      const a = coarse(x, y, z)
      const b = fine(x, y, z)
      const c = fibre(x, y, z)
      for (let m = 0; m < active.length; m++) {
        const brush = active[m]!
        const { low, high } = brush
        if (x < low[0] || x > high[0] || y < low[1] || y > high[1] || z < low[2] || z > high[2]) continue
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
