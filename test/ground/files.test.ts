import assert from 'node:assert/strict'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'vitest'
import { z } from 'zod'
import { LarmorError } from '../../src/errors.ts'
import { asDiskFault, readJson, sha256, sha256OfFile, writeChunksAtomic, writeJson } from '../../src/files.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'larmor-files-'))
})
afterEach(() => rm(folder, { recursive: true }))

const kindOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof LarmorError, String(error))
  return error.fault.kind
}

test('a write that fails half-way leaves the old file and no other', async () => {
  const path = join(folder, 'a.bin')
  await writeFile(path, 'old')
  async function* broken(): AsyncGenerator<string> {
    yield 'new'
    throw new Error('the source broke')
  }
  await assert.rejects(writeChunksAtomic(path, broken()), /the source broke/)
  assert.equal(await readFile(path, 'utf8'), 'old')
  assert.deepEqual(await readdir(folder), ['a.bin'])
})

test('a full disk is a fault that says so', () => {
  const fault = asDiskFault(Object.assign(new Error('no space'), { code: 'ENOSPC' }), 'x')
  assert.ok(fault instanceof LarmorError && fault.fault.kind === 'machine.diskFull')
})

test('an output folder whose name leads through a file is refused with its path', async () => {
  const file = join(folder, 'in-the-way')
  await writeFile(file, '')
  const path = join(file, 'deeper', 'x.json')
  const error = await writeJson(path, {}).catch((thrown: unknown) => thrown)
  assert.ok(error instanceof LarmorError)
  assert.equal(error.fault.kind, 'usage.outputExists')
  assert.ok(error.fault.where.includes(path))
})

test('JSON that is missing, broken or of another schema is refused with every problem', async () => {
  const schema = z.strictObject({ schema: z.literal('larmor/x@1'), n: z.number() })
  const path = join(folder, 'x.json')
  assert.equal(await kindOf(readJson(path, schema)), 'input.notFound')
  await writeFile(path, '{"schema": ')
  assert.equal(await kindOf(readJson(path, schema)), 'json.refused')
  await writeJson(path, { schema: 'larmor/x@2', n: 'one' })
  const error = await readJson(path, schema).catch((thrown: unknown) => thrown)
  assert.ok(error instanceof LarmorError)
  assert.match(error.fault.found, /schema: .*n: /)
  await writeJson(path, { schema: 'larmor/x@1', n: 1 })
  assert.deepEqual(await readJson(path, schema), { schema: 'larmor/x@1', n: 1 })
})

test('SHA-256 of the text abc is the one of FIPS 180-2', async () => {
  const expected = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  assert.equal(sha256('abc'), expected)
  await writeFile(join(folder, 'abc'), 'abc')
  assert.equal(await sha256OfFile(join(folder, 'abc')), expected)
})
