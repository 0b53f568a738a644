/**
 * Golden: ../shared/data/metrics_vectors, float64 values by an independent NumPy implementation that was itself
 * checked against scikit-image 0.26, pytorch-msssim, TensorFlow 2.21 and the SynthRAD challenges' code (its README).
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mae, msSsim2d, nmi, psnr, rmse, sharpness, ssim2d, ssimScores } from '../../src/evaluation/index.ts'
import type { RangedPair } from '../../src/evaluation/index.ts'
import { sharedData } from '../shared-data.ts'
import { readNpy } from './npy.ts'

type Expected = number | 'Infinity' | null
type Case = {
  id: string
  kind: '2d' | '3d'
  ref: string
  test: string
  mask: string | null
  shape: number[]
  lo: number
  hi: number
  data_range: number
  expected: Record<'mae' | 'rmse' | 'psnr' | 'nmi_64_range' | 'ssim_gauss_valid', Expected> & {
    ms_ssim_2d: { value: Expected; per_scale: Expected[] } | null
    sharpness: Record<string, Expected | number[]> | null
  }
}

const folder = sharedData('metrics_vectors')
const cases: Case[] = folder ? JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')).cases : []
const flat = cases.filter(({ kind }) => kind === '2d')

/** The pair as one image; a volume's slices lie one below the other (for metrics that compare voxel with voxel). */
function pairOf({ ref, test, mask, shape, data_range: dataRange }: Case): RangedPair {
  const read = (path: string) => readNpy(join(folder!, path)).values
  const width = shape.at(-1)!
  const maskValues = mask === null ? undefined : Uint8Array.from(read(mask))
  const [reference, made] = [read(ref), read(test)]
  return { reference, test: made, mask: maskValues, width, height: reference.length / width, dataRange }
}

function near(found: number | null, expected: Expected | undefined, what: string): void {
  if (expected === undefined) throw new Error(`${what}: the vectors have no such value`)
  if (expected === null || expected === 'Infinity') expect(found, what).toBe(expected === null ? null : Infinity)
  else {
    expect(found, what).not.toBeNull()
    const error = Math.abs(found! - expected) / Math.max(1, Math.abs(expected))
    expect(error, `${what}: ${found} against ${expected}`).toBeLessThanOrEqual(1e-9)
  }
}

test.skipIf(!folder)('there are 30 pairs to compare with, 22 of them images', () => {
  expect([cases.length, flat.length]).toEqual([30, 22])
})

test.for(cases)('MAE, RMSE, PSNR and NMI of $id', (each) => {
  const pair = pairOf(each)
  near(mae(pair), each.expected.mae, 'mae')
  near(rmse(pair), each.expected.rmse, 'rmse')
  near(psnr(pair), each.expected.psnr, 'psnr')
  near(nmi(pair, { low: each.lo, high: each.hi }), each.expected.nmi_64_range, 'nmi')
})

test.for(flat)('SSIM and MS-SSIM of $id, scale by scale', (each) => {
  const pair = pairOf(each)
  near(ssim2d(pair), each.expected.ssim_gauss_valid, 'ssim_2d')
  near(msSsim2d(pair), each.expected.ms_ssim_2d?.value ?? null, 'ms_ssim_2d')
  const { scales } = ssimScores(pair)
  for (const [scale, expected] of each.expected.ms_ssim_2d?.per_scale.entries() ?? [])
    near((scale < 4 ? scales[scale]?.contrastStructure : scales[scale]?.ssim) ?? null, expected, `scale ${scale + 1}`)
})

test.for(flat)('sharpness of $id', (each) => {
  const [found, expected] = [sharpness(pairOf(each)), each.expected.sharpness]
  const numbers = (key: string): number[] => (expected?.[key] as number[] | undefined) ?? []
  const scalar = (key: string): Expected => (expected?.[key] as Expected | undefined) ?? null
  near(found?.ratio ?? null, scalar('sharpness_ratio'), 'ratio')
  near(found?.fractionReference ?? null, scalar('hf_fraction_ref'), 'fraction of the reference')
  near(found?.fractionTest ?? null, scalar('hf_fraction_test'), 'fraction of the test image')
  near(found?.logSpectralDistanceDb ?? null, scalar('log_spectral_distance_db'), 'log spectral distance')
  for (const [n, ring] of numbers('raps_bins').entries()) {
    near(found!.ringsReference[ring - 1]!, numbers('raps_ref')[n], `ring ${ring} of the reference`)
    near(found!.ringsTest[ring - 1]!, numbers('raps_test')[n], `ring ${ring} of the test image`)
  }
})
