/** The figures of the uncertainty in each region: what all its voxels, sorted, say; and how soon Ctrl-C ends them. */
import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { findSeries, rasterise, readStructureSet } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { stream } from '../../src/random.ts'
import { roiUncertainties } from '../../src/synthesis/roi-uncertainty.ts'
import { openStructureSets, type GoodStructureSet } from '../../src/synthesis/structures.ts'
import { identityDirection, percentileOfSorted, volume } from '../../src/volume/index.ts'
import { ctSeries, structuresOn } from '../formats/synthetic-made.ts'
import { centredGrid, sampledCt } from './phantom.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-roi-'))
// More slices than one step has.
const ct = sampledCt(centredGrid([16, 16, 40], [3, 3, 2], identityDirection, [12, -18, 30]))
await ctSeries(join(root, 'ct'), ct)
const path = await structuresOn(join(root, 'set.dcm'), (await findSeries([join(root, 'ct')], silent)).series[0]!)
const sets = (await openStructureSets(path, silent)).filter((set): set is GoodStructureSet => 'drawn' in set)
const random = stream(1, 'uncertainties')

test('mean, median and 95th percentile of a region are those of its sorted voxels, over all sizes of numbers', async () => {
  const uncertainties = {
    'of any size': () => Math.exp(12 * random.normal()),
    'many alike': () => Math.floor(3 * random.uniform()),
    'none at all': () => 0,
  }
  for (const [name, draw] of Object.entries(uncertainties)) {
    const map = volume(ct.grid, Float32Array.from(ct.values, draw))
    const found = await roiUncertainties(sets, map, 100, undefined)
    const { rois } = readStructureSet(sets[0]!)
    assert.equal(found.length, rois.length)
    for (const [n, roi] of rois.entries()) {
      const { mask } = rasterise(roi, ct.grid, '')
      const sorted = map.values.filter((_, at) => mask.values[at] === 1).toSorted()
      const { voxels, percentOfScale } = found[n]!
      const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length
      assert.equal(voxels, sorted.length)
      const expected = [mean, percentileOfSorted(sorted, 50), percentileOfSorted(sorted, 95)]
      for (const [at, value] of [percentOfScale!.mean, percentOfScale!.median, percentOfScale!.p95].entries())
        assert.ok(
          Math.abs(value - expected[at]!) <= 0.0006 + 1e-6 * value,
          `${name}, ${roi.name}: ${value}, ${expected[at]}`,
        )
    }
  }
})

test('the event loop turns between regions: a request to stop that comes meanwhile ends them', async () => {
  const map = volume(ct.grid, new Float32Array(ct.values.length).fill(1))
  const stop = new AbortController()
  setTimeout(() => stop.abort())
  await assert.rejects(
    async () => roiUncertainties([...sets, ...sets], map, 100, stop.signal),
    (error) => error instanceof LarmorError && error.fault.kind === 'interrupted',
  )
})
