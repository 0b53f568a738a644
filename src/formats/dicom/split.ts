/**
 * One series, several volumes: echoes, b-values, time points, phases, stacks and orientations lie in one series of
 * many scanners. Each becomes a volume of its own, or the series stays as it is and is refused when it is read.
 *
 * Two kinds of keys. What is not parallel or not of one matrix can never be one volume, so it is parted by that
 * always. The others (echo, b-value …) part only frames that lie at one place, and only if each part then has every
 * place: an acquisition number that changes along one volume parts nothing.
 */
import type { Vec3 } from '../../volume/index.ts'
import { cross } from '../../volume/index.ts'
import { numbersIfAny, textOf, textsOf } from './attributes.ts'
import type { Frame } from './frame.ts'
import type { DataSet } from './parse.ts'
import type { TagName } from './tags.ts'

/** `label` says what tells this part from the others, '' where the series is one volume. */
export type Part = { label: string; frames: readonly Frame[] }

type Key = { name: string; groups: (frames: readonly Frame[]) => ReadonlyMap<string, readonly Frame[]> }

/** Cosines and spacings of one volume differ by rounding; those of two orientations by more than half a degree. */
const SAME_COSINES = 0.01
const SAME_SPACING_MM = 0.01
/** A survey has three orientations; frames of more than so many kinds are no volumes, and comparing them all takes long. */
const MAX_GROUPS = 64
/** Digits of a millimetre by which two frames lie at one place. */
const PLACE_DIGITS = 2

const ALWAYS: readonly Key[] = [
  byText('localiser', (dataSet) => (isLocaliser(dataSet) ? 'localiser' : 'the others')),
  byText('matrix', (dataSet) => `${numbersIfAny(dataSet, 'Columns')[0]} x ${numbersIfAny(dataSet, 'Rows')[0]}`),
  byNumbers('orientation', 'ImageOrientationPatient', SAME_COSINES, (cosines) => planeOf(cosines) ?? 'none'),
  byNumbers('pixel spacing', 'PixelSpacing', SAME_SPACING_MM, (mm) => `${mm.join(' x ')} mm`),
  byText('stack', (dataSet) => textOf(dataSet, 'StackID') ?? 'none'),
]
const WHERE_REPEATED: readonly Key[] = [
  byText('image type', imageTypeOf),
  byText('echo', (dataSet) => firstOf(dataSet, ['EchoTime', 'EffectiveEchoTime', 'EchoNumbers'])),
  byText('inversion time', (dataSet) => firstOf(dataSet, ['InversionTime'])),
  byText('b-value', (dataSet) => firstOf(dataSet, ['DiffusionBValue'])),
  byText('gradient direction', (dataSet) => firstOf(dataSet, ['DiffusionGradientOrientation'])),
  byText('time point', (dataSet) => firstOf(dataSet, ['TemporalPositionIndex', 'TemporalPositionIdentifier'])),
  byText('acquisition', (dataSet) => firstOf(dataSet, ['FrameAcquisitionNumber', 'AcquisitionNumber'])),
  byText('trigger time', (dataSet) => firstOf(dataSet, ['TriggerTime'])),
]

/** The parts in the order in which their first frames come; one part, with all frames, where nothing parts them. */
export function splitFrames(frames: readonly Frame[]): Part[] {
  return partBy(ALWAYS, (parts) => parts.every(isVolumeOrLocaliser), { label: '', frames }).flatMap((part) =>
    partBy(WHERE_REPEATED, (parts) => haveAllPlaces(parts, part), part),
  )
}

/** One key after the other, each on the parts that those before it left. */
function partBy(keys: readonly Key[], fits: (parts: readonly Part[]) => boolean, whole: Part): Part[] {
  let parts = [whole]
  for (const key of keys) parts = parts.flatMap((part) => partByKey(key, fits, part))
  return parts
}

function partByKey(key: Key, fits: (parts: readonly Part[]) => boolean, part: Part): Part[] {
  const groups = key.groups(part.frames)
  if (groups.size < 2) return [part]
  const parts = [...groups].map(([value, frames]) => ({
    label: [part.label, `${key.name} ${value}`].filter((text) => text !== '').join(', '),
    frames,
  }))
  return fits(parts) ? parts : [part]
}

/** A single image is no volume: if parting leaves one, the series is a survey and is refused as what it is. */
function isVolumeOrLocaliser({ frames }: Part): boolean {
  return frames.length > 1 || isLocaliser(frames[0]!.dataSet)
}

function isLocaliser(dataSet: DataSet): boolean {
  return textsOf(dataSet, 'ImageType').includes('LOCALIZER')
}

function haveAllPlaces(parts: readonly Part[], { frames }: Part): boolean {
  const all = places(frames)
  return all > 1 && all < frames.length && parts.every((part) => places(part.frames) === all)
}

function places(frames: readonly Frame[]): number {
  const place = ({ dataSet }: Frame): string =>
    numbersIfAny(dataSet, 'ImagePositionPatient')
      .map((mm) => mm.toFixed(PLACE_DIGITS))
      .join(' ')
  return new Set(frames.map(place)).size
}

function byText(name: string, of: (dataSet: DataSet) => string): Key {
  return { name, groups: (frames) => Map.groupBy(frames, ({ dataSet }) => of(dataSet)) }
}

/** Numbers that differ by rounding only are the same: each frame joins the first group that it fits. */
function byNumbers(name: string, tag: TagName, tolerance: number, label: (numbers: number[]) => string): Key {
  const fits = (a: number[], b: number[]): boolean =>
    a.length === b.length && a.every((value, n) => Math.abs(value - b[n]!) <= tolerance)
  const groups = (frames: readonly Frame[]): Map<string, Frame[]> => {
    const found: { like: number[]; frames: Frame[] }[] = []
    for (const frame of frames) {
      const numbers = numbersIfAny(frame.dataSet, tag)
      const group = found.find(({ like }) => fits(like, numbers))
      if (group) group.frames.push(frame)
      else found.push({ like: numbers, frames: [frame] })
      if (found.length > MAX_GROUPS) return new Map([['several', [...frames]]])
    }
    return new Map(found.map((group, n) => [`${n + 1} (${label(group.like)})`, group.frames]))
  }
  return { name, groups }
}

/** The plane that the normal is nearest to. */
export function planeOf(cosines: readonly number[]): 'axial' | 'coronal' | 'sagittal' | undefined {
  if (cosines.length !== 6) return undefined
  const normal = cross(cosines.slice(0, 3) as unknown as Vec3, cosines.slice(3) as unknown as Vec3).map(Math.abs)
  return (['sagittal', 'coronal', 'axial'] as const)[normal.indexOf(Math.max(...normal))]
}

/** What kind of picture: value 3 and up of the image type and the frame type (M, P, PHASE MAP, ADC …). */
function imageTypeOf(dataSet: DataSet): string {
  return [...textsOf(dataSet, 'ImageType').slice(2), ...textsOf(dataSet, 'FrameType').slice(2)].join(' ')
}

function firstOf(dataSet: DataSet, names: readonly TagName[]): string {
  const numbers = names.map((name) => numbersIfAny(dataSet, name)).find((found) => found.length > 0)
  return numbers?.join(' ') ?? 'not given'
}
