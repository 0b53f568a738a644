/**
 * Poses: from the CT's frame to the template, and from the CT to the MR.
 *
 * Units       millimetres, LPS in both scanners' frames. The template's frame is in anatomy/organ.ts.
 * Truth       mrFromCt(p) = rigid(p + d(p)) with d a sum of sine waves and motions: closed, smooth, and known.
 */
import { stream } from '../random.ts'
import type { Random } from '../random.ts'
import { add, apply, cross, invert, norm, scale, subtract } from '../volume/index.ts'
import type { Affine, Mat3, Vec3 } from '../volume/index.ts'
import { motionsAt, sumOfMotions } from './motion.ts'
import type { Motion, MotionAmounts } from './motion.ts'
import { localDisplacement } from './local.ts'
import type { Traits } from './traits.ts'

export type PointMap = (p: Vec3) => Vec3
/** One wave of a displacement: amplitudeMm · sin(radiansPerMm · p + phase). */
export type Wave = { readonly amplitudeMm: Vec3; readonly radiansPerMm: Vec3; readonly phase: number }

export type Misalignment = {
  /** mr = rigid(ct + d(ct)), d the sum of waves and motions. */
  readonly rigidMrFromCt: Affine
  readonly waves: readonly Wave[]
  readonly motions: readonly Motion[]
}
export type MisalignmentLimits = {
  readonly shiftMm: number
  readonly turnDegrees: number
  /** The largest displacement of the waves. */
  readonly bendMm: number
} & MotionAmounts

/** d(p) = Σ amplitude · sin(k · p + phase). */
export function displacement(waves: readonly Wave[], [x, y, z]: Vec3): Vec3 {
  let dx = 0
  let dy = 0
  let dz = 0
  for (let n = 0; n < waves.length; n++) {
    const { amplitudeMm: a, radiansPerMm: k, phase } = waves[n]!
    const s = Math.sin(k[0] * x + k[1] * y + k[2] * z + phase)
    dx += a[0] * s
    dy += a[1] * s
    dz += a[2] * s
  }
  return [dx, dy, dz]
}

/** Waves of random direction, 90 to 170 mm long, whose sum reaches `largestMm` somewhere within a head and neck. */
export function drawWaves(random: Random, count: number, largestMm: number): Wave[] {
  const waves = Array.from({ length: count }, (): Wave => {
    const direction = unit(random)
    const amplitude = unit(random)
    return {
      amplitudeMm: scale(amplitude, random.between(0.5, 1)),
      radiansPerMm: scale(direction, (2 * Math.PI) / random.between(90, 170)),
      phase: random.between(0, 2 * Math.PI),
    }
  })
  let reached = 0
  for (let x = -80; x <= 80; x += 20)
    for (let y = -120; y <= 120; y += 20)
      for (let z = -180; z <= 120; z += 20) reached = Math.max(reached, norm(displacement(waves, [x, y, z])))
  const factor = largestMm / reached
  return waves.map((wave) => ({ ...wave, amplitudeMm: scale(wave.amplitudeMm, factor) }))
}

function unit(random: Random): Vec3 {
  const v: Vec3 = [random.normal(), random.normal(), random.normal()]
  return scale(v, 1 / Math.max(norm(v), 1e-9))
}

/** Up to the limits in shift, turn, bend and motions, about `centreMm` of the CT of this patient. */
export function drawMisalignment(traits: Traits, centreMm: Vec3, limits: MisalignmentLimits): Misalignment {
  const draw = stream(traits.seed, 'phantom', 'misalignment')
  const linear = rotationAbout(unit(draw), (limits.turnDegrees * draw.between(0.4, 1) * Math.PI) / 180)
  const shift = scale(unit(draw), limits.shiftMm * draw.between(0.4, 1))
  const waves = drawWaves(draw, 5, limits.bendMm)
  const sign = (): number => (draw.uniform() < 0.5 ? -1 : 1)
  const motions = motionsAt((point) => ctFromTemplate(traits, point), {
    jawDegrees: limits.jawDegrees * draw.between(0.4, 1),
    neckDegrees: limits.neckDegrees * draw.between(0.4, 1) * sign(),
    swallowMm: limits.swallowMm * draw.between(0.4, 1),
  })
  return { rigidMrFromCt: aboutPoint(linear, centreMm, shift), waves, motions }
}

/** A turn about a point, and a shift. */
function aboutPoint(linear: Mat3, centreMm: Vec3, shift: Vec3): Affine {
  return { linear, offset: subtract(add(centreMm, shift), apply({ linear, offset: [0, 0, 0] }, centreMm)) }
}

/** How the patient lies in a second scan on the same couch: a millimetre and half a degree away. */
export function drawSecondScan(seed: number, centreMm: Vec3): Affine {
  const draw = stream(seed, 'phantom', 'second scan')
  const linear = rotationAbout(unit(draw), (0.5 * draw.between(0.3, 1) * Math.PI) / 180)
  return aboutPoint(linear, centreMm, scale(unit(draw), draw.between(0.4, 1.4)))
}

/** As columns. */
function rotationAbout(axis: Vec3, radians: number): Mat3 {
  const turns = scale(axis, radians)
  return [turnedBy(turns, [1, 0, 0]), turnedBy(turns, [0, 1, 0]), turnedBy(turns, [0, 0, 1])]
}

/** d(p) of a misalignment, in the CT's frame. */
export function bend({ waves, motions }: Misalignment, p: Vec3): Vec3 {
  return add(displacement(waves, p), sumOfMotions(motions, p))
}

export function mrFromCt(misalignment: Misalignment): PointMap {
  return (p) => apply(misalignment.rigidMrFromCt, add(p, bend(misalignment, p)))
}

/** The inverse: d is a contraction (its slope stays below one), so the fixed point is found in some turns. */
export function ctFromMr(misalignment: Misalignment): PointMap {
  const ctFromMrRigid = invert(misalignment.rigidMrFromCt)
  return (q) => fixedPoint(apply(ctFromMrRigid, q), (p) => bend(misalignment, p))
}

/** Solves p + d(p) = target to better than a micrometre. */
function fixedPoint(target: Vec3, d: PointMap): Vec3 {
  let p = target
  for (let turn = 0; turn < 80; turn++) {
    const next = subtract(target, d(p))
    const step = norm(subtract(next, p))
    p = next
    if (step < 1e-4) break
  }
  return p
}

/** The head turns about a place in front of C3. */
const HEAD_PIVOT_MM: Vec3 = [0, 5, -75]
/** From the pivot to the occiput, which rests on the couch whether the chin is up or down. */
const OCCIPUT_ABOVE_MM = 85

/** Where a point of the CT lies in the template: size, long or bent neck, turned head, local differences, and a warp that spoils all symmetry. */
export function templateFromCt(traits: Traits): PointMap {
  const draw = stream(traits.seed, 'phantom', 'warp')
  const { chinUp, tilt, turn } = traits.head
  const onCouchMm = OCCIPUT_ABOVE_MM * Math.sin((chinUp * Math.PI) / 180)
  const placeMm: Vec3 = [draw.between(-6, 6), draw.between(-10, 6) - onCouchMm, 0]
  const waves = drawWaves(draw, 8, 4.2)
  // A turn about +x lowers what lies in front: it brings a chin that is up back to the template's.
  const turns: Vec3 = scale([chinUp, tilt, turn], Math.PI / 180)
  return (p) => {
    const x = (p[0] - placeMm[0]) / traits.scale[0]
    const y = (p[1] - placeMm[1]) / traits.scale[1]
    const z = (p[2] - placeMm[2]) / traits.scale[2]
    const trunk = smoothStep((-40 - z) / 110)
    const [neckX, neckY, neckZ] = traits.neckMm
    const atNeck: Vec3 = [x - trunk * neckX, y - trunk * neckY, z + trunk * neckZ]
    // Head and neck part along a plane that falls from the nape to below the chin.
    const head = smoothStep((atNeck[2] - 0.4 * atNeck[1] + 150) / 90)
    const turned = add(HEAD_PIVOT_MM, turnedBy(scale(turns, head), subtract(atNeck, HEAD_PIVOT_MM)))
    const own = add(turned, localDisplacement(traits.locals, turned))
    return add(own, displacement(waves, own))
  }
}

/** From 0 to 1 as t does, level at both ends. */
function smoothStep(t: number): number {
  const u = Math.max(0, Math.min(1, t))
  return u * u * (3 - 2 * u)
}

/** Rodrigues' formula for one vector: about the axis of `turns`, by its length in radians. */
function turnedBy(turns: Vec3, v: Vec3): Vec3 {
  const angle = norm(turns)
  if (angle === 0) return v
  const axis = scale(turns, 1 / angle)
  const along = axis[0] * v[0] + axis[1] * v[1] + axis[2] * v[2]
  const c = Math.cos(angle)
  return add(add(scale(v, c), scale(cross(axis, v), Math.sin(angle))), scale(axis, along * (1 - c)))
}

/** Where a point of the template lies in the CT: Newton's method with the identity for a Jacobian. */
export function ctFromTemplate(traits: Traits, point: Vec3): Vec3 {
  const forward = templateFromCt(traits)
  let p = point
  for (let turn = 0; turn < 200; turn++) {
    const miss = subtract(forward(p), point)
    p = subtract(p, scale(miss, 0.9))
    if (norm(miss) < 1e-4) return p
  }
  throw new Error('the template’s warp has no inverse here: its slope is too steep')
}
