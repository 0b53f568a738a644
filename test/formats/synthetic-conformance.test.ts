/** docs/dicom-conformance.md says exactly which attributes our objects have: its tables are held against files. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, test } from 'vitest'
import {
  findSeries,
  patientAndStudyOf,
  registeredSeriesOf,
  writeEnhancedMr,
  writeRegistration,
  writeStructureSetCopy,
  writeSyntheticMr,
} from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { identityAffine, voxelCount } from '../../src/volume/index.ts'
import { rawWithDcmjs } from './second-reader.ts'
import { ctOn, ctSeries, madeOf, structuresOn, turned } from './synthetic-made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-conformance-'))
afterAll(() => rmSync(root, { recursive: true }))
const text = readFileSync(fileURLToPath(new URL('../../docs/dicom-conformance.md', import.meta.url)), 'utf8')

/** The tags of a section's table: all of them, and those that are always there (if only empty). */
function stated(section: string): { all: Set<string>; always: Set<string> } {
  const part = text.slice(text.indexOf(`#### ${section} `))
  const rows = part
    .slice(0, part.indexOf('\n#### ', 5))
    .split('\n')
    .filter((line) => /^\|.*\([0-9a-f]{4},/.test(line))
  assert.ok(rows.length > 5, `a table in ${section}`)
  const tags = (row: string): string[] =>
    [...row.matchAll(/\(([0-9a-f]{4}),([0-9a-f]{4})\)/g)].map(([, g, e]) => g! + e!)
  return {
    all: new Set(rows.flatMap(tags)),
    always: new Set(rows.filter((row) => !row.includes('ANAP')).flatMap(tags)),
  }
}

function tagsIn(path: string): string[] {
  return Object.keys(rawWithDcmjs(readFileSync(path))).map((tag) => tag.toLowerCase())
}

function assertAsStated(path: string, section: string, of = '8.1.1'): void {
  const [common, own] = [stated(of), stated(section)]
  const found = tagsIn(path)
  for (const tag of found)
    assert.ok(common.all.has(tag) || own.all.has(tag), `${tag} is written, and not in ${section}`)
  for (const tag of [...common.always, ...own.always])
    assert.ok(found.includes(tag), `${tag} is in ${section}, and not written`)
}

test('a synthetic MR, its uncertainty and its enhanced form have the attributes of their tables and no others', async () => {
  const source = await ctSeries(join(root, 'ct'), ctOn(turned), {
    PatientIdentityRemoved: 'YES',
    PregnancyStatus: 4,
    ClinicalTrialSubjectID: 'X',
    RequestingService: 'RT',
  })
  for (const uncertainty of [undefined, { samples: 2, divisor: 'n - 1', nominal: { low: 0, high: 1 } } as const]) {
    const made = { ...(await madeOf(source)), ...(uncertainty ? { uncertainty } : {}) }
    const name = uncertainty ? 'uncertainty' : 'smri'
    await writeSyntheticMr(join(root, name), made)
    await writeEnhancedMr(join(root, `${name}.dcm`), made)
    assertAsStated(join(root, name, `${name}-0001.dcm`), '8.1.2')
    assertAsStated(join(root, `${name}.dcm`), '8.1.3')
  }
})

test('a registration has the attributes of its table and no others', async () => {
  const [ct, mr] = [
    await ctSeries(join(root, 'fixed'), ctOn(turned)),
    await ctSeries(join(root, 'moving'), ctOn(turned)),
  ]
  const vectors = new Float32Array(3 * voxelCount(turned))
  for (const deformation of [undefined, { grid: turned, vectors }]) {
    const path = join(root, `${deformation ? 'deformable' : 'rigid'}.dcm`)
    await writeRegistration(path, {
      transform: { movingFromFixedMm: identityAffine, ...(deformation ? { deformation } : {}) },
      fixed: registeredSeriesOf(ct),
      moving: registeredSeriesOf(mr),
      patientAndStudy: patientAndStudyOf(ct),
      description: 'mr_t1 onto CT',
      createdAt: new Date(),
    })
    assertAsStated(path, '8.1.6', '8.1.6')
    assert.ok(tagsIn(path).includes(deformation ? '00640002' : '00700308'))
  }
})

test('a structure set copy differs from its original in the attributes of its table and in no others', async () => {
  const source = await ctSeries(join(root, 'drawn'), ctOn(turned))
  const set = await structuresOn(join(root, 'set.dcm'), source)
  const [file] = (await findSeries([set], silent)).structureSets
  const made = await writeSyntheticMr(join(root, 'drawn-smri'), await madeOf(source))
  const path = join(root, 'copy.dcm')
  await writeStructureSetCopy(path, { file: file!, source, made, seenOn: 'sMRI SYNTHETIC t1', createdAt: new Date() })
  const [before, after] = [tagsIn(set), tagsIn(path)]
  const { all } = stated('8.1.4')
  for (const tag of after) if (!before.includes(tag)) assert.ok(all.has(tag), `${tag} is new, and not in 8.1.4`)
  for (const tag of before) if (!after.includes(tag)) assert.ok(all.has(tag), `${tag} is gone, and not in 8.1.4`)
})
