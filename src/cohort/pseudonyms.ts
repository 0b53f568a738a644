/**
 * What UIDs become in a cohort that is de-identified: keyed hashes, with a key that lies beside the cohort's folder
 * and not in it, so that the cohort can be given away without it. The same key serves larmor deidentify and cohort-export.
 */
import { resolve } from 'node:path'
import { exists } from '../files.ts'
import { newUid, openSecret, uidFor } from '../formats/index.ts'
import type { Secret } from '../formats/index.ts'

export type Pseudonyms = {
  /** The same for the same, wherever it stands. */
  uid: (uid: string) => string
  /** All forms under which a UID may stand in the cohort: as it is, and as it became. */
  forms: (uid: string) => string[]
}

/** `<cohort>.key.json`, beside the cohort's folder. */
export function keyFileOf(cohortDir: string): string {
  return `${resolve(cohortDir)}.key.json`
}

/**
 * @param key   the key file; by default that of the cohort
 * @param make  whether a key is made where there is none; else UIDs stand as they are, or as larmor hid them before 0.1.0
 * @throws json.refused, machine.noPermission, machine.diskFull
 */
export async function openPseudonyms(
  cohortDir: string,
  make: boolean,
  key = keyFileOf(cohortDir),
): Promise<Pseudonyms> {
  return pseudonyms(make || (await exists(key)) ? await openSecret(key) : undefined)
}

export function pseudonyms(secret: Secret | undefined): Pseudonyms {
  const unkeyed = (uid: string): string => newUid('de-identified', uid)
  return {
    uid: (uid) => (secret ? uidFor(secret, uid) : unkeyed(uid)),
    forms: (uid) => [uid, unkeyed(uid), ...(secret ? [uidFor(secret, uid)] : [])],
  }
}
