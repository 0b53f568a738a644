/** 1 → PHANTOM-001. */
export function phantomId(number: number): string {
  return `PHANTOM-${String(number).padStart(3, '0')}`
}
