/** The five fields of a DICOM refusal; `where` names the file or series, never a person. */
import { LarmorError } from '../../errors.ts'
import type { FaultKind } from '../../errors.ts'

const FIX: { readonly [kind in FaultKind]?: string } = {
  'input.truncated': 'Export or copy the series again, and compare the size of this file.',
  'input.corrupt': 'Export or copy the series again.',
  'input.missingAttribute': 'Export the original series from the scanner or the archive, not a processed copy.',
  'input.unsupported': 'Export the series as uncompressed, classic (single-frame) CT or MR images.',
  'geometry.missingSlice':
    'Export the series again; if the slice was never acquired, exclude this patient, or ask for --fill-gaps, which resamples.',
  'geometry.duplicateSlice': 'Export one volume (one echo, one time point, one reconstruction) as a series of its own.',
}

export function dicomFault(
  kind: FaultKind,
  message: string,
  where: string,
  found: string,
  expected: string,
  options: { fix?: string; cause?: unknown } = {},
): LarmorError {
  const fix = options.fix ?? FIX[kind] ?? 'Export the series again from the scanner or the archive.'
  return new LarmorError({ kind, message, where, found, expected, fix }, options.cause)
}
