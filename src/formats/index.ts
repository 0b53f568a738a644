/** What other rooms use of formats/. */
export { readNifti, writeNifti } from './nifti/nifti.ts'
export type { Attributes } from './dicom/encode.ts'
export { newUid } from './dicom/uid.ts'
export { writeDicomSeries } from './dicom/write-series.ts'
export type { SeriesToWrite } from './dicom/write-series.ts'
