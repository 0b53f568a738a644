/** Unique identifiers that follow from what they name: the same parts give the same UID, on every machine. */
import { createHash } from 'node:crypto'

/**
 * A UID under the root 2.25 (an UUID as one decimal number, PS3.5 B.2), at most 44 of the 64 characters allowed.
 * 128 bits of SHA-256 over the parts, each with its length before it, so that ('ab', 'c') is not ('a', 'bc').
 */
export function newUid(...parts: readonly (string | number)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${String(part).length}:${String(part)};`)
  return `2.25.${BigInt(`0x${hash.digest('hex').slice(0, 32)}`)}`
}
