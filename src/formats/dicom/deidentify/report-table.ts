/** What a person reads of a de-identification: counts, and every refusal in a line. */
import { inOneLine } from '../../../errors.ts'
import type { Deidentified } from './deidentify.ts'

export function deidentifiedTable({
  objects,
  patients,
  series,
  known,
  passedOver,
  refused,
  mapping,
}: Deidentified): string {
  const kinds = Object.entries(objects).map(([kind, count]) => `${String(count).padStart(6)}  ${kind}`)
  const others = Object.entries(passedOver).map(([what, count]) => `${count} ${what}`)
  const total = Object.values(objects).reduce((sum, count) => sum + count, 0)
  return [
    ...kinds,
    ...refused.map((fault) => `refused  ${inOneLine(fault)}`),
    ...(others.length > 0 ? [`passed over: ${others.join(', ')}`] : []),
    `${total} objects in ${series} series of ${patients} ${patients === 1 ? 'patient' : 'patients'}` +
      `${known > 0 ? `, ${known} of them from an earlier run` : ''}; ${refused.length} refused`,
    `who is who: ${mapping} (keep it with the key; never share either)`,
  ].join('\n')
}
