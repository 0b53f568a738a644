/**
 * The first stage inside the run of its refiner: `stage1/`, a run folder with what predicts and no more. So the refiner goes on
 * and is exported as it was trained, whatever becomes of the other run: trained further, moved, deleted.
 */
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LarmorError } from '../errors.ts'
import { exists, sha256OfFile, writeFolderWhole } from '../files.ts'
import { copyAveraged, readingCheckpoint } from './checkpoint.ts'
import { RUN_FILES } from './run-folder.ts'
import type { Stage1 } from './stage2.ts'

/** The run folder of the kept first stage; undefined in runs of before, and until the run's first moments are over. */
export async function keptStage1(runDir: string): Promise<string | undefined> {
  const kept = join(runDir, 'stage1')
  return (await exists(join(kept, RUN_FILES.record))) ? kept : undefined
}

/**
 * Keeps the first stage that was opened, once.
 * @throws run.mismatch  its run has better weights by now: it is being trained
 * @throws machine.diskFull, machine.noPermission
 */
export async function keepStage1(runDir: string, { dir, origin }: Stage1): Promise<void> {
  if (await keptStage1(runDir)) return
  await writeFolderWhole(join(runDir, 'stage1'), async (temporary) => {
    for (const name of [RUN_FILES.config, RUN_FILES.plan, RUN_FILES.record])
      await copyFile(join(dir, name), join(temporary, name))
    const averaged = await readingCheckpoint(dir, 'best', (from) => copyAveraged(from, temporary, 'best'))
    if (averaged === undefined || (await sha256OfFile(averaged)) !== origin.weightsSha256) throw overtaken(dir)
  })
}

function overtaken(dir: string): LarmorError {
  return new LarmorError({
    kind: 'run.mismatch',
    message: 'The first stage changed while the refiner began.',
    where: dir,
    found: 'other weights than a moment ago: a training is at work there',
    expected: 'weights that stay',
    fix: 'Run the same command again with --resume; better when that training has ended.',
  })
}
