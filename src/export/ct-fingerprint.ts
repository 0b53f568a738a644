/** The gate's fingerprint, from the slice store: the CTs of the training patients as networks saw them. */
import type { Store } from '../dataset/index.ts'
import { pause } from '../progress.ts'
import { fingerprintOf, measureCt, type CtFingerprint, type CtTraits } from '../synthesis/index.ts'
import { identityDirection, volume, type Grid } from '../volume/index.ts'

/** @throws interrupted */
export async function ctFingerprint(
  { plan, patients }: Store,
  signal: AbortSignal | undefined,
): Promise<CtFingerprint> {
  const traits: CtTraits[] = []
  for (const id of plan.split.train) {
    await pause('Measuring the training CTs', signal)
    const stored = patients.get(id)!
    const { spacingMm, ct: own } = plan.fingerprint.patients.find((patient) => patient.id === id)!
    const { noiseHu, noiseCorrelation } = own
    const noise =
      noiseHu === null || noiseCorrelation === null ? undefined : { sdHu: noiseHu, correlation: noiseCorrelation }
    const [slices, height, width] = stored.ct.shape as [number, number, number]
    const grid: Grid = {
      size: [width, height, slices],
      spacingMm: [...plan.spacingMm, spacingMm[2]],
      originMm: [0, 0, 0],
      direction: identityDirection,
    }
    const [ct, body] = [volume(grid, stored.ct.values('int16')), volume(grid, stored.body.values('uint8'))]
    traits.push(measureCt(ct, body, noise))
  }
  const trained = plan.fingerprint.patients.filter(({ id }) => plan.split.train.includes(id))
  return fingerprintOf(
    traits,
    trained.some(({ ctRole, acquisition }) => ctRole === 'ct_contrast' || acquisition.contrastAgent === true),
  )
}
