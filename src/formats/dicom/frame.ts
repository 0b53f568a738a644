/**
 * Frames: a classic file is one, an enhanced file holds many.
 *
 * An enhanced frame is given as the data set that a classic file of it would have: the macros of the shared and of
 * its own functional groups laid over the file's attributes (PS3.3 C.7.6.16). So the rest reads one kind of image.
 */
import { numberOf } from './attributes.ts'
import { dicomFault } from './fault.ts'
import type { DicomFile } from './file.ts'
import type { DataSet, ParsedElement } from './parse.ts'
import { TAGS } from './tags.ts'
import type { TagName } from './tags.ts'

export type Frame = {
  file: DicomFile
  /** Place in the file's pixel data, from 0. */
  index: number
  /** How many frames the file has. */
  of: number
  dataSet: DataSet
}

/** Each frame repeats a header of some kilobytes; more than this are not one series of a patient. */
const MAX_FRAMES = 2 ** 14

/** The macros whose attributes have the meaning that they have in a classic image. */
const MACROS: readonly TagName[] = [
  'PlanePositionSequence',
  'PlaneOrientationSequence',
  'PixelMeasuresSequence',
  'PixelValueTransformationSequence',
  'FrameContentSequence',
  'MRTimingAndRelatedParametersSequence',
  'MREchoSequence',
  'MRModifierSequence',
  'MRDiffusionSequence',
  'MRImageFrameTypeSequence',
  'CTReconstructionSequence',
  'CTXRayDetailsSequence',
  'CTImageFrameTypeSequence',
]

/**
 * @throws input.unsupported       more frames than 16384
 * @throws input.missingAttribute  an enhanced image without NumberOfFrames or functional groups
 * @throws input.corrupt           another number of functional groups than of frames
 */
export function framesOf(file: DicomFile, enhanced: boolean): Frame[] {
  if (!enhanced) return [{ file, index: 0, of: 1, dataSet: file.dataSet }]
  const { dataSet, path } = file
  const count = numberOf(dataSet, 'NumberOfFrames', path)
  if (count !== undefined && count > MAX_FRAMES)
    throw dicomFault(
      'input.unsupported',
      'The file has too many frames.',
      path,
      `${count} frames`,
      `${MAX_FRAMES} at most`,
    )
  const perFrame = itemsOf(dataSet, 'PerFrameFunctionalGroupsSequence')
  const shared = itemsOf(dataSet, 'SharedFunctionalGroupsSequence')[0]
  if (count === undefined || perFrame.length !== count)
    throw dicomFault(
      'input.corrupt',
      'The functional groups do not describe the frames.',
      path,
      `${perFrame.length} functional groups`,
      `${count ?? 'as many as frames, and NumberOfFrames'}`,
    )
  const common = [...dataSet.elements, ...(shared ? macroElements(shared) : [])]
  return perFrame.map((group, index) => {
    const elements = new Map([...common, ...macroElements(group)])
    elements.delete(TAGS.NumberOfFrames[0])
    return { file, index, of: count, dataSet: { ...dataSet, elements } }
  })
}

function macroElements(group: DataSet): [number, ParsedElement][] {
  return MACROS.flatMap((name) => {
    const [macro] = itemsOf(group, name)
    if (!macro) return []
    // The direction of diffusion lies one level deeper than everything else.
    const [direction] = itemsOf(macro, 'DiffusionGradientDirectionSequence')
    return [...macro.elements, ...(direction?.elements ?? [])]
  })
}

export function itemsOf({ elements }: DataSet, name: TagName): readonly DataSet[] {
  return elements.get(TAGS[name][0])?.items ?? []
}
