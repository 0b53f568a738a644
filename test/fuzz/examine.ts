/** What must hold for any input whatever: a good volume, or a typed refusal that can be shown to a person. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { importSources } from '../../src/cohort/index.ts'
import { LarmorError } from '../../src/errors.ts'
import type { Fault } from '../../src/errors.ts'
import { openDicomFile } from '../../src/formats/dicom/file.ts'
import { framesOf } from '../../src/formats/dicom/frame.ts'
import { eachStored } from '../../src/formats/dicom/pixels.ts'
import { framePixels } from '../../src/formats/dicom/slice.ts'
import {
  convertSources,
  findSeries,
  isVolumeFile,
  readDicomVolume,
  readImage,
  writeSyntheticMr,
} from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import type { Random } from '../../src/random.ts'
import { voxelCount } from '../../src/volume/index.ts'
import type { Grid, Volume } from '../../src/volume/index.ts'

/** `slowestMs`: processor time of the reader that took longest. */
export type Outcome = { volumes: number; masks: number; refused: string[]; slowestMs: number }

/** Nothing larger is read back. */
const MAX_READ_BACK_BYTES = 2 ** 25
const LONGEST_FIELD = 2000

/** @throws Error  what no input may lead to */
export async function examine(folder: string, output: string, random: Random): Promise<Outcome> {
  const outcome: Outcome = { volumes: 0, masks: 0, refused: [], slowestMs: 0 }
  const options = { report: silent, correctTilt: random.uniform() < 0.5, fillGaps: random.uniform() < 0.5 }
  const format = (['nifti', 'mha', 'nrrd'] as const)[random.below(3)]!
  const files = filesIn(folder)
  const sources = [folder, ...files.filter(isVolumeFile)]
  await orFault(outcome, async () => {
    const converted = await convertSources(sources, join(output, 'converted'), { ...options, format })
    for (const fault of converted.refused) note(outcome, fault)
    outcome.volumes += converted.volumes.length
    outcome.masks += converted.masks.length
    for (const { file } of [...converted.volumes, ...converted.masks]) await readBack(join(output, 'converted', file))
  })
  for (const file of files) await orFault(outcome, () => decode(file))
  if (random.uniform() < 0.1)
    await orFault(outcome, async () => {
      const { cases, refused } = await importSources([folder], join(output, 'cohort'), options)
      for (const fault of [...refused, ...cases.flatMap((one) => one.refused)]) note(outcome, fault)
    })
  if (random.uniform() < 0.1) await orFault(outcome, () => synthetic(folder, join(output, 'smri')))
  return outcome
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
}

async function readBack(path: string): Promise<void> {
  if (statSync(path).size < MAX_READ_BACK_BYTES) checkVolume((await readImage(path)).volume)
}

function checkVolume({ grid, values }: Volume): void {
  if (values.length !== voxelCount(grid)) throw new Error('a volume whose values do not fill its grid')
  checkGrid(grid)
}
function checkGrid({ size, spacingMm, originMm, direction }: Grid): void {
  const numbers = [...spacingMm, ...originMm, ...direction.flat()]
  if (
    !numbers.every(Number.isFinite) ||
    !spacingMm.every((mm) => mm > 0) ||
    !size.every((n) => Number.isInteger(n) && n > 0)
  )
    throw new Error(`a volume that lies nowhere: ${JSON.stringify({ size, spacingMm, originMm, direction })}`)
}

/** The pixels of a file by itself, as no series of it may stand together. */
async function decode(path: string): Promise<void> {
  const file = await openDicomFile(path)
  if (!file?.pixelData) return
  for (const enhanced of [false, true]) {
    const frames = framesOf(file, enhanced).slice(0, 3)
    await eachStored(
      frames.map((frame) => framePixels(frame, path)),
      () => {},
    )
    if (frames.length > 1) return
    if (!file.dataSet.elements.has(0x52009230)) return
  }
}

async function synthetic(folder: string, output: string): Promise<void> {
  const { series } = await findSeries([folder], silent)
  const source = series.find(({ modality }) => modality === 'CT')
  if (!source) return
  const ct = await readDicomVolume(source)
  await writeSyntheticMr(output, {
    mr: { grid: ct.grid, values: new Float32Array(ct.values.length).fill(1) },
    source,
    model: { name: 'fuzz', version: '1', sha256: 'ab'.repeat(32) },
    description: 'T1',
    seed: 1,
    window: { low: 0, high: 1500 },
    createdAt: new Date(2026, 0, 1),
  })
}

async function orFault(outcome: Outcome, work: () => Promise<void>): Promise<void> {
  const began = process.cpuUsage()
  try {
    await work()
  } catch (error) {
    if (!(error instanceof LarmorError)) throw error
    note(outcome, error.fault)
  }
  const { user, system } = process.cpuUsage(began)
  outcome.slowestMs = Math.max(outcome.slowestMs, (user + system) / 1000)
}

/** A refusal is of the input, not of this machine, and each of its fields can be printed on a terminal. */
function note(outcome: Outcome, fault: Fault): void {
  if (!/^(input|geometry)\./.test(fault.kind))
    throw new Error(`a refusal of the kind ${fault.kind}: ${JSON.stringify(fault)}`)
  for (const text of Object.values(fault)) {
    if (text.length > LONGEST_FIELD) throw new Error(`a field of ${text.length} characters: ${text.slice(0, 200)}`)
    if (/(?!\n)\p{Cc}/u.test(text))
      throw new Error(`a field with control characters: ${JSON.stringify(text.slice(0, 200))}`)
  }
  outcome.refused.push(fault.kind)
}
