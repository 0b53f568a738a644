/** `larmor import` and `larmor cohort` as a user meets them: what is refused, and that what the refusal says to do helps. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { put, writeSeries } from '../formats/dicom-made.ts'
import type { MadeElement } from '../formats/dicom-made.ts'
import { larmor } from './larmor.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-cli-import-'))
afterAll(() => rmSync(root, { recursive: true }))
const at = (...names: string[]): string => join(root, ...names)

type Refusal = { id?: string | null; kind: string; where: string; found: string; expected: string; fix: string }
type Result = { refused: Refusal[]; cases?: { id: string | null; status: string }[] }
async function run(...args: string[]): Promise<Result & { code: number | null; stderr: string }> {
  const { code, stdout, stderr } = await larmor([...args, '--json'])
  assert.equal(stdout.trimEnd().split('\n').length, 1, 'one object, and nothing else on standard output')
  assert.doesNotMatch(stderr, /\n\s+at .*:\d+:\d+/)
  return { ...(JSON.parse(stdout) as Result), code, stderr }
}
const described = (text: string): Record<number, MadeElement> => ({ 0x0008103e: [0x0008103e, 'LO', text] })

// One whole patient, one with two CTs that could be meant, one with a slice that is cut off.
writeSeries(at('export', 'a'), 4, () => ({ patient: 'A^Good', series: '1.1.1' }))
writeSeries(at('export', 'b', '1'), 4, () => ({ patient: 'B^Two', series: '1.2.1', change: described('H31s') }))
writeSeries(at('export', 'b', '2'), 4, () => ({ patient: 'B^Two', series: '1.2.2', change: described('H60f') }))
const cut = writeSeries(at('export', 'c'), 4, () => ({ patient: 'C^Broken', series: '1.3.1' }))
const slice = join(cut, readdirSync(cut)[0]!)
put(slice, readFileSync(slice).subarray(0, -10))

test('the rest of a batch goes on, the summary says which patients failed, and --json has every refusal', async () => {
  const result = await run('import', at('export'), '--cohort', at('cohort'))
  assert.equal(result.code, 5)
  assert.deepEqual(result.cases!.map(({ status }) => status).toSorted(), ['new', 'refused', 'refused'])
  const kinds = new Set(result.refused.map(({ kind }) => kind))
  assert.deepEqual([...kinds].toSorted(), ['input.severalSeries', 'input.truncated'])
  for (const refusal of result.refused)
    for (const field of ['where', 'found', 'expected', 'fix'] as const) assert.ok(refusal[field] !== '', field)
  const { stdout } = await larmor(['import', at('export'), '--cohort', at('cohort'), '--dry-run'])
  assert.match(stdout, /3 patients: 1 known, 2 refused; 1 files refused\nwith refusals: .*\/b\/1, .*\/c$/m)
  for (const { fix } of result.refused.filter(({ kind }) => kind === 'input.severalSeries'))
    assert.ok(stdout.includes(fix), 'what to do stands in the table too, not under --json alone')
})

test('the rule that the refusal names, written to a file as it stands, brings the patient in', async () => {
  const result = await run('import', at('export', 'b'), '--cohort', at('cohort'))
  assert.equal(result.code, 3)
  const [refusal] = result.refused
  writeFileSync(at('rules.yaml'), /the line {2}(.*?) {2}and add/.exec(refusal!.fix)![1]!)
  const settled = await run('import', at('export', 'b'), '--cohort', at('cohort'), '--rules', at('rules.yaml'))
  assert.deepEqual([settled.code, settled.cases!.map(({ id }) => id)], [0, ['p002']])
})

test('rules with a mistake end with 2 before anything is read or written, and name line and column', async () => {
  writeFileSync(at('wrong.yaml'), 'rules:\n  - role: ct\n    wrods: x\n')
  const result = await run('import', at('export'), '--cohort', at('none'), '--rules', at('wrong.yaml'))
  assert.deepEqual([result.code, result.refused[0]!.kind], [2, 'config.refused'])
  assert.match(result.refused[0]!.found, /^3:12 rules\.0\.wrods: /)
  assert.doesNotMatch(result.stderr, /Reading headers/)
  assert.throws(() => statSync(at('none')))
})

test('a patient is left out with a reason and taken in again; wrong forms end with 2 and change nothing', async () => {
  const file = at('cohort', 'cohort.json')
  const shown = await larmor(['cohort', at('cohort')])
  assert.match(shown.stdout, /^p001 +ct +waits for an MR$/m)
  for (const wrong of [['exclude', 'p001'], ['include', 'p001', '--reason', 'x'], ['p001']]) {
    const before = readFileSync(file, 'utf8')
    assert.equal((await larmor(['cohort', at('cohort'), ...wrong])).code, 2, wrong.join(' '))
    assert.equal(readFileSync(file, 'utf8'), before)
  }
  const excluded = await larmor(['cohort', at('cohort'), 'exclude', 'p001', '--reason', 'motion'])
  assert.match(excluded.stdout, /excluded: motion\n/)
  const included = await larmor(['cohort', at('cohort'), 'include', 'p001'])
  assert.match(included.stdout, /2 patients, 2 of them in use/)
  assert.equal((await larmor(['cohort', at('cohort'), 'exclude', 'p009', '--reason', 'x'])).code, 3)
})
