/** The report on paper, where this machine has a Chromium. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { findChromium, printPdf } from '../../src/report/index.ts'

const chromium = await findChromium(process.env['PATH'] ?? '').catch(() => undefined)

test('a machine without Chromium is told so by kind, before anything is scored', async () => {
  const error: unknown = await findChromium('/nowhere').catch((thrown: unknown) => thrown)
  expect(error instanceof LarmorError && error.fault.kind).toBe('machine.noChromium')
})

test.skipIf(chromium === undefined)(
  'a page is printed whole, and nothing else is left',
  { timeout: 240_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'larmor-pdf-'))
    await writeFile(join(folder, 'report.html'), '<!doctype html><title>t</title><p>one page</p>')
    await printPdf(chromium!, join(folder, 'report.html'), join(folder, 'report.pdf'))
    const bytes = await readFile(join(folder, 'report.pdf'), 'latin1')
    expect(bytes.slice(0, 5)).toBe('%PDF-')
    expect(bytes.trimEnd().endsWith('%%EOF')).toBe(true)
    expect((await readdir(folder)).toSorted()).toEqual(['report.html', 'report.pdf'])
    await rm(folder, { recursive: true })
  },
)

test('a browser that makes no PDF is a fault, not a silent lack', async () => {
  const error: unknown = await printPdf('/bin/true', '/x.html', join(tmpdir(), 'larmor-none.pdf')).catch(
    (thrown: unknown) => thrown,
  )
  expect(error instanceof LarmorError && error.fault.found).toContain('without a PDF')
})
