// Golden: shared/data/pix2pix_golden/full.json, PyTorch 2.13.0+cpu in float64, `make_golden.py full full.json`.
import { describe, test } from 'vitest'
import { sharedData } from '../../shared-data.ts'
import { checkFinal, checkForward, checkNames, checkSteps } from '../../models/golden-checks.ts'
import { readGolden } from '../../models/golden-rule.ts'
import { disposeGolden, startGolden } from '../../models/golden-run.ts'

const folder = sharedData('pix2pix_golden')

describe.skipIf(!folder)("the paper's pix2pix equals PyTorch (skipped without shared/data/pix2pix_golden)", () => {
  test('names, outputs, layers, losses, gradients, weights and statistics of three steps, to 1e-7 in float64', () => {
    const golden = readGolden(folder!, 'full')
    const run = startGolden(golden, 'float64')
    checkNames(run, golden)
    checkForward(run, golden)
    checkSteps(run, golden)
    checkFinal(run, golden)
    disposeGolden(run)
  })
})
