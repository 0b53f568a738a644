/**
 * CT and MR that do not belong together, through the command: a typed refusal or the verdict 'reject', no MR on the CT's grid,
 * and no field that another program could take for one. Another person's head is in real-heads.test.ts.
 */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { readNifti, writeNifti } from '../../../src/formats/index.ts'
import type { Volume } from '../../../src/volume/index.ts'
import { slab } from '../../../src/volume/index.ts'
import { larmor } from '../../cli/larmor.ts'
import { sharedData } from '../../shared-data.ts'

const necks = sharedData('registration')
const pork = sharedData('pork-ct-mr')
const heads = sharedData('mni-ct-t1-template')
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'larmor-wrong-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function registered(name: string, fixed: string, moving: string) {
  const output = join(folder, name)
  const { code, stdout, stderr } = await larmor([
    'register',
    '--fixed',
    fixed,
    '--moving',
    moving,
    '--output',
    output,
    '--json',
  ])
  const { verdict, reason, refused } = JSON.parse(stdout) as {
    verdict?: string
    reason?: string
    refused?: { kind: string; found: string }[]
  }
  console.log(`${name}: exit ${code}, ${verdict ?? refused?.[0]?.kind}: ${reason ?? refused?.[0]?.found}`)
  const files = await readdir(output).catch(() => [])
  return { code, stderr, verdict: verdict ?? refused?.[0]?.kind ?? 'nothing', files }
}

function assertRejected({ code, verdict, files, stderr }: Awaited<ReturnType<typeof registered>>): void {
  assert.equal(code, 3, stderr)
  assert.ok(['reject', 'registration.failed'].includes(verdict), verdict)
  assert.deepEqual(
    files.filter((file) => /\.(nii\.gz|dcm)$/.test(file)),
    [],
  )
}

const neckCt = join(necks ?? '', 'hn_t1', 'fixed_ct.nii.gz')

test.skipIf(!necks || !pork)('a block of pork is not registered onto a neck', async () => {
  assertRejected(await registered('pork-on-neck', neckCt, join(pork!, 'mr-t2-small.nii.gz')))
})

test.skipIf(!necks || !heads)('a head is not registered onto a neck', async () => {
  assertRejected(await registered('head-on-neck', neckCt, join(heads!, 't1.nii.gz')))
})

test.skipIf(!necks)('the upper part of a neck’s MR is not registered onto the lower part of its CT', async () => {
  const part = (image: Volume, from: number, to: number): Volume => {
    const count = image.grid.size[2]
    return slab(image, Math.floor(from * count), Math.ceil(to * count) - 1)
  }
  const [lower, upper] = [join(folder, 'lower.nii.gz'), join(folder, 'upper.nii.gz')]
  await writeNifti(lower, part(await readNifti(neckCt), 0, 0.4))
  await writeNifti(upper, part(await readNifti(join(necks!, 'hn_t1', 'moving_mr.nii.gz')), 0.6, 1))
  assertRejected(await registered('apart', lower, upper))
})
