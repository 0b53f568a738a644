/** Words and figures for a page: escaping, rounding, and what stands where there is no figure. */

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}

/** A rounded figure with a true minus sign; a dash where there is none, ∞ for infinity. */
export function shown(value: number | null | undefined, digits: number): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–'
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞'
  return value.toFixed(digits).replace('-', '−')
}

/** About four significant digits, for intensities whose size is not known beforehand. */
export function intensity(value: number): string {
  return String(Number(value.toPrecision(4))).replace('-', '−')
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
