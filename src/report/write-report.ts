/** The evaluation's folder: slices.csv, report.html, and evaluation.json last, which makes it complete. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeEvaluation } from '../evaluation/index.ts'
import type { Evaluation, EvaluationCase } from '../evaluation/index.ts'
import { writeFileAtomic } from '../files.ts'
import { htmlReport } from './html.ts'
import { takePictures, type Drawing } from './pictures.ts'

/** @returns the path of report.html; `cases` are those that were evaluated (their images are loaded again for pictures) */
export async function writeReport(
  folder: string,
  evaluation: Evaluation,
  cases: readonly EvaluationCase[],
  drawing: Drawing = {},
): Promise<string> {
  const path = join(folder, 'report.html')
  const page = htmlReport(evaluation, await takePictures(evaluation, cases, drawing))
  // Of an earlier evaluation: a new page never stands beside old figures.
  await rm(join(folder, 'evaluation.json'), { force: true })
  await writeFileAtomic(path, page)
  await writeEvaluation(folder, evaluation)
  return path
}
