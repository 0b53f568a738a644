/**
 * The house: who may import whom (DESIGN's table, from the ground up), no cycles, and a tree in the README that
 * names every room. `ground` is the files directly under src/.
 */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'vitest'

const MAY_IMPORT: Record<string, readonly string[]> = {
  volume: [],
  sampling: [],
  formats: ['volume'],
  tensor: [],
  nn: ['tensor'],
  evaluation: ['volume', 'formats'],
  registration: ['volume', 'formats', 'tensor'],
  cohort: ['volume', 'formats'],
  phantom: ['volume', 'formats'],
  plan: ['cohort', 'volume', 'formats'],
  dataset: ['plan', 'cohort', 'volume', 'formats', 'tensor'],
  models: ['nn', 'tensor', 'sampling'],
  training: ['models', 'nn', 'tensor', 'dataset', 'plan', 'sampling', 'evaluation', 'volume', 'report'],
  export: ['training', 'models', 'nn', 'tensor', 'plan', 'dataset', 'sampling', 'synthesis', 'volume', 'evaluation'],
  synthesis: ['volume', 'formats', 'sampling', 'evaluation'],
  report: ['evaluation', 'volume'],
  commission: ['synthesis', 'evaluation', 'cohort', 'formats', 'report'],
}
/** Rooms that a machine without libtorch runs: nothing in them may reach the tensor engine, directly or through others. */
const WITHOUT_LIBTORCH = [
  'volume',
  'sampling',
  'formats',
  'evaluation',
  'cohort',
  'phantom',
  'synthesis',
  'report',
  'commission',
]

const root = fileURLToPath(new URL('..', import.meta.url))
const files = globSync('src/**/*.ts', { cwd: root })
const importPattern = /\b(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g

const roomOf = (file: string): string => {
  const parts = relative('src', file).split('/')
  return parts.length === 1 ? 'ground' : parts[0]!
}
const importsOf = (file: string): string[] =>
  [...readFileSync(join(root, file), 'utf8').matchAll(importPattern)].map(([, path]) => join(dirname(file), path!))

test('every room imports only what its line in MAY_IMPORT allows', () => {
  for (const file of files)
    for (const target of importsOf(file)) {
      const [from, to] = [roomOf(file), roomOf(target)]
      if (from === 'cli' || from === to || to === 'ground') continue
      assert.ok(MAY_IMPORT[from]?.includes(to), `${file}: ${from} may not import ${target}`)
    }
})

test('a room with a door is entered through it', () => {
  for (const file of files)
    for (const target of importsOf(file)) {
      const [from, to] = [roomOf(file), roomOf(target)]
      if (from === to || to === 'ground' || !existsSync(join(root, 'src', to, 'index.ts'))) continue
      assert.equal(target, `src/${to}/index.ts`, `${file} reaches past the door of ${to}`)
    }
})

test('no import leads back to where it came from', () => {
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    assert.ok(!path.includes(file), `a cycle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`)
    if (done.has(file)) return
    done.add(file)
    for (const target of importsOf(file)) visit(target, [...path, file])
  }
  for (const file of files) visit(file, [])
})

test('what a laptop without libtorch runs never reaches the tensor engine', () => {
  const reaches = (file: string, seen: Set<string>): void => {
    if (seen.has(file)) return
    seen.add(file)
    for (const target of importsOf(file)) reaches(target, seen)
  }
  for (const room of WITHOUT_LIBTORCH) {
    const seen = new Set<string>()
    for (const file of files) if (roomOf(file) === room) reaches(file, seen)
    assert.deepEqual(
      [...seen].filter((file) => roomOf(file) === 'tensor'),
      [],
      `${room} reaches the tensor engine`,
    )
  }
})

test('the README’s tree names every room, and every room says in four lines what it is for', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const rooms = new Set(files.map(roomOf))
  rooms.delete('ground')
  for (const room of rooms) {
    assert.match(readme, new RegExp(`^\\s+${room}/ +\\S`, 'm'), `the README's tree lacks a line for ${room}/`)
    if (room !== 'cli') assert.ok(existsSync(join(root, 'src', room, 'README.md')), `src/${room} lacks its README`)
  }
  for (const [, room] of readme.matchAll(/^ {4}(\w+)\/ /gm))
    assert.ok(rooms.has(room!), `the README's tree names ${room}/, which is not there`)
})
