/** An archive takes what we write and gives it back: Debian's Orthanc, over REST and over the DICOM network. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { findSeries, writeEnhancedMr, writeStructureSetCopy, writeSyntheticMr } from '../../src/formats/index.ts'
import type { DicomSeries, FoundSeries } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { sharedData } from '../shared-data.ts'
import { installed } from './made.ts'
import { hasOrthanc, startOrthanc } from './orthanc.ts'
import type { Orthanc } from './orthanc.ts'
import { ctOn, ctSeries, madeOf, structuresOn, turned } from './synthetic-made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-archive-'))
const nominal = { low: 0, high: 4095 }

describe.skipIf(!hasOrthanc)('Orthanc (skipped where it is not installed: apt-get install orthanc)', () => {
  let orthanc: Orthanc
  let files: string[]
  beforeAll(async () => {
    files = await everyKind()
    orthanc = await startOrthanc()
  })
  afterAll(async () => {
    await orthanc?.stop()
    rmSync(root, { recursive: true })
  })

  test('it takes the synthetic MR, its uncertainty, the enhanced file and the structure set, and returns their bytes', async () => {
    for (const path of files) {
      const bytes = readFileSync(path)
      const stored = await fetch(`${orthanc.url}/instances`, { method: 'POST', body: bytes })
      assert.equal(stored.status, 200, path)
      const { ID, Status } = (await stored.json()) as { ID: string; Status: string }
      assert.equal(Status, 'Success', path)
      const back = Buffer.from(await (await fetch(`${orthanc.url}/instances/${ID}/file`)).arrayBuffer())
      assert.ok(bytes.equals(back), `${path}: ${bytes.length} bytes went in, ${back.length} came out`)
    }
  })

  test('it files them under one patient and one study, each series by itself', async () => {
    const listed = async (what: string) => (await (await fetch(`${orthanc.url}/${what}?expand`)).json()) as Stored[]
    assert.equal((await listed('patients')).length, 1)
    assert.equal((await listed('studies')).length, 1)
    const names = (await listed('series'))
      .map(({ MainDicomTags }) => MainDicomTags['SeriesDescription'] ?? '')
      .toSorted()
    const expected = [
      'Copy of RTSTRUCT for sMRI SYNTHETIC t1',
      'sMRI SYNTHETIC t1',
      'sMRI SYNTHETIC t1',
      'sMRI SYNTHETIC uncertainty (SD over 4 samples) t1',
    ]
    assert.deepEqual(names, expected)
  })

  test.skipIf(!installed('storescu'))(
    'sent over the DICOM network (storescu; skipped where it is not installed), every data set arrives as it left',
    async () => {
      for (const id of (await (await fetch(`${orthanc.url}/patients`)).json()) as string[])
        await fetch(`${orthanc.url}/patients/${id}`, { method: 'DELETE' })
      const { dicomPort } = orthanc
      execFileSync('storescu', ['-xe', '-R', '-aec', 'ORTHANC', '127.0.0.1', String(dicomPort), ...files])
      const ids = (await (await fetch(`${orthanc.url}/instances`)).json()) as string[]
      assert.equal(ids.length, files.length)
      const stored = await Promise.all(
        ids.map(async (id) => Buffer.from(await (await fetch(`${orthanc.url}/instances/${id}/file`)).arrayBuffer())),
      )
      // The receiving side writes file meta information of its own; the data set after it is ours.
      for (const path of files) {
        const sent = dataSetOf(readFileSync(path))
        assert.ok(
          stored.some((file) => dataSetOf(file).equals(sent)),
          path,
        )
      }
    },
  )
})

type Stored = { MainDicomTags: Record<string, string> }

/** One file of every kind that synthesize writes, all of one patient. */
async function everyKind(): Promise<string[]> {
  const { source, sets } = await ctWithStructures()
  const made = await madeOf(source)
  const series = await writeSyntheticMr(join(root, 'smri'), made)
  await writeSyntheticMr(join(root, 'uncertainty'), { ...made, uncertainty: { samples: 4, divisor: 'n - 1', nominal } })
  await writeEnhancedMr(join(root, 'enhanced.dcm'), { ...made, seed: 2 })
  const paths = [...filesIn('smri'), ...filesIn('uncertainty'), join(root, 'enhanced.dcm')]
  for (const file of sets) {
    const path = join(root, 'rtstruct.dcm')
    const copy = { file, source, made: series, seenOn: 'sMRI SYNTHETIC t1', createdAt: made.createdAt }
    await writeStructureSetCopy(path, copy)
    paths.push(path)
  }
  return paths
}

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder)).map((name) => join(root, folder, name))
}

/** A real CT with contours on it where the shared data are; else one of our own. */
async function ctWithStructures(): Promise<{ source: DicomSeries; sets: FoundSeries['structureSets'] }> {
  const shared = sharedData('dicom_rtstruct')
  if (!shared) {
    const source = await ctSeries(join(root, 'ct'), ctOn(turned))
    const { structureSets } = await findSeries([await structuresOn(join(root, 'drawn.dcm'), source)], silent)
    return { source, sets: structureSets }
  }
  const ct = await findSeries([join(sharedData('dicom_series')!, 'ct_philips_axial_with_scout')], silent)
  const { structureSets } = await findSeries([join(shared, 'made_on_ct_philips', 'rs_keyhole.dcm')], silent)
  return { source: ct.series.find(({ files }) => files.length === 3)!, sets: structureSets }
}

/** From the end of the file meta information on; its length stands in its first element (PS3.10 section 7.1). */
function dataSetOf(file: Buffer): Buffer {
  return file.subarray(128 + 4 + 12 + file.readUInt32LE(128 + 4 + 8))
}
