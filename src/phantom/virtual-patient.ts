/**
 * One virtual patient: a CT, MR series in another frame, labels, and the truth that joins them.
 *
 * Frames      each scanner has its own LPS frame in millimetres: a point p of the CT is the point mrFromCt(p) of the MR.
 */
import { toTheEnd } from '../progress.ts'
import type { Steps } from '../progress.ts'
import { stream } from '../random.ts'
import { apply, centreMm, identityDirection, indexFromMm, invert, volume } from '../volume/index.ts'
import type { Affine, CtVolume, Grid, Mask, MrVolume, Vec3 } from '../volume/index.ts'
import { buildAnatomy } from './anatomy/index.ts'
import type { Anatomy } from './anatomy/index.ts'
import { LANDMARKS } from './anatomy/landmarks.ts'
import { ctInSteps } from './ct.ts'
import type { CtSettings } from './ct.ts'
import { addCouch, addMask } from './fixation.ts'
import { fatChannel, mrFrom, waterChannel } from './mr.ts'
import type { MrSettings } from './mr.ts'
import { channel, paintInSteps } from './paint.ts'
import type { Channel, Painting } from './paint.ts'
import { ctFromMr, ctFromTemplate, drawMisalignment, drawSecondScan, mrFromCt, templateFromCt } from './pose.ts'
import type { Misalignment, MisalignmentLimits, PointMap } from './pose.ts'
import type { Sequence } from './sequences.ts'
import { TISSUES } from './tissues.ts'
import { drawTraits } from './traits.ts'
import type { Traits } from './traits.ts'

export type PhantomSettings = {
  readonly ctGrid: Grid
  readonly mrGrid: Grid
  readonly sequences: readonly Sequence[]
  /** Whether there is a second CT, with contrast agent. */
  readonly contrast: boolean
  readonly ct: CtSettings
  readonly mr: MrSettings
  readonly misalignment: MisalignmentLimits
}
export type Landmark = { readonly name: string; readonly ctMm: Vec3; readonly mrMm: Vec3 }

export type VirtualPatient = {
  readonly traits: Traits
  readonly ct: CtVolume
  /** On the same grid, the patient a little moved: a point p of the CT is contrastFromCt(p) here. */
  readonly contrast: { readonly ct: CtVolume; readonly contrastFromCt: Affine } | undefined
  readonly mr: readonly { readonly sequence: Sequence; readonly image: MrVolume }[]
  /** On the CT's grid: structures[label − 1], 0 outside. */
  readonly labels: Mask
  readonly structures: readonly string[]
  readonly misalignment: Misalignment
  readonly landmarks: readonly Landmark[]
  readonly settings: PhantomSettings
}

/** Everything of the patient with this seed; the same seed gives the same bits. */
export function makeVirtualPatient(seed: number, settings: PhantomSettings): VirtualPatient {
  return toTheEnd(virtualPatientInSteps(seed, settings))
}

/** As `makeVirtualPatient`, for a caller who listens between the steps: none takes longer than a part of a second. */
export function* virtualPatientInSteps(seed: number, settings: PhantomSettings): Steps<VirtualPatient> {
  const traits = drawTraits(seed)
  const anatomy = buildAnatomy(traits)
  const { ctGrid, mrGrid } = settings
  const misalignment = drawMisalignment(traits, centreMm(ctGrid), settings.misalignment)
  const toTemplate = templateFromCt(traits)
  const onCt = yield* paintCtInSteps(anatomy, traits, ctGrid, toTemplate, plainHu)
  const ct = yield* scannedInSteps(anatomy, onCt, toTemplate, seed, 'ct', settings)
  const contrastFromCt = drawSecondScan(seed, centreMm(ctGrid))
  const contrast = settings.contrast ? { ct: yield* contrastScan(), contrastFromCt } : undefined
  const onMr = yield* paintMrInSteps(anatomy, traits, misalignment, settings)
  const mr: { sequence: Sequence; image: MrVolume }[] = []
  for (const [n, sequence] of settings.sequences.entries()) {
    yield
    mr.push({ sequence, image: mrFrom(onMr.channels[n + 1]!, onMr.channels[0]!, mrGrid, seed, sequence, settings.mr) })
  }
  const labels = volume(ctGrid, onCt.labels)
  const landmarks = landmarksOf(anatomy, traits, misalignment, settings)
  return { traits, ct, contrast, mr, labels, structures: anatomy.structures, misalignment, landmarks, settings }

  function* contrastScan(): Steps<CtVolume> {
    const ctFromContrast = invert(contrastFromCt)
    const moved: PointMap = (p) => toTemplate(apply(ctFromContrast, p))
    const enhanced = yield* paintCtInSteps(anatomy, traits, ctGrid, moved, enhancedHu)
    return yield* scannedInSteps(anatomy, enhanced, moved, seed, 'ct contrast', settings)
  }
}

const huChannel = (withAgent: number): Channel =>
  channel(
    (name) => TISSUES[name].hu + withAgent * TISSUES[name].contrastHu,
    (name) => TISSUES[name].ctTexture,
  )
const [plainHu, enhancedHu] = [huChannel(0), huChannel(1)]

/** HU without noise, couch or mask, and labels. */
export function paintCt(anatomy: Anatomy, traits: Traits, grid: Grid): Painting {
  return toTheEnd(paintCtInSteps(anatomy, traits, grid, templateFromCt(traits), plainHu))
}

function paintCtInSteps(anatomy: Anatomy, traits: Traits, grid: Grid, toTemplate: PointMap, hu: Channel) {
  return paintInSteps(anatomy, traits, grid, toTemplate, [hu])
}

/** A scanner's image of what was painted. */
function* scannedInSteps(
  { body }: Anatomy,
  { channels, labels }: Painting,
  toTemplate: PointMap,
  seed: number,
  name: string,
  { ctGrid, ct }: PhantomSettings,
): Steps<CtVolume> {
  const clean = channels[0]!
  if (ct.couch) addCouch(clean, labels, ctGrid)
  if (ct.mask) addMask(clean, labels, ctGrid, body, toTemplate)
  return yield* ctInSteps(clean, labels, ctGrid, { ...ct, seed, name })
}

/** Fat's density, then each sequence's signal of water, without coils or noise; tissues; in the MR's frame. */
export function paintMr(
  anatomy: Anatomy,
  traits: Traits,
  misalignment: Misalignment,
  settings: Pick<PhantomSettings, 'mrGrid' | 'sequences'>,
): Painting {
  return toTheEnd(paintMrInSteps(anatomy, traits, misalignment, settings))
}

function paintMrInSteps(
  anatomy: Anatomy,
  traits: Traits,
  misalignment: Misalignment,
  { mrGrid, sequences }: Pick<PhantomSettings, 'mrGrid' | 'sequences'>,
): Steps<Painting> {
  const [toTemplate, toCt] = [templateFromCt(traits), ctFromMr(misalignment)]
  const channels = [fatChannel, ...sequences.map(waterChannel)]
  return paintInSteps(anatomy, traits, mrGrid, (q) => toTemplate(toCt(q)), channels, 'MR')
}

const RANDOM_LANDMARKS = 60

/** Named places and random ones inside the body, as far as both images hold them. */
function landmarksOf(
  { body }: Anatomy,
  traits: Traits,
  misalignment: Misalignment,
  { ctGrid, mrGrid }: PhantomSettings,
): Landmark[] {
  const toMr = mrFromCt(misalignment)
  const named = Object.entries(LANDMARKS).map(([name, point]) => ({ name, ctMm: ctFromTemplate(traits, point) }))
  const draw = stream(traits.seed, 'phantom', 'landmarks')
  const random: { name: string; ctMm: Vec3 }[] = []
  while (random.length < RANDOM_LANDMARKS) {
    const point: Vec3 = [draw.between(-80, 80), draw.between(-115, 100), draw.between(-150, 110)]
    if (body.sdf(...point) < -3)
      random.push({ name: `point ${random.length + 1}`, ctMm: ctFromTemplate(traits, point) })
  }
  return [...named, ...random]
    .map(({ name, ctMm }) => ({ name, ctMm, mrMm: toMr(ctMm) }))
    .filter(({ ctMm, mrMm }) => holds(ctGrid, ctMm) && holds(mrGrid, mrMm))
}

function holds(grid: Grid, mm: Vec3): boolean {
  return apply(indexFromMm(grid), mm).every((at, axis) => at >= 0 && at <= grid.size[axis]! - 1)
}

/** An axial grid whose middle is `centre`. */
export function axialGrid(size: Vec3, spacingMm: Vec3, centre: Vec3): Grid {
  const originMm: Vec3 = [0, 1, 2].map(
    (axis) => centre[axis]! - ((size[axis]! - 1) / 2) * spacingMm[axis]!,
  ) as unknown as Vec3
  return { size, spacingMm, originMm, direction: identityDirection }
}
