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
