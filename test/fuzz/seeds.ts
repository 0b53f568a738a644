/** Whole small cases that mutants are made from: what larmor writes, what the tests make by hand, and real files where they are. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  findSeries,
  newUid,
  writeDicomSeries,
  writeImage,
  writeMetaImage,
  writeNifti,
  writeNrrd,
  writeSyntheticMr,
} from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { standardGrids, volumeOn } from '../formats/made.ts'
import { sharedData } from '../shared-data.ts'
import { compressedSeries, enhancedFile, handMadeSeries, rtStructFile } from './made-dicom.ts'

/** Relative paths and bytes. */
export type Files = ReadonlyMap<string, Buffer>
export type Seed = { name: string; files: Files }

/** Real cases and files above these sizes would make the run slow and its mutants no better. */
const MAX_CASE_BYTES = 400_000
const MAX_FILE_BYTES = 90_000

export async function allSeeds(): Promise<Seed[]> {
  return [...(await madeSeeds()), ...realSeeds()]
}

async function madeSeeds(): Promise<Seed[]> {
  const root = mkdtempSync(join(tmpdir(), 'larmor-fuzz-seeds-'))
  try {
    await writeOurs(root)
    const ours = readdirSync(root).map((name) => ({ name: `ours ${name}`, files: filesUnder(join(root, name)) }))
    const golden = fileURLToPath(new URL('../formats/golden', import.meta.url))
    const theirs = readdirSync(golden)
      .filter((name) => /\.(nii|nii\.gz|mha|nrrd)$/.test(name))
      .map((name) => ({ name: `golden ${name}`, files: one(name, readFileSync(join(golden, name))) }))
    const series = (['implicit', 'explicit', 'big', 'deflated'] as const).map((encoding) => ({
      name: `series ${encoding}`,
      files: handMadeSeries(encoding),
    }))
    const structures = new Map([...handMadeSeries('explicit'), ['RS', rtStructFile()]])
    return [
      ...ours,
      ...theirs,
      ...series,
      ...(await compressedSeries()),
      { name: 'structures', files: structures },
      { name: 'enhanced', files: one('EMR', enhancedFile(3)) },
      { name: 'detached mhd', files: detachedMetaImage() },
      { name: 'detached nhdr', files: detachedNrrd() },
    ]
  } finally {
    rmSync(root, { recursive: true })
  }
}

async function writeOurs(root: string): Promise<void> {
  const grid = standardGrids()[21]![1]
  const [ct, mr] = [volumeOn(grid, Int16Array), volumeOn(grid, Float32Array)]
  const upright = volumeOn(standardGrids()[0]![1], Int16Array)
  for (const [n, name] of ['int16.nii', 'int16.nii.gz', 'int16.mha', 'int16.nrrd'].entries())
    await writeImage(join(root, `${n}`, name), ct)
  await writeNifti(join(root, '4', 'float.nii'), mr)
  await writeMetaImage(join(root, '5', 'float.mha'), mr)
  await writeNrrd(join(root, '6', 'float.nrrd'), mr)
  const uids = { studyUid: newUid('fuzz study'), frameOfReferenceUid: newUid('fuzz frame') }
  const plain = { volume: upright, modality: 'CT', patient: { id: 'F', name: 'FUZZ' }, ...uids } as const
  const texts = { seriesNumber: 1, description: 'CT', patientPosition: 'HFS' }
  await writeDicomSeries(join(root, 'ct'), { ...plain, ...texts, seriesUid: newUid('fuzz ct') })
  const source = (await findSeries([join(root, 'ct')], silent)).series[0]!
  await writeSyntheticMr(join(root, 'smri'), {
    mr: { grid: upright.grid, values: Float32Array.from(upright.values, Math.abs) },
    source,
    model: { name: 'fuzz', version: '1', sha256: 'ab'.repeat(32) },
    description: 'T1',
    seed: 1,
    window: { low: 0, high: 1500 },
    createdAt: new Date(2026, 0, 1),
  })
}

function detachedMetaImage(): Files {
  const header = `ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = -10 20 30.5
ElementSpacing = 0.5 0.75 2.5
DimSize = 5 4 3
ElementType = MET_SHORT
ElementDataFile = v.raw
`
  return new Map([
    ['v.mhd', Buffer.from(header)],
    ['v.raw', Buffer.alloc(120, 7)],
  ])
}

function detachedNrrd(): Files {
  const header = `NRRD0005
type: short
dimension: 3
space: right-anterior-superior
sizes: 5 4 3
space directions: (0.5,0,0) (0,0.75,0) (0,0,2.5)
kinds: domain domain domain
endian: little
encoding: raw
space origin: (-10,20,30.5)
data file: v.raw
`
  return new Map([
    ['v.nhdr', Buffer.from(header)],
    ['v.raw', Buffer.alloc(120, 7)],
  ])
}

function realSeeds(): Seed[] {
  const series = foldersIn('dicom_series').map((path) => ({ name: basename(path), files: filesUnder(path) }))
  const whole = series.filter(({ files }) => bytesIn(files) <= MAX_CASE_BYTES)
  const single = ['dicom_transfer_syntaxes', 'dicom_broken', 'dicom_rtstruct']
    .flatMap(foldersIn)
    .flatMap((path) => [...filesUnder(path)].map(([name, bytes]) => ({ name, bytes })))
    .filter(({ name, bytes }) => !/\.(md|json|png)$/.test(name) && bytes.length <= MAX_FILE_BYTES)
  return [...whole, ...single.map(({ name, bytes }) => ({ name, files: one(basename(name), bytes) }))]
}

function foldersIn(set: string): string[] {
  const path = sharedData(set)
  if (path === undefined) return []
  return readdirSync(path)
    .map((name) => join(path, name))
    .filter((one) => statSync(one).isDirectory())
    .toSorted()
}

function filesUnder(folder: string): Files {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
  return new Map(paths.map((path) => [relative(folder, path), readFileSync(path)]))
}

function one(name: string, bytes: Buffer): Files {
  return new Map([[name, bytes]])
}
function bytesIn(files: Files): number {
  return [...files.values()].reduce((sum, { length }) => sum + length, 0)
}
