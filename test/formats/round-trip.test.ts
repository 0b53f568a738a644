/**
 * There and back in millimetres: DICOM as we write it, and from format to format. (NIfTI, MetaImage and NRRD alone are in
 * their own tests.) Two volumes are the same if every voxel has its value at its place in the patient; the order of the
 * axes in memory may differ, as DICOM's k axis follows from the other two.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert as holds, asyncProperty } from 'fast-check'
import { afterAll, test } from 'vitest'
import {
  convertSources,
  findSeries,
  newUid,
  readImage,
  writeDicomSeries,
  writeSyntheticMr,
} from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { gridDistanceMm, orientToLps, volume } from '../../src/volume/index.ts'
import type { Grid, Volume, VoxelArray } from '../../src/volume/index.ts'
import { someGrid, standardGrids, volumeOn } from './made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-round-trip-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0
const folder = (): string => join(root, `r${++folders}`)

/** DICOM holds positions and cosines as 16 characters, NIfTI as float32: 1e-4 mm at 900 mm. */
const APART_MM = 1e-4

function assertSame(found: Volume, expected: Volume, name: string): void {
  const [a, b] = [orientToLps<VoxelArray>(found), orientToLps<VoxelArray>(expected)]
  const apartMm = gridDistanceMm(a.grid, b.grid)
  assert.ok(apartMm <= APART_MM, `${name}: ${apartMm} mm apart`)
  assert.deepEqual([...a.values], [...b.values], name)
}

async function written(made: Volume, modality: 'CT' | 'MR'): Promise<string> {
  const path = folder()
  await writeDicomSeries(path, {
    volume: made,
    modality,
    patient: { id: 'R', name: 'ROUND^TRIP' },
    studyUid: newUid('round'),
    seriesUid: newUid('round', modality),
    frameOfReferenceUid: newUid('frame'),
    seriesNumber: 1,
    description: modality,
    patientPosition: 'HFS',
  })
  return path
}

/** A CT, an MR and a synthetic MR on this grid, each written and read. */
async function checkDicom(grid: Grid, name: string): Promise<void> {
  const ct = volumeOn(grid, Int16Array)
  const mr = volume(
    grid,
    Float32Array.from(ct.values, (value) => value + 1001),
  )
  const ctFolder = await written(ct, 'CT')
  assertSame((await readImage(ctFolder)).volume, ct, `CT, ${name}`)
  assertSame((await readImage(await written(mr, 'MR'))).volume, mr, `MR, ${name}`)

  const source = (await findSeries([ctFolder], silent)).series[0]!
  const onItsGrid = (await readImage(ctFolder)).volume
  const values = Float32Array.from(onItsGrid.values, (value) => value + 1001)
  const smri = folder()
  await writeSyntheticMr(smri, {
    mr: volume(onItsGrid.grid, values),
    source,
    model: { name: 'none', version: '1', sha256: 'ab'.repeat(32) },
    description: 'T1',
    seed: 1,
    window: { low: 0, high: 2002 },
    createdAt: new Date(2026, 10, 24),
  })
  assertSame((await readImage(smri)).volume, mr, `synthetic MR, ${name}`)
}

test('all 48 axis orders and flips come back from DICOM as CT, MR and synthetic MR', async () => {
  for (const [name, grid] of standardGrids()) await checkDicom(grid, name)
})

test('oblique, anisotropic, left-handed grids come back from DICOM in millimetres', async () => {
  await holds(
    asyncProperty(someGrid, async (grid) => checkDicom(grid, JSON.stringify(grid))),
    { numRuns: 25, seed: 12 },
  )
})

/** DICOM → NIfTI → MHA → NRRD, each step by `convert`. */
async function checkChain(grid: Grid, name: string): Promise<void> {
  const made = volumeOn(grid, Int16Array)
  let from = await written(made, 'CT')
  for (const format of ['nifti', 'mha', 'nrrd'] as const) {
    const to = folder()
    const { volumes } = await convertSources([from], to, { format, report: silent })
    from = join(to, volumes[0]!.file)
    assertSame((await readImage(from)).volume, made, `${format}, ${name}`)
  }
}

test('all 48 axis orders and flips stay in place from format to format', async () => {
  for (const [name, grid] of standardGrids()) await checkChain(grid, name)
})

test('oblique, anisotropic, left-handed grids stay in place from format to format', async () => {
  await holds(
    asyncProperty(someGrid, async (grid) => checkChain(grid, JSON.stringify(grid))),
    { numRuns: 25, seed: 12 },
  )
})
