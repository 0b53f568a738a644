/** What a person reads of a conversion: a line a file, what was refused, and a last line that sums up. */
import { inOneLine } from '../errors.ts'
import type { Converted } from './convert.ts'

export function convertTable({ volumes, masks, refused, passedOver }: Converted): string {
  const others = Object.entries(passedOver).map(([what, count]) => `${count} ${what}`)
  return [
    ...volumes.map(({ file, size, spacingMm, part, lossyCompression, resampled }) => {
      const spacing = spacingMm.map((mm) => mm.toFixed(3)).join(' × ')
      const notes = [part, lossyCompression ? 'lossy compression' : '', ...resampled.map((what) => `${what} resampled`)]
      const more = notes.filter((text) => text !== '').join(', ')
      return `${file}  ${size.join(' × ')}  ${spacing} mm${more === '' ? '' : `  (${more})`}`
    }),
    ...masks.map(({ file, volumeCm3, notes }) => {
      return `${file}  ${volumeCm3.toFixed(2)} cm³${notes.length > 0 ? `  (${notes.join('; ')})` : ''}`
    }),
    ...refused.map((fault) => `refused: ${inOneLine(fault)}`),
    ...(others.length > 0 ? [`passed over: ${others.join(', ')}`] : []),
    `${counted(volumes.length, 'volume')}, ${counted(masks.length, 'mask')}, ${refused.length} refused`,
  ].join('\n')
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
