/**
 * The synthetic MR (or its uncertainty) as one enhanced multi-frame file: Enhanced MR Image Storage (PS3.3 A.36.2).
 *
 * The same marks and places as the classic series (write-synthetic-mr.ts), a frame a slice. Attributes of the MR pulse
 * sequence are for ORIGINAL and MIXED images alone; this one is DERIVED, and has none.
 */
import { throwIfAborted } from '../../errors.ts'
import { exists, writeChunksAtomic } from '../../files.ts'
import { bytesOf } from '../voxels.ts'
import { textOf } from './attributes.ts'
import { elementsFrom, encodeFile } from './encode.ts'
import type { Attributes } from './encode.ts'
import { dicomFault } from './fault.ts'
import type { DataSet } from './parse.ts'
import { storedUnsigned } from './stored.ts'
import { SOP_CLASS, TAGS } from './tags.ts'
import { newUid } from './uid.ts'
import { inheritedOfSeries } from './write-inherited.ts'
import { code, marksOf, referenceItem, referenceTo, seriesUidOf, sourceImages } from './write-marks.ts'
import type { SyntheticMr } from './write-marks.ts'
import { placesOn } from './write-places.ts'
import type { Place } from './write-places.ts'
import { ofPixels } from './write-series.ts'
import { windowOf } from './write-synthetic-mr.ts'
import type { WrittenSeries } from './write-synthetic-mr.ts'

/**
 * Writes the one file.
 * @returns as `writeSyntheticMr`; each slice is a frame of the same instance
 * @throws as `writeSyntheticMr`
 */
export async function writeEnhancedMr(path: string, made: SyntheticMr): Promise<WrittenSeries> {
  if (await exists(path)) throw outputExists(path)
  const { grid, values } = made.mr
  const places = placesOn(made.source, grid, made.resampling ?? {})
  throwIfAborted(made.signal, 'Writing the DICOM file')
  const pixels = bytesOf(storedUnsigned(values, 0, path))
  const seriesUid = seriesUidOf(made, pixels)
  const sopInstanceUid = newUid(seriesUid, 'enhanced')
  // How it was derived stands in each frame of an enhanced image, not beside them.
  const { DerivationDescription, DerivationCodeSequence, ...marks } = marksOf(made, seriesUid, places)
  const derivation = { DerivationDescription: DerivationDescription!, DerivationCodeSequence: DerivationCodeSequence! }
  // Which side is said of each frame, too (Frame Anatomy), and then must not be said of the series.
  const { Laterality: _, ...inherited } = inheritedOfSeries(places[0]!.sources[0]!.frame.dataSet)
  const attributes: Attributes = {
    ...inherited,
    ...marks,
    ...ofPixelsAlone(made),
    ...frameType(),
    ImageType: imageType(made),
    SOPClassUID: SOP_CLASS.enhancedMr,
    SOPInstanceUID: sopInstanceUid,
    InstanceNumber: 1,
    NumberOfFrames: places.length,
    // Of Enhanced General Equipment all are type 1; a program has no serial number but what it computes with.
    DeviceSerialNumber: made.model.sha256.slice(0, 16),
    ContentQualification: 'RESEARCH',
    // Required of derived images too, while no magnet took part: none of its defined terms (IEC, FDA …) holds.
    ApplicableSafetyStandardAgency: 'NONE',
    SourceImageEvidenceSequence: [evidenceOf(made, places)],
    LossyImageCompression: '00',
    PresentationLUTShape: 'IDENTITY',
    AcquisitionContextSequence: [],
    ...dimensions(seriesUid),
    SharedFunctionalGroupsSequence: [sharedGroups(made, places[0]!)],
    PerFrameFunctionalGroupsSequence: places.map((place, k) => frameGroups(derivation, place, k)),
  }
  await writeChunksAtomic(path, encodeFile(elementsFrom(attributes), pixels))
  const slices = places.map((place, k) => ({
    sopClassUid: SOP_CLASS.enhancedMr,
    sopInstanceUid,
    frame: k + 1,
    sources: place.sources.map(referenceTo),
  }))
  return { seriesUid, files: 1, slices }
}

/** Pixel spacing is among the functional groups of an enhanced image. */
function ofPixelsAlone({ mr }: SyntheticMr): Attributes {
  const { PixelSpacing: _, ...rest } = ofPixels(mr.grid)
  return rest
}

/** Value 2 is PRIMARY in every enhanced image; value 4 says how the pixels were derived (PS3.3 C.8.16.1). */
function imageType({ uncertainty }: SyntheticMr): string[] {
  return ['DERIVED', 'PRIMARY', 'OTHER', uncertainty ? 'STD_DEVIATION' : 'NONE']
}

/** Common CT/MR image description macro (PS3.3 C.8.16.2), of the image and of its frames. */
function frameType(): Attributes {
  return {
    PixelPresentation: 'MONOCHROME',
    VolumetricProperties: 'VOLUME',
    VolumeBasedCalculationTechnique: 'NONE',
    ComplexImageComponent: 'MAGNITUDE',
    AcquisitionContrast: 'UNKNOWN',
  }
}

/** Frames are ordered by their place in one stack. */
function dimensions(seriesUid: string): Attributes {
  const organisation = newUid(seriesUid, 'dimensions')
  const index = (name: 'StackID' | 'InStackPositionNumber'): Attributes => ({
    DimensionOrganizationUID: organisation,
    DimensionIndexPointer: TAGS[name][0],
    FunctionalGroupPointer: TAGS.FrameContentSequence[0],
  })
  return {
    DimensionOrganizationSequence: [{ DimensionOrganizationUID: organisation }],
    DimensionIndexSequence: [index('StackID'), index('InStackPositionNumber')],
  }
}

function sharedGroups(made: SyntheticMr, { measures, orientation, sources }: Place): Attributes {
  return {
    PixelMeasuresSequence: [measures],
    PlaneOrientationSequence: [orientation],
    FrameAnatomySequence: [anatomyOf(sources[0]!.frame.dataSet)],
    PixelValueTransformationSequence: [{ RescaleIntercept: 0, RescaleSlope: 1, RescaleType: 'US' }],
    FrameVOILUTSequence: [windowOf(made)],
    MRImageFrameTypeSequence: [{ FrameType: imageType(made), ...frameType() }],
  }
}

function frameGroups(derivation: Attributes, place: Place, k: number): Attributes {
  return {
    FrameContentSequence: [{ StackID: '1', InStackPositionNumber: k + 1, DimensionIndexValues: [1, k + 1] }],
    PlanePositionSequence: [place.position],
    DerivationImageSequence: [{ ...derivation, SourceImageSequence: sourceImages(place) }],
  }
}

/** All instances that the frames name as their sources, once each, under their study and series. */
function evidenceOf({ source }: SyntheticMr, places: readonly Place[]): Attributes {
  const references = places.flatMap(({ sources }) => sources.map(referenceTo))
  const once = new Map(references.map((one) => [one.sopInstanceUid, one]))
  const instances = [...once.values()].map(({ sopClassUid, sopInstanceUid }) =>
    referenceItem({ sopClassUid, sopInstanceUid }),
  )
  return {
    StudyInstanceUID: source.studyUid,
    ReferencedSeriesSequence: [{ SeriesInstanceUID: source.seriesUid, ReferencedSOPSequence: instances }],
  }
}

/** PS3.16 CID 4031, in SNOMED CT. What the CT does not name, or names otherwise, is a structure of the body. */
const REGIONS: Readonly<Record<string, readonly [value: string, meaning: string]>> = {
  HEAD: ['69536005', 'Head'],
  BRAIN: ['12738006', 'Brain'],
  NECK: ['45048000', 'Neck'],
  HEADNECK: ['774007', 'Head and Neck'],
}

function anatomyOf(ct: DataSet): Attributes {
  const [value, meaning] = REGIONS[textOf(ct, 'BodyPartExamined') ?? ''] ?? ['123037004', 'Body structure']
  const side = textOf(ct, 'Laterality') ?? 'U' // unpaired
  return { FrameLaterality: side, AnatomicRegionSequence: [code(value, meaning, 'SCT')] }
}

function outputExists(path: string) {
  return dicomFault('usage.outputExists', 'The output file is there already.', path, 'a file', 'none', {
    fix: 'Choose another output folder, or move this file away.',
  })
}
