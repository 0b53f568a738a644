/** Dates of DICOM (DA and DT, PS3.5 section 6.2) moved by whole days; times of day stay as they are. */

const DAY_MS = 86_400_000

/**
 * @param text  one value: YYYYMMDD, the older YYYY.MM.DD, or a DT of at least a day, YYYYMMDDHHMMSS.FFFFFF&ZZXX
 * @returns undefined where it is no such date: it cannot be moved, so it must not stay
 */
export function shiftedDate(text: string, days: number): string | undefined {
  const [, year, month, day, rest = ''] = /^(\d{4})\.?(\d{2})\.?(\d{2})([\d.]*(?:[+-]\d{4})?)$/.exec(text.trim()) ?? []
  if (year === undefined) return undefined
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)))
  const real = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
  const moved = new Date(date.getTime() + days * DAY_MS)
  if (!real || moved.getUTCFullYear() < 1000) return undefined
  return moved.toISOString().slice(0, 10).replaceAll('-', '') + rest
}

/** A time of day as TM has it; anything else must not stay. */
export function isTime(text: string): boolean {
  return /^\d{2}(:?\d{2}(:?\d{2}(\.\d{1,6})?)?)?$/.test(text.trim())
}
