/** What export reads of the slice store itself: slices to compare both programs on, and what the gate holds new CTs against. */
import { openStore, readBatch, slicesOf, type Store } from '../dataset/index.ts'
import { LarmorError } from '../errors.ts'
import { planSha256 } from '../plan/index.ts'
import type { CtFingerprint, Stack } from '../synthesis/index.ts'
import { scope } from '../tensor/index.ts'
import { ctFingerprint } from './ct-fingerprint.ts'

/** Real slices that both programs compute; spread over the validation patients. */
const REAL_SLICES = 3

/** CT channels of a few validation slices, as training saw them, and what the gate holds new CTs against. */
export async function fromStore(
  storeDir: string | undefined,
  plan: string,
  signal: AbortSignal | undefined,
): Promise<{ slices: Stack; gate: CtFingerprint }> {
  if (storeDir === undefined) throw noStore()
  const store = await openStore(storeDir)
  try {
    if (planSha256(store.plan) !== plan) throw otherStore(storeDir)
    const refs = slicesOf(store, 'validation')
    const every = Math.max(1, Math.floor(refs.length / REAL_SLICES))
    const slices = refs
      .filter((_, n) => n % every === 0)
      .slice(0, REAL_SLICES)
      .map((ref) => channelsOf(store, ref))
    return { slices, gate: await ctFingerprint(store, signal) }
  } finally {
    store.close()
  }
}

function channelsOf(store: Store, ref: ReturnType<typeof slicesOf>[number]): Float32Array[] {
  const values = scope(() => readBatch(store, [ref]).ct.values('float32'))
  const perSlice = store.plan.sliceSize[0] * store.plan.sliceSize[1]
  return Array.from({ length: values.length / perSlice }, (_, c) => values.subarray(c * perSlice, (c + 1) * perSlice))
}

function noStore(): LarmorError {
  return new LarmorError({
    kind: 'usage.wrong',
    message: 'The slice store of the run is not known.',
    where: '--store',
    found: 'nothing',
    expected: 'the folder that the run was trained on: graphs are compared with libtorch on its validation slices',
    fix: 'Add --store <dir>.',
  })
}

function otherStore(storeDir: string): LarmorError {
  return new LarmorError({
    kind: 'run.mismatch',
    message: 'The slice store follows another plan than the run.',
    where: storeDir,
    found: 'slices of another plan',
    expected: 'the store that the run was trained on',
    fix: 'Give that store with --store.',
  })
}
