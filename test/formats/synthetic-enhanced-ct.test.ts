/** From an enhanced CT: one file of many frames in, a synthetic MR out that names the frame of each of its slices. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import {
  findSeries,
  rasterise,
  readImage,
  readStructureSet,
  writeEnhancedMr,
  writeStructureSetCopy,
  writeSyntheticMr,
} from '../../src/formats/index.ts'
import type { DicomSeries, WrittenSeries } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { gridDistanceMm } from '../../src/volume/index.ts'
import { installed } from './made.ts'
import { readWithDcmjs } from './second-reader.ts'
import { ctOn, ctSeries, errorsOf, madeOf, structuresOn, turned } from './synthetic-made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-enhanced-ct-'))
afterAll(() => rmSync(root, { recursive: true }))

/** Our enhanced MR and what was drawn on it, made into an enhanced CT by exchanging values of equal length in their bytes. */
async function enhancedCt(): Promise<{ source: DicomSeries; drawn: string }> {
  const classic = await ctSeries(join(root, 'ct'), ctOn(turned))
  const made = await madeOf(classic)
  const [path, drawn] = [join(root, 'enhanced-ct.dcm'), join(root, 'drawn.dcm')]
  const series = await writeEnhancedMr(path, made)
  const file = (await findSeries([await structuresOn(join(root, 'classic.dcm'), classic)], silent)).structureSets[0]!
  await writeStructureSetCopy(drawn, { file, source: classic, made: series, seenOn: '', createdAt: new Date() })
  exchange(path, [
    ['1.2.840.10008.5.1.4.1.1.4.1', '1.2.840.10008.5.1.4.1.1.2.1'],
    ['\x08\x00\x60\x00CS\x02\x00MR', '\x08\x00\x60\x00CS\x02\x00CT'],
    ['\x28\x00\x54\x10LO\x02\x00US', '\x28\x00\x54\x10LO\x02\x00HU'],
  ])
  exchange(drawn, [['1.2.840.10008.5.1.4.1.1.4.1', '1.2.840.10008.5.1.4.1.1.2.1']])
  return { source: (await findSeries([path], silent)).series[0]!, drawn }
}

function exchange(path: string, pairs: readonly (readonly [from: string, to: string])[]): void {
  let bytes = readFileSync(path).toString('latin1')
  for (const [from, to] of pairs) {
    assert.ok(bytes.includes(from))
    bytes = bytes.replaceAll(from, to)
  }
  writeFileSync(path, bytes, 'latin1')
}

test('each slice references its own frame, on the same grid, and a structure set follows frame by frame', async () => {
  const { source, drawn } = await enhancedCt()
  assert.deepEqual([source.modality, source.files.length, source.frames.length], ['CT', 1, 5])
  const series = await writeSyntheticMr(join(root, 'smri'), await madeOf(source))
  assert.ok(gridDistanceMm((await readImage(join(root, 'smri'))).volume.grid, turned) < 1e-6)
  for (const n of [1, 2, 3, 4, 5]) {
    const read = readWithDcmjs(readFileSync(join(root, 'smri', `smri-000${n}.dcm`)))
    const [image] = read['SourceImageSequence'] as Record<string, unknown>[]
    assert.equal(Number(image!['ReferencedFrameNumber']), n)
    assert.equal(image!['ReferencedSOPClassUID'], '1.2.840.10008.5.1.4.1.1.2.1')
    if (installed('dciodvfy')) assert.deepEqual(errorsOf(join(root, 'smri', `smri-000${n}.dcm`)).errors, [])
  }
  const made = series.slices.map(({ sopInstanceUid }) => sopInstanceUid)
  // The box is drawn on slices 2 to 5, frames of one instance; in the copy on the instances made of these frames.
  assert.deepEqual(
    await boxImages(drawn, source, series),
    made.slice(1).map((uid) => [uid]),
  )
  // A reference without frame means the whole instance; so does the copy.
  const whole = await structuresOn(join(root, 'whole.dcm'), source)
  assert.deepEqual(await boxImages(whole, source, series), [made, made, made, made])
  const one = await writeEnhancedMr(join(root, 'one.dcm'), await madeOf(source))
  assert.deepEqual(
    await boxImages(whole, source, one),
    Array.from({ length: 4 }, () => [one.slices[0]!.sopInstanceUid]),
  )
})

/** The images that each contour of the first region references in a copy, which fills the same voxels as the original. */
async function boxImages(drawn: string, source: DicomSeries, made: WrittenSeries): Promise<(readonly string[])[]> {
  const file = (await findSeries([drawn], silent)).structureSets[0]!
  const path = join(root, `copy-${++copies}.dcm`)
  const copy = { file, source, made, seenOn: 'sMRI SYNTHETIC t1', createdAt: new Date() }
  assert.equal((await writeStructureSetCopy(path, copy)).unmatched, 0)
  const written = readStructureSet((await findSeries([path], silent)).structureSets[0]!)
  for (const [n, roi] of readStructureSet(file).rois.entries())
    assert.deepEqual(rasterise(written.rois[n]!, turned, '').mask.values, rasterise(roi, turned, '').mask.values)
  return written.rois[0]!.contours.map(({ sopInstanceUids }) => sopInstanceUids)
}
let copies = 0
