import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { aten } from '../../src/tensor/index.ts'
import { schemaOf } from '../../src/tensor/index.ts'

const source = readFileSync(new URL('../../src/tensor/aten-names.ts', import.meta.url), 'utf8')
const names = Array.from(source.matchAll(/'([\w.]+)'/g), ([, name]) => name!)

test('every operator that `aten` promises is in the libtorch that is used', () => {
  expect(names.length).toBeGreaterThan(300)
  expect(names.filter((name) => !isThere(name))).toEqual([])
  expect(typeof aten.conv2d).toBe('function')
})

function isThere(name: string): boolean {
  try {
    return schemaOf(name).length > 0
  } catch {
    return false
  }
}
