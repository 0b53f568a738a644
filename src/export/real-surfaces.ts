/** Where the surfaces of real MRs lie against their CTs: what the sMRI's are held against (synthesis/surfaces.ts). */
import { readBatch, type Store } from '../dataset/index.ts'
import {
  addSurfaces,
  LEAST_IN_PATCH,
  noSurfaces,
  surfaceFigures,
  SURFACES,
  type ModelCard,
} from '../synthesis/index.ts'
import { rolesOf } from '../plan/index.ts'
import { scope } from '../tensor/index.ts'

/** Enough for the worst of them to be no chance; each costs as much as reading all its slices. */
const PATIENTS = 8
/** Of a patient's surface: a share of less is one of few places. */
const LEAST_PLACES = 12 * LEAST_IN_PATCH

/** Of all targets, on the slices that networks see: validation patients first, then as many of training as are still wanted. */
export function realSurfaces(store: Store): NonNullable<ModelCard['realSurfaces']> {
  const { validation, train } = store.plan.split
  const ids = [...new Set([...validation, ...train])].slice(0, PATIENTS)
  const figures = ids.flatMap((id) => rolesOf(store.plan).map((_, target) => figuresOf(store, id, target)))
  const worst = (surface: (typeof SURFACES)[number]) => {
    const seen = figures
      .map((each) => each[surface])
      .flatMap(({ places, p95Mm, shownShare }) =>
        p95Mm === null || places < LEAST_PLACES ? [] : [{ p95Mm, shownShare }],
      )
    if (seen.length === 0) return null
    return {
      p95Mm: Math.max(...seen.map(({ p95Mm }) => p95Mm)),
      shownShare: Math.min(...seen.map(({ shownShare }) => shownShare)),
    }
  }
  return { patients: ids.length, skin: worst('skin'), air: worst('air'), bone: worst('bone') }
}

function figuresOf(store: Store, id: string, target: number) {
  const { sliceSize, spacingMm, ct: window, fingerprint } = store.plan
  const sliceMm = fingerprint.patients.find((patient) => patient.id === id)!.spacingMm[2]
  const sums = noSurfaces()
  const usable = store.patients.get(id)!.usable
  for (let k = 0; k < usable.length; k++) {
    if (usable[k] === 0) continue
    const { channels, mr, mask } = scope(() => {
      const batch = readBatch(store, [{ patient: id, k }])
      return {
        channels: batch.ct.values('float32'),
        mr: batch.mr.values('float32'),
        mask: batch.mask.values('float32'),
      }
    })
    const plane = sliceSize[0] * sliceSize[1]
    const middle = (channels.length / plane - 1) / 2
    const unit = (value: number): number => (value + 1) / 2
    addSurfaces(sums, {
      size: sliceSize,
      spacingMm: [spacingMm[0], spacingMm[1]],
      voxelMm: Math.max(spacingMm[0], spacingMm[1]),
      zMm: k * sliceMm,
      hu: channels
        .subarray(middle * plane, (middle + 1) * plane)
        .map((value) => window.lowHu + unit(value) * (window.highHu - window.lowHu)),
      body: Uint8Array.from(mask),
      // As synthesis leaves it: air outside the body.
      mr: mr.subarray(target * plane, (target + 1) * plane).map((value, at) => (mask[at] === 0 ? 0 : unit(value))),
    })
  }
  return { skin: surfaceFigures(sums.skin), air: surfaceFigures(sums.air), bone: surfaceFigures(sums.bone) }
}
