/** What DICOM headers say of whose images they are. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { findSeries, nameTwoPatients, newUid, writeDicomSeries } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { identityDirection, volume } from '../../src/volume/index.ts'

test('headers that name two patients are told; one patient, written in two ways, and nobody are not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'larmor-two-'))
  const grid = { size: [4, 4, 3], spacingMm: [2, 2, 2], originMm: [0, 0, 0], direction: identityDirection } as const
  const seriesOf = async (id: string, name: string) => {
    const uid = newUid('two patients', id, name)
    await writeDicomSeries(join(folder, uid), {
      volume: volume(grid, new Int16Array(48)),
      modality: 'CT',
      patient: { id, name },
      studyUid: `${uid}.1`.slice(0, 64),
      seriesUid: uid,
      frameOfReferenceUid: newUid('frame', uid),
      seriesNumber: 1,
      description: 'PHANTOM',
      patientPosition: 'HFS',
    })
    return (await findSeries([join(folder, uid)], silent)).series[0]!
  }
  try {
    const [one, again, other, nobody, noOne] = [
      await seriesOf('17', 'PHANTOM^ONE'),
      await seriesOf('17 ', 'Phantom^One^^'),
      await seriesOf('18', 'PHANTOM^TWO'),
      await seriesOf('', ''),
      await seriesOf('', '^'),
    ]
    assert.equal(nameTwoPatients(one, other), true)
    assert.equal(nameTwoPatients(one, again), false)
    assert.equal(nameTwoPatients(one, nobody), false)
    assert.equal(nameTwoPatients(nobody, noOne), false)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
