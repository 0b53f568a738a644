import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'vitest'
import { exitCodesPage } from '../../scripts/exit-codes.ts'

test('docs/exit-codes.md says what errors.ts says', () => {
  const written = readFileSync(new URL('../../docs/exit-codes.md', import.meta.url), 'utf8')
  assert.equal(written, exitCodesPage(), 'run: node scripts/exit-codes.ts')
})
