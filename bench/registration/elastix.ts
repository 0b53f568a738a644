/**
 * The peer: elastix (Klein et al. 2010), rigid and then B-splines, as one sets it up for head and neck.
 *
 * It needs two helps (without: worse than rigid), which are not counted in its time: a mask of the body, after the
 * rigid step only where the MR has data, and a rim of zeros round the MR, else it drops samples that the warp pushes
 * out of the MR's field of view, and so pushes the patient out of it.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readNifti, writeNifti } from '../../src/formats/index.ts'
import type { Affine, Grid, Mask, Vec3, Volume } from '../../src/volume/index.ts'
import {
  apply,
  dilate,
  erode,
  fieldOfView,
  identityAffine,
  intersect,
  mmFromIndex,
  resampleLinear,
  scale,
  subtract,
  volume,
} from '../../src/volume/index.ts'
import type { Cost } from './measured.ts'
import { addedUp, measured } from './measured.ts'
import type { Errors, Landmarks, Point } from './points.ts'
import { errorsOf } from './points.ts'

export function findElastix(): boolean {
  return ['elastix', 'transformix'].every((program) => spawnSync(program, ['--version']).status === 0)
}

export type Length = 'short' | 'long'

export async function runElastix(
  folder: string,
  points: Landmarks,
  length: Length,
): Promise<{ errors: Errors; cost: Cost }> {
  const work = mkdtempSync(join(tmpdir(), 'larmor-elastix-'))
  const place = (name: string): string => join(work, name)
  const ct = await readNifti(join(folder, 'fixed_ct.nii.gz'))
  const mr = await readNifti(join(folder, 'moving_mr.nii.gz'))
  await writeNifti(place('ct.nii'), ct)
  await writeNifti(place('mr.nii'), padded(mr))
  const run = async (name: string, mask: Mask, parameters: string[], begin: string[]): Promise<Cost> => {
    mkdirSync(place(name))
    await writeNifti(place('mask.nii'), mask)
    writeFileSync(place(`${name}.txt`), parameters.join('\n'))
    const images = ['-f', place('ct.nii'), '-m', place('mr.nii'), '-fMask', place('mask.nii')]
    return measured('elastix', [...images, '-out', place(name), '-threads', '2', '-p', place(`${name}.txt`), ...begin])
  }
  const rigid = await run('rigid', bodyIn(ct, mr.grid, identityAffine, 0), parametersOf('rigid'), [])
  const transform = place('rigid/TransformParameters.0.txt')
  const pose = poseOf(work, transform)
  const mask = bodyIn(ct, mr.grid, pose, 4)
  const bspline = await run('bspline', mask, lengthened(parametersOf('bspline'), length), ['-t0', transform])
  const errors = errorsOf(pointsThrough(work, place('bspline/TransformParameters.0.txt'), points.fixed), points.moving)
  rmSync(work, { recursive: true })
  return { errors, cost: addedUp(rigid, bspline) }
}

function parametersOf(step: 'rigid' | 'bspline'): string[] {
  return readFileSync(fileURLToPath(new URL(`elastix-${step}.txt`, import.meta.url)), 'utf8').split('\n')
}

/** Short: as in the file. Long: until it has converged. */
function lengthened(parameters: string[], length: Length): string[] {
  if (length === 'short') return parameters
  const others = parameters.filter((line) => !/MaximumNumberOfIterations|NumberOfSpatialSamples/.test(line))
  return [...others, '(MaximumNumberOfIterations 500 500 500 500)', '(NumberOfSpatialSamples 4096)']
}

/** Grown by 6 mm, so that the skin takes part; and `edgeMm` inside the MR's field of view. */
function bodyIn(ct: Volume, mr: Grid, mrFromCtMm: Affine, edgeMm: number): Mask {
  const body = volume(
    ct.grid,
    Uint8Array.from(ct.values, (hu) => (hu > -350 ? 1 : 0)),
  )
  return intersect(dilate(body, 6), erode(fieldOfView(mr, ct.grid, mrFromCtMm), edgeMm))
}

const RIM_MM = 30

function padded(mr: Volume): Volume<Float32Array> {
  const rim = mr.grid.spacingMm.map((mm) => Math.ceil(RIM_MM / mm)) as unknown as Vec3
  const size: Vec3 = [mr.grid.size[0] + 2 * rim[0], mr.grid.size[1] + 2 * rim[1], mr.grid.size[2] + 2 * rim[2]]
  const originMm = apply(mmFromIndex(mr.grid), subtract([0, 0, 0], rim))
  return resampleLinear(mr, { ...mr.grid, size, originMm }, identityAffine, 0)
}

/** The rigid transform in LPS mm, from where it takes four points. */
function poseOf(work: string, transform: string): Affine {
  const probes = [
    [0, 0, 0],
    [-100, 0, 0],
    [0, -100, 0],
    [0, 0, 100],
  ]
  const [origin, x, y, z] = pointsThrough(work, transform, probes).map(([a, b, c]): Vec3 => [-a!, -b!, c!])
  const column = (end: Vec3 | undefined): Vec3 => scale(subtract(end!, origin!), 1 / 100)
  return { linear: [column(x), column(y), column(z)], offset: origin! }
}

/** transformix speaks LPS. */
function pointsThrough(work: string, transform: string, points: readonly Point[]): Point[] {
  const list = points.map(([x, y, z]) => `${-x!} ${-y!} ${z}`)
  writeFileSync(join(work, 'points.txt'), ['point', points.length, ...list].join('\n'))
  measured('transformix', ['-def', join(work, 'points.txt'), '-tp', transform, '-out', work])
  const text = readFileSync(join(work, 'outputpoints.txt'), 'utf8')
  return [...text.matchAll(/OutputPoint = \[ ([^\]]+) \]/g)].map(([, numbers]) => {
    const [x, y, z] = numbers!.trim().split(/\s+/).map(Number)
    return [-x!, -y!, z!]
  })
}
