/** dcmjs as an independent reader of what we write; it has no type definitions, so what we use of it is typed here. */
// @ts-expect-error dcmjs 0.52.2 ships without types
import dcmjs from 'dcmjs'

type DataSet = Record<string, unknown>
type Dcmjs = {
  data: {
    DicomMessage: { readFile(bytes: ArrayBuffer): { meta: DataSet; dict: DataSet } }
    DicomMetaDictionary: { naturalizeDataset(dict: DataSet): DataSet }
  }
}

/** The attributes of a DICOM file by their keywords. */
export function readWithDcmjs(bytes: Uint8Array): DataSet {
  const { DicomMessage, DicomMetaDictionary } = (dcmjs as Dcmjs).data
  const copy = new Uint8Array(bytes)
  return DicomMetaDictionary.naturalizeDataset(DicomMessage.readFile(copy.buffer).dict)
}

/** Attributes by their eight hexadecimal digits, as DICOM's JSON model has them. */
export type RawDataSet = Record<string, { vr: string; Value?: unknown[] }>

export function rawWithDcmjs(bytes: Uint8Array): RawDataSet {
  const copy = new Uint8Array(bytes)
  return (dcmjs as Dcmjs).data.DicomMessage.readFile(copy.buffer).dict as RawDataSet
}
