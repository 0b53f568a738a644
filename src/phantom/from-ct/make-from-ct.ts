/**
 * MR for real CTs: `PHANTOM-NNN/` with the CT as it is, its structures, simulated MR in another frame, and the truth.
 *
 * The MR is invented and says PHANTOM; the CT is the patient's own, and stays as private as it was.
 */
import { join } from 'node:path'
import { LarmorError, throwIfAborted } from '../../errors.ts'
import { version, writeJson } from '../../files.ts'
import { readImage, writeNifti } from '../../formats/index.ts'
import { listening } from '../../progress.ts'
import type { Report } from '../../progress.ts'
import { seedOf, stream } from '../../random.ts'
import { apply, bodyMask, boundingBox, indexFromMm, mmFromIndex, orientToLps, volume } from '../../volume/index.ts'
import type { CtVolume, Grid, Mask, Vec3 } from '../../volume/index.ts'
import { phantomId } from '../patient-id.ts'
import { drawMisalignment, mrFromCt } from '../pose.ts'
import type { Misalignment } from '../pose.ts'
import { MOTIONS, PRESETS } from '../presets.ts'
import type { MotionName } from '../presets.ts'
import { SEQUENCES } from '../sequences.ts'
import type { SequenceName } from '../sequences.ts'
import { drawTraits } from '../traits.ts'
import { transformOf, writeCorrespondence } from '../truth.ts'
import { axialGrid } from '../virtual-patient.ts'
import type { Landmark } from '../virtual-patient.ts'
import { writeWhole } from '../write.ts'
import { readMasks } from './masks.ts'
import type { MaskSource } from './masks.ts'
import { mrOfCtInSteps } from './scan.ts'
import { tissueMap } from './tissue-map.ts'

export type FromCtOptions = {
  readonly cts: readonly string[]
  readonly masks: MaskSource
  readonly output: string
  readonly sequences: readonly SequenceName[]
  readonly motion: MotionName
  readonly seed: number
}
export type MadeFromCt = { id: string; folder: string; structures: string[] }

/** @throws usage.outputExists, interrupted, machine.diskFull, machine.noPermission, and what reading a CT or a mask throws */
export async function makeFromCt(options: FromCtOptions, report: Report, signal?: AbortSignal): Promise<MadeFromCt[]> {
  const made: MadeFromCt[] = []
  for (const [n, path] of options.cts.entries()) {
    throwIfAborted(signal, `Before ${phantomId(n + 1)}`)
    made.push(await makeOne(path, n + 1, options, signal))
    report({ at: 'progress', task: 'Making MR for CTs', done: n + 1, of: options.cts.length, unit: 'patients' })
  }
  return made
}

async function makeOne(path: string, n: number, options: FromCtOptions, signal?: AbortSignal): Promise<MadeFromCt> {
  const ct = await readCt(path)
  const masks = await readMasks(path, options.masks, ct.grid)
  const seed = seedOf(options.seed, 'from ct', n)
  const body = bodyMask(ct)
  const map = tissueMap(ct, body, masks, seed)
  const middle = middleOf(body)
  const limits = MOTIONS[options.motion]
  // Where jaw and larynx of this patient are is not known: waves alone bend.
  const drawn = drawMisalignment(drawTraits(seed), middle.centre, { ...limits, bendMm: 2 * limits.bendMm })
  const misalignment: Misalignment = { ...drawn, motions: [] }
  const mrGrid = gridAbout(middle, ct.grid)
  const sequences = options.sequences.map((name) => SEQUENCES[name])
  const scan = { ct, map, traits: drawTraits(seed), misalignment, mrGrid, sequences, mr: PRESETS.standard.mr }
  const images = await listening(mrOfCtInSteps(scan), phantomId(n), signal)
  const folder = await writeWhole(options.output, n, async (temporary) => {
    await writeNifti(join(temporary, 'ct.nii.gz'), ct, {
      description: 'the CT that PHANTOM MR beside it were made for',
    })
    for (const { name, mask } of masks) await writeNifti(join(temporary, 'structures', `${name}.nii.gz`), mask)
    for (const [m, { key, name }] of sequences.entries())
      await writeNifti(join(temporary, `mr_${key}.nii.gz`), images[m]!, { description: `PHANTOM ${name} of a real CT` })
    const landmarks = landmarksIn(body, misalignment, mrGrid, seed)
    await writeCorrespondence(join(temporary, 'truth'), misalignment, ct.grid, landmarks)
    await writeJson(join(temporary, 'truth', 'truth.json'), {
      schema: 'larmor/phantom-from-ct@1',
      patient: phantomId(n),
      seed,
      larmor: version(),
      frames: 'LPS millimetres of the CT and of the MR',
      mrFromCt: transformOf(misalignment),
      landmarks,
      structures: masks.map(({ name }) => name),
    })
  })
  return { id: phantomId(n), folder, structures: masks.map(({ name }) => name) }
}

async function readCt(path: string): Promise<CtVolume> {
  const { volume: read, modality } = await readImage(path)
  if (modality === 'MR' || !read.values.some((hu) => hu < -500)) {
    throw new LarmorError({
      kind: 'input.badValue',
      message: 'This is no CT.',
      where: path,
      found: modality === 'MR' ? 'an MR series' : 'no value below −500',
      expected: 'a CT in HU, with air around the patient',
      fix: 'Give the planning CT.',
    })
  }
  const { grid, values } = orientToLps(read)
  return volume(
    grid,
    Int16Array.from(values, (hu) => Math.round(hu)),
  )
}

type Middle = { readonly centre: Vec3; readonly extentMm: Vec3 }

function middleOf(body: Mask): Middle {
  const { first, last } = boundingBox(body)!
  const toMm = mmFromIndex(body.grid)
  const [a, b] = [apply(toMm, first), apply(toMm, last)]
  const along = (axis: 0 | 1 | 2): number => Math.abs(b[axis] - a[axis])
  return { centre: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2], extentMm: [along(0), along(1), along(2)] }
}

/** An axial scan of the body with a little air around it, and a little less of it along z, as MR has. */
function gridAbout({ centre, extentMm }: Middle, ct: Grid): Grid {
  const sideMm = Math.max(extentMm[0], extentMm[1]) + 40
  const pixelMm = Math.max(1.4, sideMm / 256)
  const thickMm = Math.max(2.5, ct.spacingMm[2])
  const count = Math.ceil(sideMm / pixelMm)
  return axialGrid([count, count, Math.floor((0.94 * extentMm[2]) / thickMm)], [pixelMm, pixelMm, thickMm], centre)
}

/** Sixty places in the body, as far as the MR holds them. */
function landmarksIn(body: Mask, misalignment: Misalignment, mrGrid: Grid, seed: number): Landmark[] {
  const draw = stream(seed, 'phantom', 'landmarks')
  const [toMm, toMr, mrIndex] = [mmFromIndex(body.grid), mrFromCt(misalignment), indexFromMm(mrGrid)]
  const inside = Array.from(body.values.keys()).filter((n) => body.values[n]! > 0)
  const [ni, nj] = body.grid.size
  return Array.from({ length: 60 }, (_, m): Landmark => {
    const n = inside[draw.below(inside.length)]!
    const ctMm = apply(toMm, [n % ni, Math.floor(n / ni) % nj, Math.floor(n / (ni * nj))])
    return { name: `point ${m + 1}`, ctMm, mrMm: toMr(ctMm) }
  }).filter(({ mrMm }) => apply(mrIndex, mrMm).every((at, axis) => at >= 0 && at <= mrGrid.size[axis]! - 1))
}
