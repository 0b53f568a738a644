/**
 * What takes minutes is made once and kept in `.cache/bench-verdict/<key>/`: virtual patients, and transforms. The key is
 * that of the sources that decide them, so that figures and limits can be judged anew without aligning anything again.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { deserialize, serialize } from 'node:v8'
import { exists, sha256, writeFileAtomic } from '../../src/files.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const MADE_BY = ['src/phantom', 'src/registration', 'src/volume', 'bench/robustness', 'bench/verdict/runs.ts']
/** They judge transforms and make none. */
const JUDGES =
  /\/(quality|edges|surface|record|figure|pictures|patient|likeness|save-.*|warp.*|deformation-measures|index)\.ts$/

function sources(path: string): string[] {
  if (path.endsWith('.ts')) return [path]
  return readdirSync(join(root, path), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(path, name))
    .sort()
}

const folder = join(
  root,
  '.cache/bench-verdict',
  sha256(
    MADE_BY.flatMap(sources)
      .filter((path) => !JUDGES.test(path))
      .map((path) => readFileSync(join(root, path), 'utf8'))
      .join('\n'),
  ).slice(0, 12),
)

/** Plain data, typed arrays among it. A fault is not kept. */
export async function remembered<T>(name: string, make: () => Promise<T>): Promise<T> {
  const path = join(folder, `${name.replaceAll(/[^a-z0-9]+/gi, '-')}.v8`)
  // What this very program wrote from the same sources needs no check.
  if (await exists(path)) return deserialize(await readFile(path)) as T
  const value = await make()
  await mkdir(folder, { recursive: true })
  await writeFileAtomic(path, serialize(value))
  return value
}
