/** larmor convert: every series one file, every region a mask, one bad series stops none, and no name gets out. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { convertSources, convertTable, readImage, writeNifti } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import type { Event } from '../../src/progress.ts'
import { gridDistanceMm } from '../../src/volume/index.ts'
import { sharedData } from '../shared-data.ts'
import { writeSeries } from './dicom-made.ts'
import { faultOf, standardGrids, volumeOn } from './made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-convert-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0
const folder = (): string => join(root, `c${++folders}`)

/** A CT, an MR with two echoes, and a series with a missing slice. */
function mixed(path: string, patient = 'Doe^Jane'): string {
  writeSeries(join(path, 'a'), 3, () => ({ patient }))
  writeSeries(join(path, 'b'), 6, (k) => ({
    patient,
    series: '1.2.5',
    modality: 'MR',
    position: `-10\\-20\\${30 + 2.5 * (k % 3)}`,
    change: { 0x00180081: [0x00180081, 'DS', k < 3 ? '4' : '9'], 0x00200011: [0x00200011, 'IS', '../../etc'] },
  }))
  writeSeries(join(path, 'c'), 4, (k) => ({ patient, series: '1.2.6', position: `0\\0\\${2.5 * (k < 3 ? k : 5)}` }))
  return path
}

const byText = (a: string, b: string): number => (a < b ? -1 : 1)

test.each(['nifti', 'mha', 'nrrd'] as const)(
  'each volume is one file in %s, and what is refused stops none',
  async (format) => {
    const [source, output] = [mixed(folder()), folder()]
    const { volumes, refused } = await convertSources([source], output, { format, report: silent })
    const ending = { nifti: 'nii.gz', mha: 'mha', nrrd: 'nrrd' }[format]
    assert.deepEqual(
      volumes
        .map(({ file, modality, seriesUid, size }) => `${file} ${modality} ${seriesUid} ${size.join(',')}`)
        .toSorted(byText),
      [`ct-7.${ending} CT 1.2.3 4,2,3`, `mr-2.${ending} MR 1.2.5 4,2,3`, `mr.${ending} MR 1.2.5 4,2,3`],
    )
    assert.deepEqual(readdirSync(output).toSorted(byText), volumes.map(({ file }) => file).toSorted())
    assert.deepEqual(
      refused.map(({ kind }) => kind),
      ['geometry.missingSlice'],
    )
    const { volume } = await readImage(join(output, `ct-7.${ending}`))
    const original = await readImage(join(source, 'a'))
    assert.ok(gridDistanceMm(volume.grid, original.volume.grid) < 1e-5)
    assert.deepEqual([...volume.values], [...original.volume.values])
  },
)

test('several patients are told apart by a number; no name is in a file name or in the result', async () => {
  const [source, output] = [folder(), folder()]
  mixed(join(source, '1'), 'Secret^Person')
  mixed(join(source, '2'), 'Other^Body^X')
  const result = await convertSources([source], output, { format: 'nifti', report: silent })
  assert.equal(result.volumes.length, 6)
  for (const { file } of result.volumes) assert.match(file, /^patient[12]-(ct|mr)(-\d+)?\.nii\.gz$/)
  assert.doesNotMatch(JSON.stringify(result), /Secret|Other\^|ID-/)
})

test('a volume that is a file already is converted, too', async () => {
  const [source, output] = [folder(), folder()]
  const made = volumeOn(standardGrids()[11]![1], Int16Array)
  await writeNifti(join(source, 'scan.nii.gz'), made)
  await convertSources([join(source, 'scan.nii.gz')], output, { format: 'mha', report: silent })
  assert.deepEqual((await readImage(join(output, 'scan.mha'))).volume.values, made.values)
})

test('a folder in use, a source that is not there and one with nothing in it are refused', async () => {
  const source = mixed(folder())
  const kindOf = async (from: string, to: string) =>
    (await faultOf(convertSources([from], to, { format: 'nifti', report: silent }))).kind
  assert.equal(await kindOf(source, source), 'usage.outputExists')
  assert.equal(await kindOf(join(root, 'nowhere'), folder()), 'input.notFound')
  assert.equal(await kindOf(fileURLToPath(new URL('golden', import.meta.url)), folder()), 'input.empty')
})

test('an interrupted conversion says that its folder must go first, for the same command refuses a filled one', async () => {
  const [output, stop] = [folder(), new AbortController()]
  const report = (event: Event): void => {
    if (event.at === 'progress' && event.task === 'Converting') stop.abort()
  }
  const options = { format: 'nifti', report, signal: stop.signal } as const
  await assert.rejects(convertSources([mixed(folder())], output, options), (error: unknown) => {
    assert.ok(error instanceof LarmorError)
    assert.equal(error.fault.kind, 'interrupted')
    assert.match(error.fault.fix, /^Remove this folder/)
    return true
  })
  assert.ok(readdirSync(output).every((name) => name.endsWith('.nii.gz')))
})

test('the command prints one JSON object and exits 5 where some were refused', () => {
  const [source, output] = [mixed(folder()), folder()]
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
  const ran = spawnSync(process.execPath, [main, 'convert', source, '--output', output, '--json', '--quiet'])
  assert.equal(ran.status, 5, ran.stderr.toString())
  const { volumes, refused } = JSON.parse(ran.stdout.toString()) as { volumes: object[]; refused: object[] }
  assert.equal(volumes.length, 3)
  assert.deepEqual(Object.keys(refused[0]!).toSorted(), ['expected', 'fix', 'found', 'kind', 'message', 'where'])
})

test('the table says of each refusal what to do, so that --correct-tilt and --fill-gaps are found without --json', async () => {
  const done = await convertSources([mixed(folder())], folder(), { format: 'nifti', report: silent })
  assert.ok(done.refused.length > 0)
  for (const { fix } of done.refused) assert.ok(convertTable(done).includes(fix), fix)
})

const [structures, series] = [sharedData('dicom_rtstruct'), sharedData('dicom_series')]
describe.skipIf(!structures || !series)('dicom_rtstruct (skipped where ../shared/data is not there)', () => {
  test('the regions of a structure set are masks on its CT', async () => {
    const sources = [
      join(structures!, 'made_on_ct_philips', 'rs_keyhole.dcm'),
      join(series!, 'ct_philips_axial_with_scout'),
    ]
    const output = folder()
    const { volumes, masks, refused } = await convertSources(sources, output, { format: 'nifti', report: silent })
    assert.deepEqual(
      masks.map(({ file, region, on, voxels }) => [file, region, on, voxels]),
      [['ct-201-structures/RingKeyhole.nii.gz', 'RingKeyhole', 'ct-201.nii.gz', 45393]],
    )
    const mask = (await readImage(join(output, masks[0]!.file))).volume
    assert.ok(gridDistanceMm(mask.grid, (await readImage(join(output, volumes[0]!.file))).volume.grid) < 1e-6)
    assert.equal(refused.length, 1, 'the scout is one image')
  })
})
