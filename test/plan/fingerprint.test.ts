import assert from 'node:assert/strict'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'vitest'
import { buildStore, describeStore } from '../../src/dataset/index.ts'
import { LarmorError } from '../../src/errors.ts'
import { sha256OfFile } from '../../src/files.ts'
import { makePlan, readPair, readPlan, writePlan } from '../../src/plan/index.ts'
import { silent } from '../../src/progress.ts'
import { mapMr, mrScaleOf } from '../../src/volume/index.ts'
import { pairOf, roomyMemory, temporaryFolder, writeSmallCohort } from './small-cohort.ts'

const options = { seed: 1, report: silent, sliceSize: 64, test: 0, memory: roomyMemory } as const

test('the histogram of the mapped MR is that of the mapped voxels, whatever the normalisation', async () => {
  await using folder = await temporaryFolder()
  await writeSmallCohort(folder.dir, [{}, {}])
  for (const normalise of ['percentile', 'z-score', 'landmarks'] as const) {
    const plan = await makePlan(folder.dir, { ...options, normalise })
    const { mr, inside } = await readPair(pairOf(folder.dir, 'p002', plan.target))
    const mapped = mapMr(mr.values, mrScaleOf(mr, inside, plan.mr)).filter((_, n) => inside.values[n] === 1)
    const shares = plan.fingerprint.patients[1]!.mrShares
    // Where a bin ends, the parts of a landmark's piece may fall to one side or the other: what lies below is compared.
    let below = 0
    shares.forEach((share, bin) => {
      below += share
      const edge = -1 + (2 * (bin + 1)) / shares.length
      const expected = mapped.filter((value) => value < edge || bin === shares.length - 1).length / mapped.length
      assert.ok(Math.abs(below - expected) < 5e-3, `${normalise}, below ${edge}: ${below} beside ${expected}`)
    })
  }
})

test('a patient whose only CT has contrast agent is used, and plan and store say so', async () => {
  await using folder = await temporaryFolder()
  const cohort = join(folder.dir, 'cohort')
  await writeSmallCohort(cohort, [{}, { ctRole: 'ct_contrast' }, {}])
  const plan = await makePlan(cohort, options)
  assert.deepEqual(
    plan.fingerprint.patients.map(({ ctRole }) => ctRole),
    ['ct', 'ct_contrast', 'ct'],
  )
  const store = join(folder.dir, 'store')
  const manifest = await buildStore(cohort, plan, store, { report: silent })
  assert.equal(manifest.patients.length, 3)
  assert.match(describeStore(store, plan, manifest).text, /p002.*contrast agent/)
})

test('where a patient has both CTs, the pair is the one that the registration names', async () => {
  await using folder = await temporaryFolder()
  await writeSmallCohort(folder.dir, [{}, {}])
  await addContrastCt(folder.dir, 'p001', 'p001')
  const roles = async () => (await makePlan(folder.dir, options)).fingerprint.patients.map(({ ctRole }) => ctRole)
  assert.deepEqual(await roles(), ['ct', 'ct'])
  const record = join(folder.dir, 'patients', 'p001', 'registration', 'registration.json')
  await writeFile(record, JSON.stringify({ fixed: { role: 'ct_contrast' }, images: [] }))
  assert.deepEqual(await roles(), ['ct_contrast', 'ct'])
})

test('one contrast CT under two patients on two sides of the split is a leak, though the pairs are of other CTs', async () => {
  await using folder = await temporaryFolder()
  await writeSmallCohort(folder.dir, [{}, {}])
  await addContrastCt(folder.dir, 'p001', 'p001')
  await addContrastCt(folder.dir, 'p002', 'p001')
  await assert.rejects(
    makePlan(folder.dir, options),
    (error) => error instanceof LarmorError && error.fault.kind === 'plan.leak',
  )
})

test('a plan of an earlier version is refused with what to do', async () => {
  await using folder = await temporaryFolder()
  await writeSmallCohort(folder.dir, [{}, {}])
  const path = join(folder.dir, 'plan.json')
  await writePlan(path, await makePlan(folder.dir, options))
  await writeFile(path, (await readFile(path, 'utf8')).replace('larmor/plan@2', 'larmor/plan@1'))
  await assert.rejects(
    readPlan(path),
    (error) => error instanceof LarmorError && /earlier version is made again: larmor plan/.test(error.fault.found),
  )
})

/** Gives a patient a contrast CT, with the content of another patient's CT. */
async function addContrastCt(dir: string, id: string, from: string): Promise<void> {
  const at = (of: string, file: string) => join('patients', of, file)
  await copyFile(join(dir, at(from, 'ct.nii.gz')), join(dir, at(id, 'ct_contrast.nii.gz')))
  await copyFile(join(dir, at(id, 'ct.json')), join(dir, at(id, 'ct_contrast.json')))
  const listed = JSON.parse(await readFile(join(dir, 'cohort.json'), 'utf8')) as {
    patients: { id: string; images: object[] }[]
  }
  listed.patients
    .find((patient) => patient.id === id)!
    .images.push({
      role: 'ct_contrast',
      file: at(id, 'ct_contrast.nii.gz'),
      sidecar: at(id, 'ct_contrast.json'),
      sha256: await sha256OfFile(join(dir, at(id, 'ct_contrast.nii.gz'))),
    })
  await writeFile(join(dir, 'cohort.json'), JSON.stringify(listed))
}
