/**
 * What of a batch is there already: an output folder whose qa.json says that it was made from the same CT, by the same model,
 * in the same way. It is passed over, so that the same command goes on after Ctrl-C, a full disk or a kill.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { LarmorError } from '../errors.ts'
import { exists, readJson, sha256OfFile } from '../files.ts'
import { findSeries, isVolumeFile, type DicomSeries } from '../formats/index.ts'
import { silent } from '../progress.ts'
import type { Model } from './model.ts'
import { formatOf, inTheWay, requireFree, uncertaintyFolder, type CaseOutput, type Format } from './output.ts'
import { drawnOn, type GoodStructureSet, type StructureSetFile } from './structures.ts'
import type { Run } from './synthesize.ts'

const Found = z.object({
  check: z.string(),
  verdict: z.enum(['ok', 'caution', 'refusal', 'not checked']),
  found: z.string(),
  expected: z.string(),
  advice: z.string(),
})
const Checked = { verdict: z.enum(['ok', 'caution', 'refusal']), findings: z.array(Found) }
const Millimetres = z.number().nullable()
const Surface = z.object({
  places: z.number(),
  shownShare: z.number(),
  patches: z.number(),
  medianMm: Millimetres,
  p95Mm: Millimetres,
})
/** Of qa.json (output.ts), what is compared and what is told again. */
const Qa = z.object({
  schema: z.literal('larmor/qa@1'),
  sequence: z.string(),
  model: z.object({ sha256: z.string() }),
  input: z.object({
    sha256: z.string().optional(),
    seriesUid: z.string().optional(),
    files: z.number().optional(),
    resampled: z.array(z.enum(['tilt', 'gaps'])).default([]),
  }),
  output: z.object({
    format: z.enum(['dicom', 'nifti', 'mha']),
    enhanced: z.boolean(),
    structures: z.array(z.object({ copyOf: z.string() })),
    uncertainty: z.object({ folder: z.string() }).optional(),
  }),
  seed: z.number(),
  mode: z.string(),
  samples: z.number(),
  evaluationsPerSlice: z.number(),
  gate: z.object({ ...Checked, forced: z.boolean() }),
  after: z.object({
    ...Checked,
    surfaces: z.object({ skin: Surface, air: Surface, bone: Surface }),
    nmiWithCt: z.number().nullable(),
    sliceChange: z.number().nullable(),
  }),
  seconds: z.object({ synthesis: z.number() }),
})
type Qa = z.infer<typeof Qa>

/** How the outputs of a batch are made: all that a finished one is held against. */
export type Asked = {
  model: Model
  run: Run
  seed: number
  format: Format | undefined
  enhanced: boolean
  force: boolean
  correctTilt: boolean
  fillGaps: boolean
  sets: readonly StructureSetFile[]
  /** There is no other CT that the structure sets could belong to. */
  only: boolean
}

export type Finished = {
  output: CaseOutput
  /** The structure sets that were copied. */
  used: readonly GoodStructureSet[]
}

/**
 * The finished output of this CT in `folder`; undefined where there is nothing yet.
 * @param path  the CT; read only where there is something in `folder`
 * @throws usage.outputExists  something else is there, or the folder of its uncertainty alone
 */
export async function finishedIn(folder: string, path: string, asked: Asked): Promise<Finished | undefined> {
  const beside = uncertaintyFolder(folder)
  if (!(await exists(folder))) {
    if (asked.run.spread) await requireFree(beside)
    return undefined
  }
  const qa = await readJson(join(folder, 'qa.json'), Qa).catch(unlessRefused)
  if (!qa) throw inTheWay(folder, 'a folder without a qa.json of this version of larmor')
  const input = await inputAt(path).catch(unlessRefused)
  if (!input || !isFrom(input, qa)) throw inTheWay(folder, 'a synthetic MRI of another CT')
  const used = input.dicom ? setsOn(input.dicom, qa, asked) : []
  const others = othersThan(asked, qa, input, used)
  if (others.length > 0) throw inTheWay(folder, `a synthetic MRI of another ${others.join(', ')}`)
  const { gate, after, output, sequence, seconds } = qa
  if (output.uncertainty && !(await exists(beside))) throw inTheWay(folder, 'a synthetic MRI whose uncertainty is gone')
  const { surfaces, nmiWithCt, sliceChange } = after
  return {
    output: {
      sequence,
      folder,
      format: output.format,
      uncertainty: output.uncertainty ? beside : null,
      seconds: seconds.synthesis,
      gate: { verdict: gate.verdict, findings: gate.findings },
      after: after.findings,
      figures: { surfaces, nmiWithCt, sliceChange },
    },
    used,
  }
}

/** A qa.json or a CT that is refused is no proof that this output is that CT's; anything else is told. */
function unlessRefused(error: unknown): undefined {
  if (!(error instanceof LarmorError)) throw error
}

type Input = { source: string; dicom?: DicomSeries; sha256?: string }

async function inputAt(path: string): Promise<Input | undefined> {
  // The hash of a header says nothing of the voxels that lie in another file.
  if (/\.(mhd|nhdr)$/i.test(path)) return undefined
  if (isVolumeFile(path)) return (await exists(path)) ? { source: path, sha256: await sha256OfFile(path) } : undefined
  const { series } = await findSeries([path], silent)
  return series.length === 1 ? { source: path, dicom: series[0]! } : undefined
}

function isFrom({ dicom, sha256 }: Input, { input }: Qa): boolean {
  return dicom
    ? input.seriesUid === dicom.seriesUid && input.files === dicom.files.length
    : input.sha256 !== undefined && input.sha256 === sha256
}

/** What of the way it was made is not as it is asked for, in words. */
function othersThan(asked: Asked, qa: Qa, input: Input, used: readonly GoodStructureSet[]): string[] {
  const { run, model } = asked
  const { output, gate } = qa
  const allowed = { tilt: asked.correctTilt, gaps: asked.fillGaps }
  const copied = output.structures.map(({ copyOf }) => copyOf).toSorted()
  const toCopy = used.map(({ drawn }) => drawn.sopInstanceUid).toSorted()
  const same: Record<string, boolean> = {
    model: qa.model.sha256 === model.sha256,
    seed: qa.seed === asked.seed,
    mode: qa.mode === run.mode,
    'number of samples': qa.samples === run.samples,
    'number of steps': qa.evaluationsPerSlice === run.evaluations,
    '--no-uncertainty': run.spread === (output.uncertainty !== undefined),
    format: output.format === formatOf(input, asked.format),
    '--enhanced': output.enhanced === asked.enhanced,
    '--force': asked.force || !gate.forced,
    resampling: qa.input.resampled.every((how) => allowed[how]),
    '--rtstruct': copied.join() === toCopy.join(),
  }
  return Object.keys(same).filter((what) => same[what] === false)
}

function setsOn(series: DicomSeries, { input }: Qa, { sets, only }: Asked): GoodStructureSet[] {
  return drawnOn({ series, gapsFilled: input.resampled.includes('gaps'), only }, sets)
}
