/**
 * MR of a real CT: each voxel of the MR is found in the CT, its HU say how much of it is air, fat, soft tissue, marrow and
 * cortical bone, the tissue map says which soft tissue and which marrow; from there it is the same scanner as in mr.ts.
 */
import type { Steps } from '../../progress.ts'
import { indexFromMm, voxelCount } from '../../volume/index.ts'
import type { Grid, MrVolume, Volume, VoxelArray } from '../../volume/index.ts'
import { latticeMap } from '../blocks.ts'
import { fatChannel, mrFrom, waterChannel } from '../mr.ts'
import type { MrSettings } from '../mr.ts'
import type { Channel } from '../paint.ts'
import { ctFromMr } from '../pose.ts'
import type { Misalignment } from '../pose.ts'
import type { Sequence } from '../sequences.ts'
import { TISSUE_NAMES, TISSUES } from '../tissues.ts'
import type { Traits } from '../traits.ts'
import type { TissueMap } from './tissue-map.ts'

/** HU at which a voxel is one thing alone; between two it is a mixture of them. */
const PURE_HU = { air: -1000, fat: -105, marrow: 260, cortical: 1150 }
const OF = (name: (typeof TISSUE_NAMES)[number]): number => TISSUE_NAMES.indexOf(name)
const [AIR, FAT, CORTICAL, SKIN] = [OF('air'), OF('fat'), OF('cortical'), OF('skin')]
const [CSF, GREY, WHITE] = [OF('csf'), OF('greyMatter'), OF('whiteMatter')]
/** A gland is pure at its own HU; muscle and the rest at 35 already, since a planning CT's soft tissue spreads. */
const SOFT_HU = TISSUE_NAMES.map((name) => Math.min(35, TISSUES[name].hu))

export type FromCt = {
  readonly ct: Volume
  readonly map: TissueMap
  /** Its textures alone are used. */
  readonly traits: Traits
  readonly misalignment: Misalignment
  readonly mrGrid: Grid
  readonly sequences: readonly Sequence[]
  readonly mr: MrSettings
}

/** One image a sequence, in the MR's frame. */
export function* mrOfCtInSteps(from: FromCt): Steps<MrVolume[]> {
  const channels = [fatChannel, ...from.sequences.map(waterChannel)]
  const images = channels.map(() => new Float32Array(voxelCount(from.mrGrid)))
  const mix = mixer(from, channels, images)
  const locate = latticeMap(from.mrGrid, ctFromMr(from.misalignment))
  const [ni, nj, nk] = from.mrGrid.size
  const place: [number, number, number] = [0, 0, 0]
  for (let k = 0, n = 0; k < nk; k++) {
    if (k % 2 === 0) yield
    for (let j = 0; j < nj; j++)
      for (let i = 0; i < ni; i++, n++) {
        locate(i, j, k, place)
        mix(place, n)
      }
  }
  const out: MrVolume[] = []
  for (const [n, sequence] of from.sequences.entries()) {
    yield
    out.push(mrFrom(images[n + 1]!, images[0]!, from.mrGrid, from.traits.seed, sequence, from.mr))
  }
  return out
}

type Mix = (ctMm: readonly [number, number, number], voxel: number) => void

function mixer({ ct, map, traits }: FromCt, channels: readonly Channel[], images: readonly Float32Array[]): Mix {
  const { linear: a, offset } = indexFromMm(ct.grid)
  const [ni, nj, nk] = ct.grid.size
  const steps = [1, ni, ni * nj] as const
  const { coarse, fine, fibre } = traits
  const value = ({ mean, texture }: Channel, t: number, f: readonly [number, number, number]): number =>
    mean[t]! + texture[3 * t]! * f[0] + texture[3 * t + 1]! * f[1] + texture[3 * t + 2]! * f[2]
  return ([x, y, z], voxel) => {
    const i = a[0][0] * x + a[1][0] * y + a[2][0] * z + offset[0]
    const j = a[0][1] * x + a[1][1] * y + a[2][1] * z + offset[1]
    const k = a[0][2] * x + a[1][2] * y + a[2][2] * z + offset[2]
    if (!(i >= 0 && j >= 0 && k >= 0 && i < ni - 1 && j < nj - 1 && k < nk - 1)) return
    const first = Math.floor(i) + ni * (Math.floor(j) + nj * Math.floor(k))
    const [u, v, w] = [i % 1, j % 1, k % 1]
    const hu = linear(ct.values, first, steps, u, v, w)
    const nearest = first + Math.round(u) * steps[0] + Math.round(v) * steps[1] + Math.round(w) * steps[2]
    // Skin that fills half a voxel belongs to the patient; couch and mask, which no MR shows, do not.
    if (map.body.values[nearest] === 0 && (hu < -400 || !meetsBody(first))) return
    const fields = [coarse(x, y, z), fine(x, y, z), fibre(x, y, z)] as const
    const folded = foldOf(traits.gyri(x, y, z))
    const add = (at: number, weight: number): void => {
      const soft = map.soft[at] === GREY ? folded : map.soft[at]!
      const [low, high, share] = between(hu, soft, map.marrow[at]!)
      for (const [image, one] of channels.entries())
        images[image]![voxel]! += weight * ((1 - share) * value(one, low, fields) + share * value(one, high, fields))
    }
    if (sameAround(first)) add(first, 1)
    else
      for (let corner = 0; corner < 8; corner++) {
        const [right, below, next] = [corner & 1, (corner >> 1) & 1, corner >> 2]
        const weight = (right ? u : 1 - u) * (below ? v : 1 - v) * (next ? w : 1 - w)
        add(first + right * steps[0] + below * steps[1] + next * steps[2], weight)
      }
  }

  function meetsBody(first: number): boolean {
    for (let corner = 0; corner < 8; corner++)
      if (map.body.values[first + (corner & 1) * steps[0] + ((corner >> 1) & 1) * steps[1] + (corner >> 2) * steps[2]])
        return true
    return false
  }

  function sameAround(first: number): boolean {
    for (const labels of [map.soft, map.marrow])
      for (let corner = 1; corner < 8; corner++) {
        const at = first + (corner & 1) * steps[0] + ((corner >> 1) & 1) * steps[1] + (corner >> 2) * steps[2]
        if (labels[at] !== labels[first]) return false
      }
    return true
  }
}

/** Near zero the field is a furrow with fluid, beside it lies grey matter, then white. */
function foldOf(gyri: number): number {
  const furrow = Math.abs(gyri)
  return furrow < 0.12 ? CSF : furrow < 0.6 ? GREY : WHITE
}

/** The two tissues that a voxel of these HU is a mixture of, and the share of the second. */
function between(hu: number, soft: number, marrow: number): readonly [low: number, high: number, share: number] {
  const { air, fat, marrow: marrowHu, cortical } = PURE_HU
  const softHu = SOFT_HU[soft]!
  const share = (from: number, to: number): number => Math.max(0, Math.min(1, (hu - from) / (to - from)))
  // Between air and soft tissue there is skin or mucosa, seldom fat: a gland's or a fat pad's own HU begin at fat's.
  if (hu < fat - 60) return [AIR, SKIN, share(air, fat - 60)]
  if (hu < fat) return [SKIN, FAT, share(fat - 60, fat)]
  if (hu < softHu) return [FAT, soft, share(fat, softHu)]
  if (hu < marrowHu) return [soft, marrow, share(110, marrowHu)]
  return [marrow, CORTICAL, share(marrowHu, cortical)]
}

type Steps3 = readonly [right: number, below: number, next: number]

function linear(values: VoxelArray, n: number, [right, below, next]: Steps3, u: number, v: number, w: number): number {
  const row = (at: number): number => values[at]! + u * (values[at + right]! - values[at]!)
  const near = row(n) + v * (row(n + below) - row(n))
  const far = row(n + next) + v * (row(n + next + below) - row(n + next))
  return near + w * (far - near)
}
