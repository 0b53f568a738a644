/**
 * What links an original to its copy: a random key that stays with its owner, and what follows from it.
 *
 * UIDs, patient numbers and shifts are keyed hashes (HMAC-SHA256, RFC 2104): with the key always the same ones, so that
 * CT, MR and structures of different runs still fit together; without it they tell nothing, not even by trying all
 * hospital numbers. The key and the mapping are written beside each other, readable by their owner alone, never below
 * the output.
 */
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { constants, copyFile, link, mkdir, open, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { asDiskFault, exists, readJson } from '../../../files.ts'

const KeyFile = z.strictObject({
  schema: z.literal('larmor/deidentification-key@1'),
  key: z.string().regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits'),
})

export type Secret = { readonly key: Uint8Array }
export type Pseudonym = {
  /** Stands for name and number of the patient. */
  id: string
  /** Whole days, negative: all dates of the patient move by it, times of day stay. */
  shiftDays: number
}

const KEY_BYTES = 32
/** One to ten years back: no copy carries a date in the future, none keeps the season. */
const SHIFT_DAYS = { least: 365, most: 3650 }

/**
 * Reads the key, or makes one where there is none.
 * @throws json.refused, machine.noPermission, machine.diskFull
 */
export async function openSecret(path: string): Promise<Secret> {
  if (!(await exists(path))) await writePrivate(path, newKey())
  const { key } = await readJson(path, KeyFile)
  return { key: Buffer.from(key, 'hex') }
}

export function secretFrom(key: Uint8Array): Secret {
  return { key }
}

function newKey(): string {
  const key = randomBytes(KEY_BYTES).toString('hex')
  return `${JSON.stringify({ schema: 'larmor/deidentification-key@1', key }, null, 2)}\n`
}

/** A new file that only its owner can read, whole or not at all; one that another process makes meanwhile stays. */
async function writePrivate(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.tmp-${process.pid}-${randomUUID()}`)
  try {
    await mkdir(dirname(path), { recursive: true })
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await putInPlace(temporary, path)
  } catch (error) {
    throw asDiskFault(error, path)
  } finally {
    await rm(temporary, { force: true }).catch(() => {}) // the first error is the one to tell
  }
}

/** Where a file system has no links (exFAT), a copy that refuses an existing file does nearly the same. */
async function putInPlace(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (isThere(error)) return
    await copyFile(from, to, constants.COPYFILE_EXCL).catch((second: unknown) => {
      if (!isThere(second)) throw second
    })
  }
}

function isThere(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST'
}

/** A UID under 2.25 (PS3.5 B.2) that stands for this one. */
export function uidFor(secret: Secret, uid: string): string {
  return `2.25.${BigInt(`0x${digest(secret, 'uid', uid).toString('hex').slice(0, 32)}`)}`
}

/** @param patientKey  what tells this patient from others; two studies of one patient have the same */
export function pseudonymFor(secret: Secret, patientKey: string): Pseudonym {
  const span = SHIFT_DAYS.most - SHIFT_DAYS.least
  return {
    id: `P-${digest(secret, 'patient', patientKey).toString('hex').slice(0, 12).toUpperCase()}`,
    shiftDays: -SHIFT_DAYS.least - (digest(secret, 'shift', patientKey).readUInt32BE(0) % (span + 1)),
  }
}

/** Tells whether two folders were made with the same key; tells nothing of the key. */
export function keyMark(secret: Secret): string {
  return digest(secret, 'mark', '').toString('hex').slice(0, 16)
}

function digest({ key }: Secret, purpose: string, text: string): Buffer {
  return createHmac('sha256', key).update(`${purpose}\0${text}`).digest()
}
