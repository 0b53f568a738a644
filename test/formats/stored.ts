/** The stored values of DICOM files, frame by frame, for the tests that compare them. */
import { createHash } from 'node:crypto'
import { numberOf } from '../../src/formats/dicom/attributes.ts'
import { openDicomFile } from '../../src/formats/dicom/file.ts'
import { eachStored } from '../../src/formats/dicom/pixels.ts'
import type { Stored } from '../../src/formats/dicom/pixels.ts'
import { framePixels } from '../../src/formats/dicom/slice.ts'
import { stackOf } from '../../src/formats/dicom/volume.ts'
import type { DicomSeries } from '../../src/formats/index.ts'

/** All frames of a file in their order, whatever kind of object it is. */
export async function storedFrames(path: string): Promise<Stored[]> {
  const file = (await openDicomFile(path))!
  const of = numberOf(file.dataSet, 'NumberOfFrames', path) ?? 1
  const frames = Array.from({ length: of }, (_, index) => ({ file, index, of, dataSet: file.dataSet }))
  const pixels = frames.map((frame) => framePixels(frame, path))
  const stored: Stored[] = []
  await eachStored(pixels, (values, _, place) => (stored[place] = values))
  return stored
}

/** Slice by slice along the normal. */
export async function storedSlices(series: DicomSeries): Promise<Stored[]> {
  const stored: Stored[] = []
  await eachStored(stackOf(series).sorted, (values, _, place) => (stored[place] = values))
  return stored
}

/** As the shared sets hash them: int32, little endian. */
export function hashOf(stored: readonly Stored[]): string {
  const hash = createHash('sha256')
  for (const values of stored) hash.update(new Uint8Array(Int32Array.from(values).buffer))
  return hash.digest('hex')
}
