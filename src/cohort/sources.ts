/** What the sources of an import hold, as one case a patient, each image with its role and the reason for it. */
import type { Fault } from '../errors.ts'
import { findSeries, isVolumeFile } from '../formats/index.ts'
import type { Report } from '../progress.ts'
import type { Case } from './case.ts'
import { dicomCases } from './dicom-cases.ts'
import { fileCase, imageFolders } from './file-cases.ts'
import type { Rules } from './rules.ts'

export type FoundCases = { cases: Case[]; refused: Fault[]; passedOver: ReadonlyMap<string, number> }

/** @throws input.notFound  a source that is not there */
export async function findCases(
  sources: readonly string[],
  cohortDir: string,
  rules: Rules,
  report: Report,
): Promise<FoundCases> {
  const folders = new Set<string>()
  for (const source of sources) for (const folder of await imageFolders(source, rules, cohortDir)) folders.add(folder)
  const found = await findSeries(
    sources.filter((source) => !isVolumeFile(source)),
    report,
  )
  const fileCases: Case[] = []
  for (const folder of folders) {
    report({ at: 'progress', task: 'Reading files', done: fileCases.length, of: folders.size, unit: 'folders' })
    fileCases.push(await fileCase(folder, rules))
  }
  const taken = fileCases.reduce((sum, { images, structures }) => sum + images.length + structures.length, 0)
  const counts = new Map(found.passedOver)
  lower(counts, 'not DICOM', taken)
  lower(counts, 'RTSTRUCT', found.structureSets.length)
  return { cases: [...fileCases, ...dicomCases(found, rules)], refused: found.refused, passedOver: counts }
}

/** What was taken all the same is not passed over. */
function lower(counts: Map<string, number>, what: string, by: number): void {
  const left = (counts.get(what) ?? 0) - by
  if (left > 0) counts.set(what, left)
  else counts.delete(what)
}
