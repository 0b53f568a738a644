/** Files of other programs (test/formats/golden/make.py says which and how) are where those programs put them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, test } from 'vitest'
import { readImage, readMetaImage, readNifti, writeMetaImage, writeNifti, writeNrrd } from '../../src/formats/index.ts'
import { apply, gridDistanceMm, mmFromIndex, norm, subtract } from '../../src/volume/index.ts'
import type { Vec3 } from '../../src/volume/index.ts'
import { installed, standardGrids, volumeOn } from './made.ts'

const golden = (name: string): string => fileURLToPath(new URL(`golden/${name}`, import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'larmor-golden-'))
afterAll(() => rmSync(folder, { recursive: true }))

type Expected = { voxels: Vec3[]; rasMm: Vec3[] }
const expected = JSON.parse(readFileSync(golden('golden.json'), 'utf8')) as Expected

test.each([
  'nibabel-sform.nii.gz',
  'nibabel-qform.nii',
  'nibabel-big-endian.nii',
  'nibabel-nifti2.nii',
  'plastimatch.mha',
  'plastimatch.nrrd',
])('%s has its voxels at the millimetres that nibabel computed', async (name) => {
  const { volume } = await readImage(golden(name))
  expected.voxels.forEach((voxel, n) => {
    const [x, y, z] = expected.rasMm[n]!
    const offMm = norm(subtract(apply(mmFromIndex(volume.grid), voxel), [-x, -y, z]))
    assert.ok(offMm < 1e-5, `${voxel.join(' ')}: ${offMm} mm away`)
    const [i, j, k] = voxel
    assert.equal(volume.values[i + 5 * (j + 4 * k)], 100 * k + 10 * j + i)
  })
})

test.skipIf(!installed('plastimatch'))(
  'plastimatch (ITK) reads our MetaImage and our NRRD as it reads our NIfTI',
  async () => {
    const made = volumeOn(standardGrids()[29]![1], Float32Array)
    await writeMetaImage(join(folder, 'ours.mha'), made)
    execFileSync(
      'plastimatch',
      ['convert', '--input', join(folder, 'ours.mha'), '--output-img', join(folder, 'theirs.nii')],
      {
        stdio: 'ignore',
      },
    )
    const theirs = await readNifti(join(folder, 'theirs.nii'))
    assert.ok(gridDistanceMm(theirs.grid, made.grid) < 1e-4)
    assert.deepEqual(theirs.values, made.values)
    await writeNifti(join(folder, 'ours.nii.gz'), made)
    execFileSync(
      'plastimatch',
      ['convert', '--input', join(folder, 'ours.nii.gz'), '--output-img', join(folder, 'theirs.mha')],
      {
        stdio: 'ignore',
      },
    )
    assert.ok(gridDistanceMm((await readMetaImage(join(folder, 'theirs.mha'))).grid, made.grid) < 1e-4)
    await writeNrrd(join(folder, 'ours.nrrd'), made)
    const [input, output] = [join(folder, 'ours.nrrd'), join(folder, 'theirs.mha')]
    execFileSync('plastimatch', ['convert', '--input', input, '--output-img', output], { stdio: 'ignore' })
    assert.ok(gridDistanceMm((await readMetaImage(output)).grid, made.grid) < 1e-4)
  },
)
