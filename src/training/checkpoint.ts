/**
 * Checkpoints: folders that are whole or not there.
 *
 * Complete    when `state.json` is there, which is written last and holds the hash of every other file.
 * Swapped     written beside (`.last.new`), then the old one steps aside (`.last.old`) and the new one takes its name.
 *             A kill between the two renames leaves `.last.new` complete: `findCheckpoint` knows, and `mendCheckpoints` puts
 *             it in its place, which only the run's own process may do. Others only read, again where a swap came between.
 * Shared      `best` is made of hard links to the files of that moment, since no file is ever changed in place.
 */
import { copyFile, link, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { LarmorError } from '../errors.ts'
import { asDiskFault, exists, readJson, sha256OfFile, writeJson } from '../files.ts'
import { all, isFinite, readSafetensors, scope, writeSafetensors, type Tensor } from '../tensor/index.ts'
import { NOTHING_SPENT } from './clock.ts'
import type { Restored, StageTensors } from './stage.ts'

const FILES = { weights: 'weights.safetensors', ema: 'ema.safetensors', optimiser: 'optimiser.safetensors' } as const
const GROUPS = ['weights', 'ema', 'optimiser'] as const
export type CheckpointName = 'last' | 'best'

const StateSchema = z.strictObject({
  schema: z.literal('larmor/checkpoint@1'),
  step: z.int().min(0),
  /** Of training and validation, over all sessions. */
  elapsedSeconds: z.number().min(0),
  /** How many of the run's validations are done. */
  validations: z.int().min(0),
  /** Checkpoints of earlier versions do not say: then the next session measures anew. */
  spent: z
    .strictObject({
      validationSeconds: z.number().min(0),
      saveSeconds: z.number().min(0),
      watchedSeconds: z.number().min(0),
    })
    .default(NOTHING_SPENT),
  /** Of the validation at this step; null where none was due. */
  score: z
    .strictObject({
      by: z.enum(['ms_ssim_2d', 'mae']),
      value: z.number(),
      others: z.record(z.string(), z.number()),
    })
    .nullable(),
  /** Sums of the losses since the last line of metrics.jsonl. */
  pending: z.strictObject({ steps: z.int().min(0), sums: z.record(z.string(), z.number()) }),
  counters: z.record(z.string(), z.number()),
  sha256: z.strictObject({ weights: z.string(), ema: z.string(), optimiser: z.string() }),
})
export type CheckpointState = z.infer<typeof StateSchema>
export type LoopState = Omit<CheckpointState, 'schema' | 'counters' | 'sha256'>

/**
 * Writes `checkpoints/last`, and as `best` too where asked.
 * @throws train.notFinite   a weight is not a finite number: the checkpoint of before is kept
 * @throws machine.diskFull  likewise
 */
export async function saveCheckpoint(
  runDir: string,
  tensors: StageTensors,
  counters: Record<string, number>,
  state: LoopState,
  { isBest }: { isBest: boolean },
): Promise<void> {
  checkFinite(tensors.weights, state.step)
  const [fresh, twin] = [folder(runDir, '.last.new'), folder(runDir, '.best.new')]
  try {
    await rm(fresh, { recursive: true, force: true })
    const hashes = { weights: '', ema: '', optimiser: '' }
    for (const group of GROUPS) {
      const path = join(fresh, FILES[group])
      writeSafetensors(path, tensors[group])
      hashes[group] = await sha256OfFile(path)
    }
    await writeJson(join(fresh, 'state.json'), { schema: 'larmor/checkpoint@1', ...state, counters, sha256: hashes })
    if (isBest) await linkAll(fresh, twin)
  } catch (error) {
    // Half a checkpoint on a full disk would only keep it full.
    for (const half of [fresh, twin]) await rm(half, { recursive: true, force: true })
    throw asDiskFault(error, fresh)
  }
  // First: a kill after it leaves a `best` newer than `last`, and the steps up to it are simply taken again.
  if (isBest) await swapIn(runDir, 'best', twin)
  await swapIn(runDir, 'last', fresh)
}

/** The folder of a complete checkpoint, also amid a swap or after a kill in one; undefined where none was ever finished. */
export async function findCheckpoint(runDir: string, name: CheckpointName): Promise<string | undefined> {
  // Its own name once more: a swap that ends meanwhile leaves the other two.
  for (const place of [name, `.${name}.new`, `.${name}.old`, name])
    if (await exists(join(folder(runDir, place), 'state.json'))) return folder(runDir, place)
  return undefined
}

/** Brings swaps that were cut off to their end. Only under the run's lock: a training at work is amid such swaps. */
export async function mendCheckpoints(runDir: string): Promise<void> {
  for (const name of ['last', 'best'] as const) {
    const found = await findCheckpoint(runDir, name)
    const wanted = folder(runDir, name)
    if (found === undefined || found === wanted) continue
    await rm(wanted, { recursive: true, force: true })
    await rename(found, wanted).catch((error: unknown) => {
      throw asDiskFault(error, wanted)
    })
  }
}

const TRIES = 20

/**
 * What `read` makes of a run's checkpoint while its training may be at work: once more where a swap came between.
 * @returns undefined where there is no complete checkpoint
 * @throws what `read` throws of a checkpoint that stands still
 */
export async function readingCheckpoint<T>(
  runDir: string,
  name: CheckpointName,
  read: (checkpointDir: string) => Promise<T>,
): Promise<T | undefined> {
  for (let tried = 1; ; tried++) {
    const dir = await findCheckpoint(runDir, name)
    if (dir === undefined) return undefined
    const before = await stateText(dir)
    try {
      return await read(dir)
    } catch (error) {
      const isStill = before !== undefined && before === (await stateText(dir))
      if (isStill || tried === TRIES) throw error
    }
  }
}

/** Its state as it is written, which names every file's hash; undefined where it is not there. */
async function stateText(checkpointDir: string): Promise<string | undefined> {
  return readFile(join(checkpointDir, 'state.json'), 'utf8').catch(() => undefined)
}

/** @throws run.damaged, json.refused  the state is not what was written */
export async function readState(checkpointDir: string): Promise<CheckpointState> {
  return readJson(join(checkpointDir, 'state.json'), StateSchema)
}

/** A checkpoint in memory; its tensors are mapped files, freed by `dispose`. */
export type Loaded = Restored & { state: CheckpointState; dispose(): void }

/**
 * Everything of a checkpoint, its files checked against their hashes.
 * @throws run.damaged  a file is missing or not what was written
 */
export async function loadCheckpoint(checkpointDir: string): Promise<Loaded> {
  const state = await readState(checkpointDir)
  const tensors = {
    weights: await loadGroup(checkpointDir, 'weights', state),
    ema: await loadGroup(checkpointDir, 'ema', state),
    optimiser: await loadGroup(checkpointDir, 'optimiser', state),
  }
  const dispose = (): void => {
    for (const named of Object.values(tensors)) for (const t of named.values()) t.dispose()
  }
  return { state, tensors, counters: state.counters, where: checkpointDir, dispose }
}

/** The averaged weights alone: what predicts, is exported and refined. @throws run.damaged */
export async function loadAveraged(
  checkpointDir: string,
): Promise<{ state: CheckpointState; averaged: Map<string, Tensor> }> {
  const state = await readState(checkpointDir)
  return { state, averaged: await loadGroup(checkpointDir, 'ema', state) }
}

/** Copies what `loadAveraged` reads into another run folder, where it is a checkpoint of this name. @returns the file of weights */
export async function copyAveraged(checkpointDir: string, toRunDir: string, name: CheckpointName): Promise<string> {
  const to = folder(toRunDir, name)
  await mkdir(to, { recursive: true })
  for (const file of [FILES.ema, 'state.json']) await copied(join(checkpointDir, file), join(to, file))
  return join(to, FILES.ema)
}

async function loadGroup(
  checkpointDir: string,
  group: (typeof GROUPS)[number],
  { sha256 }: CheckpointState,
): Promise<Map<string, Tensor>> {
  const path = join(checkpointDir, FILES[group])
  const found = (await exists(path)) ? await sha256OfFile(path) : undefined
  if (found !== sha256[group]) throw damaged(path, found, sha256[group])
  return readSafetensors(path).tensors
}

function folder(runDir: string, name: string): string {
  return join(runDir, 'checkpoints', name)
}

async function swapIn(runDir: string, name: CheckpointName, fresh: string): Promise<void> {
  const [wanted, old] = [folder(runDir, name), folder(runDir, `.${name}.old`)]
  try {
    await rm(old, { recursive: true, force: true })
    if (await exists(wanted)) await rename(wanted, old)
    await rename(fresh, wanted)
    await rm(old, { recursive: true, force: true })
  } catch (error) {
    throw asDiskFault(error, wanted)
  }
}

/** The same files in another folder, without a copy where the file system has hard links. */
async function linkAll(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true })
  await mkdir(to, { recursive: true })
  for (const name of [...Object.values(FILES), 'state.json'])
    await link(join(from, name), join(to, name)).catch(() => copied(join(from, name), join(to, name)))
}

async function copied(from: string, to: string): Promise<void> {
  await copyFile(from, to)
  const file = await open(to, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

function checkFinite(weights: ReadonlyMap<string, Tensor>, step: number): void {
  for (const [name, values] of weights)
    if (scope(() => all(isFinite(values)).item()) === 0)
      throw new LarmorError({
        kind: 'train.notFinite',
        message: 'A weight is no longer a finite number.',
        where: `Step ${step}, ${name}`,
        found: 'NaN or infinity',
        expected: 'finite numbers',
        fix: 'The checkpoint before this is kept. Start a new run with a lower learningRate or more warmUpSteps.',
      })
}

function damaged(path: string, found: string | undefined, expected: string): LarmorError {
  return new LarmorError({
    kind: 'run.damaged',
    message: 'A checkpoint is not what was written.',
    where: path,
    found: found ? `hash ${found.slice(0, 12)}` : 'no such file',
    expected: `hash ${expected.slice(0, 12)}`,
    fix: 'Restore that folder from a copy. If it is checkpoints/last, you may remove it: --resume then goes on from checkpoints/best.',
  })
}
