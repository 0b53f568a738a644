/**
 * What a new series takes over from the CT that it was computed from: patient, study, frame of reference.
 *
 * Values keep their bytes, and with them the character set of the CT; nothing is decoded and written anew.
 */
import { numbersIfAny } from './attributes.ts'
import type { Attributes, AttributeValue } from './encode.ts'
import type { DataSet, ParsedElement } from './parse.ts'
import { TAGS } from './tags.ts'
import type { TagName } from './tags.ts'

/** Patient, clinical trial, study and patient study modules (PS3.3 C.7.1, C.7.2), frame of reference (C.7.4.1). */
const OF_SERIES: readonly TagName[] = [
  'SpecificCharacterSet',
  'TimezoneOffsetFromUTC',
  'PatientName',
  'PatientID',
  'IssuerOfPatientID',
  'TypeOfPatientID',
  'PatientBirthDate',
  'PatientBirthTime',
  'PatientSex',
  'QualityControlSubject',
  'OtherPatientIDs',
  'OtherPatientNames',
  'OtherPatientIDsSequence',
  'EthnicGroup',
  'PatientSpeciesDescription',
  'PatientBreedDescription',
  'PatientSexNeutered',
  'ResponsiblePerson',
  'ResponsiblePersonRole',
  'ResponsibleOrganization',
  'PatientComments',
  'PatientIdentityRemoved',
  'DeidentificationMethod',
  'DeidentificationMethodCodeSequence',
  'LongitudinalTemporalInformationModified',
  'ClinicalTrialSponsorName',
  'ClinicalTrialProtocolID',
  'ClinicalTrialProtocolName',
  'ClinicalTrialSiteID',
  'ClinicalTrialSiteName',
  'ClinicalTrialSubjectID',
  'ClinicalTrialSubjectReadingID',
  'ClinicalTrialTimePointID',
  'ClinicalTrialTimePointDescription',
  'StudyInstanceUID',
  'StudyID',
  'StudyDate',
  'StudyTime',
  'StudyDescription',
  'AccessionNumber',
  'IssuerOfAccessionNumberSequence',
  'ReferringPhysicianName',
  'PhysiciansOfRecord',
  'NameOfPhysiciansReadingStudy',
  'ProcedureCodeSequence',
  'RequestingService',
  'ReasonForPerformedProcedureCodeSequence',
  'AdmittingDiagnosesDescription',
  'PatientAge',
  'PatientSize',
  'PatientWeight',
  'MedicalAlerts',
  'Allergies',
  'Occupation',
  'SmokingStatus',
  'AdditionalPatientHistory',
  'PregnancyStatus',
  'LastMenstrualDate',
  'AdmissionID',
  'PatientState',
  'FrameOfReferenceUID',
  'PositionReferenceIndicator',
  'PatientPosition',
  'BodyPartExamined',
  'Laterality',
]

/** Type 2: there, if only empty. */
const EMPTY_IF_UNKNOWN: Attributes = {
  StudyDate: '',
  StudyTime: '',
  AccessionNumber: '',
  ReferringPhysicianName: '',
  StudyID: '',
  PatientName: '',
  PatientID: '',
  PatientBirthDate: '',
  PatientSex: '',
  PositionReferenceIndicator: '',
  PatientPosition: '',
}

/** Patient, study and frame of reference as the CT has them; what it must have and lacks is there and empty. */
export function inheritedOfSeries(ct: DataSet): Attributes {
  const own = inherited(ct, OF_SERIES)
  // Empty means unknown, which it is where no body part is named; with one, absent means that it is not a paired one.
  const laterality: Attributes = own.BodyPartExamined === undefined ? { Laterality: '' } : {}
  return { ...EMPTY_IF_UNKNOWN, ...laterality, ...own }
}

/** These attributes as they stand in `from`; those that are absent or empty there are left out. */
export function inherited(from: DataSet, names: readonly TagName[]): Attributes {
  const found: { [name in TagName]?: AttributeValue } = {}
  for (const name of names) {
    const element = from.elements.get(TAGS[name][0])
    const value = element && valueOf(from, name, element)
    if (value !== undefined) found[name] = value
  }
  return found
}

function valueOf(from: DataSet, name: TagName, { bytes, items }: ParsedElement): AttributeValue | undefined {
  const vr = TAGS[name][1]
  if (vr === 'SQ') return items.length === 0 ? undefined : items.map((item) => inherited(item, namesIn(item)))
  if (bytes.length === 0) return undefined
  return vr === 'US' ? numbersIfAny(from, name) : bytes // numbers may be in the other byte order
}

/** Of an item: all that larmor knows of it (PS3.6); private and rarer attributes are left behind. */
function namesIn({ elements }: DataSet): TagName[] {
  return (Object.keys(TAGS) as TagName[]).filter((name) => elements.has(TAGS[name][0]))
}
