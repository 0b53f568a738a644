import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { lockHolder, tryLock, type Lock } from '../../src/lock.ts'

const dir = mkdtempSync(join(tmpdir(), 'larmor-lock-'))
afterAll(() => rmSync(dir, { recursive: true }))

const old = (path: string, seconds: number): void => {
  const at = Date.now() / 1000 - seconds
  utimesSync(path, at, at)
}

async function taken(path: string): Promise<Lock> {
  const lock = await tryLock(path)
  return 'release' in lock ? lock : assert.fail(`held by process ${lock.pid} on ${lock.host}`)
}

test('of many that want a lock one gets it, also where a dead process left one; the others hear whose it is', async () => {
  const path = join(dir, 'wanted')
  for (const left of [undefined, `999999999 ${hostname()} 1\n`]) {
    if (left) writeFileSync(path, left)
    const all = await Promise.all(Array.from({ length: 30 }, () => tryLock(path)))
    const locks = all.filter((each) => 'release' in each)
    assert.equal(locks.length, 1)
    for (const each of all) if ('pid' in each) assert.ok(each.pid === process.pid || each.pid === undefined)
    await locks[0]!.release()
    assert.equal(await lockHolder(path), undefined)
  }
})

test('a later process of the same number is not the one that signed', async () => {
  const path = join(dir, 'again')
  writeFileSync(path, `${process.pid} ${hostname()} 12345\n`)
  assert.equal(await lockHolder(path), undefined)
  const lock = await taken(path)
  assert.equal((await lockHolder(path))!.pid, process.pid)
  await lock.release()
})

test('a lock of another machine holds while it is touched, and is void ten minutes later', async () => {
  const path = join(dir, 'elsewhere')
  writeFileSync(path, `7 another-machine 12345\n`)
  assert.deepEqual(await tryLock(path), { pid: 7, host: 'another-machine' })
  old(path, 500)
  assert.deepEqual(await lockHolder(path), { pid: 7, host: 'another-machine' })
  old(path, 700)
  const lock = await taken(path)
  // Whose lock was taken for void does not take away what is another's by now.
  writeFileSync(path, `7 another-machine 12345\n`)
  await lock.release()
  assert.match(readFileSync(path, 'utf8'), /another-machine/)
})

test('a lock that nobody signed yet holds for the moment that signing takes', async () => {
  const path = join(dir, 'unsigned')
  writeFileSync(path, '')
  assert.equal((await lockHolder(path))!.pid, undefined)
  old(path, 6)
  await (await taken(path)).release()
})
