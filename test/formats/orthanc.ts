/** Debian's Orthanc, started for one test on free ports of this machine with a storage of its own, and always stopped. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** Debian installs it where ordinary users have no path to. */
const PROGRAM = ['/usr/sbin/Orthanc', '/usr/bin/Orthanc', '/usr/local/sbin/Orthanc'].find((path) => existsSync(path))
export const hasOrthanc = PROGRAM !== undefined

export type Orthanc = { url: string; dicomPort: number; stop(): Promise<void> }

const STARTS_WITHIN_MS = 30_000

/** @throws Error  it does not answer in time; then it is stopped, too */
export async function startOrthanc(): Promise<Orthanc> {
  const folder = mkdtempSync(join(tmpdir(), 'larmor-orthanc-'))
  const [httpPort, dicomPort] = [await freePort(), await freePort()]
  const config = join(folder, 'orthanc.json')
  const settings = {
    Name: 'larmor test',
    StorageDirectory: join(folder, 'storage'),
    IndexDirectory: join(folder, 'storage'),
    HttpPort: httpPort,
    DicomPort: dicomPort,
    DicomAet: 'ORTHANC',
    RemoteAccessAllowed: false,
    AuthenticationEnabled: false,
    DicomAlwaysAllowStore: true,
    Plugins: [],
  }
  writeFileSync(config, JSON.stringify(settings))
  const child = spawn(PROGRAM!, [config], { stdio: 'ignore' })
  process.once('exit', () => child.kill('SIGKILL')) // also when the test itself is ended
  const orthanc: Orthanc = { url: `http://127.0.0.1:${httpPort}`, dicomPort, stop: () => stop(child, folder) }
  try {
    await answers(orthanc.url, child)
    return orthanc
  } catch (error) {
    await orthanc.stop()
    throw error
  }
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  const until = Date.now() + STARTS_WITHIN_MS
  while (Date.now() < until && child.exitCode === null) {
    const response = await fetch(`${url}/system`).catch(() => undefined) // not listening yet
    if (response?.ok) return
    await wait(100)
  }
  throw new Error(child.exitCode === null ? 'Orthanc does not answer' : `Orthanc ended with ${child.exitCode}`)
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null) {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await Promise.race([ended, wait(5000).then(() => child.kill('SIGKILL'))])
  }
  rmSync(folder, { recursive: true, force: true })
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
