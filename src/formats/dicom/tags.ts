/**
 * The attributes that larmor reads or writes, with tag and value representation (PS3.6, 2024e).
 *
 * This is the whole dictionary: an attribute that is not here is walked over, never interpreted.
 */
export type Vr =
  | 'AS'
  | 'CS'
  | 'DA'
  | 'DS'
  | 'FD'
  | 'IS'
  | 'LO'
  | 'LT'
  | 'OB'
  | 'OW'
  | 'PN'
  | 'SH'
  | 'SQ'
  | 'ST'
  | 'TM'
  | 'UI'
  | 'UL'
  | 'US'

export const TAGS = {
  FileMetaInformationGroupLength: [0x0002_0000, 'UL'],
  FileMetaInformationVersion: [0x0002_0001, 'OB'],
  MediaStorageSOPClassUID: [0x0002_0002, 'UI'],
  MediaStorageSOPInstanceUID: [0x0002_0003, 'UI'],
  TransferSyntaxUID: [0x0002_0010, 'UI'],
  ImplementationClassUID: [0x0002_0012, 'UI'],
  ImplementationVersionName: [0x0002_0013, 'SH'],

  SpecificCharacterSet: [0x0008_0005, 'CS'],
  ImageType: [0x0008_0008, 'CS'],
  InstanceCreationDate: [0x0008_0012, 'DA'],
  InstanceCreationTime: [0x0008_0013, 'TM'],
  SOPClassUID: [0x0008_0016, 'UI'],
  SOPInstanceUID: [0x0008_0018, 'UI'],
  SyntheticData: [0x0008_001c, 'CS'],
  StudyDate: [0x0008_0020, 'DA'],
  SeriesDate: [0x0008_0021, 'DA'],
  ContentDate: [0x0008_0023, 'DA'],
  StudyTime: [0x0008_0030, 'TM'],
  SeriesTime: [0x0008_0031, 'TM'],
  ContentTime: [0x0008_0033, 'TM'],
  AccessionNumber: [0x0008_0050, 'SH'],
  Modality: [0x0008_0060, 'CS'],
  Manufacturer: [0x0008_0070, 'LO'],
  InstitutionName: [0x0008_0080, 'LO'],
  ReferringPhysicianName: [0x0008_0090, 'PN'],
  CodeValue: [0x0008_0100, 'SH'],
  CodingSchemeDesignator: [0x0008_0102, 'SH'],
  CodeMeaning: [0x0008_0104, 'LO'],
  StudyDescription: [0x0008_1030, 'LO'],
  SeriesDescription: [0x0008_103e, 'LO'],
  ManufacturerModelName: [0x0008_1090, 'LO'],
  ReferencedSOPClassUID: [0x0008_1150, 'UI'],
  ReferencedSOPInstanceUID: [0x0008_1155, 'UI'],
  ReferencedFrameNumber: [0x0008_1160, 'IS'],
  DerivationDescription: [0x0008_2111, 'ST'],
  SourceImageSequence: [0x0008_2112, 'SQ'],
  PurposeOfReferenceCodeSequence: [0x0040_a170, 'SQ'],
  FrameType: [0x0008_9007, 'CS'],
  DerivationCodeSequence: [0x0008_9215, 'SQ'],

  PatientName: [0x0010_0010, 'PN'],
  PatientID: [0x0010_0020, 'LO'],
  IssuerOfPatientID: [0x0010_0021, 'LO'],
  PatientBirthDate: [0x0010_0030, 'DA'],
  PatientSex: [0x0010_0040, 'CS'],
  PatientAge: [0x0010_1010, 'AS'],
  PatientSize: [0x0010_1020, 'DS'],
  PatientWeight: [0x0010_1030, 'DS'],
  PatientIdentityRemoved: [0x0012_0062, 'CS'],
  DeidentificationMethod: [0x0012_0063, 'LO'],

  ContrastBolusAgent: [0x0018_0010, 'LO'],
  BodyPartExamined: [0x0018_0015, 'CS'],
  ScanningSequence: [0x0018_0020, 'CS'],
  SequenceVariant: [0x0018_0021, 'CS'],
  ScanOptions: [0x0018_0022, 'CS'],
  MRAcquisitionType: [0x0018_0023, 'CS'],
  SequenceName: [0x0018_0024, 'SH'],
  SliceThickness: [0x0018_0050, 'DS'],
  KVP: [0x0018_0060, 'DS'],
  RepetitionTime: [0x0018_0080, 'DS'],
  EchoTime: [0x0018_0081, 'DS'],
  InversionTime: [0x0018_0082, 'DS'],
  MagneticFieldStrength: [0x0018_0087, 'DS'],
  EchoNumbers: [0x0018_0086, 'IS'],
  SpacingBetweenSlices: [0x0018_0088, 'DS'],
  EchoTrainLength: [0x0018_0091, 'IS'],
  DeviceSerialNumber: [0x0018_1000, 'LO'],
  SoftwareVersions: [0x0018_1020, 'LO'],
  ProtocolName: [0x0018_1030, 'LO'],
  TriggerTime: [0x0018_1060, 'DS'],
  GantryDetectorTilt: [0x0018_1120, 'DS'],
  ConvolutionKernel: [0x0018_1210, 'SH'],
  FlipAngle: [0x0018_1314, 'DS'],
  PatientPosition: [0x0018_5100, 'CS'],
  EffectiveEchoTime: [0x0018_9082, 'FD'],
  DiffusionBValue: [0x0018_9087, 'FD'],
  DiffusionGradientOrientation: [0x0018_9089, 'FD'],
  MRTimingAndRelatedParametersSequence: [0x0018_9112, 'SQ'],
  MREchoSequence: [0x0018_9114, 'SQ'],
  MRModifierSequence: [0x0018_9115, 'SQ'],
  MRDiffusionSequence: [0x0018_9117, 'SQ'],
  DiffusionGradientDirectionSequence: [0x0018_9076, 'SQ'],
  MRImageFrameTypeSequence: [0x0018_9226, 'SQ'],
  CTReconstructionSequence: [0x0018_9314, 'SQ'],
  CTXRayDetailsSequence: [0x0018_9325, 'SQ'],
  CTImageFrameTypeSequence: [0x0018_9329, 'SQ'],
  ContributingEquipmentSequence: [0x0018_a001, 'SQ'],
  ContributionDescription: [0x0018_a003, 'ST'],

  StudyInstanceUID: [0x0020_000d, 'UI'],
  SeriesInstanceUID: [0x0020_000e, 'UI'],
  StudyID: [0x0020_0010, 'SH'],
  SeriesNumber: [0x0020_0011, 'IS'],
  AcquisitionNumber: [0x0020_0012, 'IS'],
  InstanceNumber: [0x0020_0013, 'IS'],
  ImagePositionPatient: [0x0020_0032, 'DS'],
  ImageOrientationPatient: [0x0020_0037, 'DS'],
  FrameOfReferenceUID: [0x0020_0052, 'UI'],
  Laterality: [0x0020_0060, 'CS'],
  TemporalPositionIdentifier: [0x0020_0100, 'IS'],
  PositionReferenceIndicator: [0x0020_1040, 'LO'],
  StackID: [0x0020_9056, 'SH'],
  FrameContentSequence: [0x0020_9111, 'SQ'],
  PlanePositionSequence: [0x0020_9113, 'SQ'],
  PlaneOrientationSequence: [0x0020_9116, 'SQ'],
  TemporalPositionIndex: [0x0020_9128, 'UL'],
  FrameAcquisitionNumber: [0x0020_9156, 'US'],

  SamplesPerPixel: [0x0028_0002, 'US'],
  PhotometricInterpretation: [0x0028_0004, 'CS'],
  NumberOfFrames: [0x0028_0008, 'IS'],
  Rows: [0x0028_0010, 'US'],
  Columns: [0x0028_0011, 'US'],
  PixelSpacing: [0x0028_0030, 'DS'],
  BitsAllocated: [0x0028_0100, 'US'],
  BitsStored: [0x0028_0101, 'US'],
  HighBit: [0x0028_0102, 'US'],
  PixelRepresentation: [0x0028_0103, 'US'],
  PixelPaddingValue: [0x0028_0120, 'US'],
  PixelPaddingRangeLimit: [0x0028_0121, 'US'],
  WindowCenter: [0x0028_1050, 'DS'],
  WindowWidth: [0x0028_1051, 'DS'],
  RescaleIntercept: [0x0028_1052, 'DS'],
  RescaleSlope: [0x0028_1053, 'DS'],
  RescaleType: [0x0028_1054, 'LO'],
  BurnedInAnnotation: [0x0028_0301, 'CS'],
  SpatialLocationsPreserved: [0x0028_135a, 'CS'],
  LossyImageCompression: [0x0028_2110, 'CS'],
  PixelMeasuresSequence: [0x0028_9110, 'SQ'],
  PixelValueTransformationSequence: [0x0028_9145, 'SQ'],
  StructureSetLabel: [0x3006_0002, 'SH'],
  ReferencedFrameOfReferenceSequence: [0x3006_0010, 'SQ'],
  RTReferencedStudySequence: [0x3006_0012, 'SQ'],
  RTReferencedSeriesSequence: [0x3006_0014, 'SQ'],
  ContourImageSequence: [0x3006_0016, 'SQ'],
  StructureSetROISequence: [0x3006_0020, 'SQ'],
  ROINumber: [0x3006_0022, 'IS'],
  ReferencedFrameOfReferenceUID: [0x3006_0024, 'UI'],
  ROIName: [0x3006_0026, 'LO'],
  ROIContourSequence: [0x3006_0039, 'SQ'],
  ContourSequence: [0x3006_0040, 'SQ'],
  ContourGeometricType: [0x3006_0042, 'CS'],
  NumberOfContourPoints: [0x3006_0046, 'IS'],
  ContourData: [0x3006_0050, 'DS'],
  ReferencedROINumber: [0x3006_0084, 'IS'],
  SharedFunctionalGroupsSequence: [0x5200_9229, 'SQ'],
  PerFrameFunctionalGroupsSequence: [0x5200_9230, 'SQ'],
  PixelData: [0x7fe0_0010, 'OW'],
} as const satisfies Record<string, readonly [tag: number, vr: Vr]>

export type TagName = keyof typeof TAGS

const VR_OF: ReadonlyMap<number, Vr> = new Map(Object.values(TAGS).map(([tag, vr]) => [tag, vr]))

/** The VR of an attribute that larmor knows; files in implicit VR do not say it themselves. */
export function vrOf(tag: number): Vr | undefined {
  return VR_OF.get(tag)
}

/** For messages: 'Rows (0028,0010)'. */
export function tagLabel(name: TagName): string {
  return `${name} ${tagText(TAGS[name][0])}`
}

export function tagText(tag: number): string {
  const hex = tag.toString(16).padStart(8, '0')
  return `(${hex.slice(0, 4)},${hex.slice(4)})`
}

export const SOP_CLASS = {
  ct: '1.2.840.10008.5.1.4.1.1.2',
  mr: '1.2.840.10008.5.1.4.1.1.4',
  mediaDirectory: '1.2.840.10008.1.3.10',
  enhancedCt: '1.2.840.10008.5.1.4.1.1.2.1',
  legacyEnhancedCt: '1.2.840.10008.5.1.4.1.1.2.2',
  enhancedMr: '1.2.840.10008.5.1.4.1.1.4.1',
  enhancedMrColour: '1.2.840.10008.5.1.4.1.1.4.3',
  legacyEnhancedMr: '1.2.840.10008.5.1.4.1.1.4.4',
  rtStructureSet: '1.2.840.10008.5.1.4.1.1.481.3',
} as const
