/** What a person reads of an exported cohort. */
import { inOneLine } from '../errors.ts'
import type { ExportResult } from './export.ts'

export function exportTable({ patients, known, excluded, refused }: ExportResult): string {
  const lines = patients.flatMap(({ id, images, structures, registered, leftOut, faces }) => [
    `${id}  ${images.join(', ')}; ${structures.length} structures; ${registered.length} registered`,
    ...Object.entries(faces).map(
      ([role, { removedShare, largestShareOfASlice }]) =>
        `    face cut off in ${role}: ${percent(removedShare)} of the body, up to ${percent(largestShareOfASlice)} of a slice`,
    ),
    ...leftOut.map((text) => `    left out: ${text}`),
  ])
  return [
    ...lines,
    ...refused.map((fault) => `refused  ${inOneLine(fault)}`),
    `${patients.length} exported, ${known} there already, ${excluded} excluded, ${refused.length} refused`,
  ].join('\n')
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
