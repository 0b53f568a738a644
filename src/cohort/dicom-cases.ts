/** DICOM in any nesting: one case a patient, each series with its role by the import rules, and its structure sets. */
import { dirname } from 'node:path'
import { LarmorError } from '../errors.ts'
import type { Fault } from '../errors.ts'
import { patientKeyOf, readDicomVolume, readStructureSet, seriesLabel, stackOf } from '../formats/index.ts'
import type { DicomSeries, FoundSeries, Resampling, StructureSet } from '../formats/index.ts'
import { onePerRole } from './choose.ts'
import { isDrawnOn } from './drawn-on.ts'
import { roleOf } from './roles.ts'
import type { Beside } from './roles.ts'
import type { Rules } from './rules.ts'
import { dicomSourceOf } from './sidecar.ts'
import type { Candidate, Case } from './case.ts'

type Sets = { sets: StructureSet[]; refused: Fault[] }

export function dicomCases({ series, structureSets }: FoundSeries, rules: Rules): Case[] {
  const files = Map.groupBy(structureSets, ({ dataSet }) => patientKeyOf(dataSet))
  const bySeries = Map.groupBy(series, ({ patientKey }) => patientKey)
  return [...new Set([...bySeries.keys(), ...files.keys()])].map((key) =>
    patientCase(bySeries.get(key) ?? [], readSets(files.get(key) ?? []), rules),
  )
}

/** A structure set that cannot be read is refused alone. */
function readSets(files: FoundSeries['structureSets']): Sets {
  const read: Sets = { sets: [], refused: [] }
  for (const file of files) {
    try {
      read.sets.push(readStructureSet(file))
    } catch (error) {
      if (!(error instanceof LarmorError)) throw error
      read.refused.push(error.fault)
    }
  }
  return read
}

function patientCase(series: readonly DicomSeries[], { sets, refused }: Sets, rules: Rules): Case {
  const where = dirname(series[0]?.files[0]?.path ?? sets[0]?.path ?? refused[0]!.where)
  const drawnOn = series.filter((one) => sets.some((set) => isDrawnOn(set, one)))
  const beside: Beside = { series, drawnOn: new Set(drawnOn) }
  const leftOut: string[] = []
  const candidates = series.flatMap((one): Candidate[] => {
    const { role, why, rank } = roleOf(one, rules, beside)
    if (role !== undefined) return [candidate(one, role, why, rank)]
    leftOut.push(`${seriesLabel(one)}: ${why}`)
    return []
  })
  const chosen = onePerRole(candidates, where, rules.prefer, beside)
  return {
    where,
    ...chosen,
    structures: sets.map((set) => ({ kind: 'rtstruct', set })),
    leftOut: [...leftOut, ...chosen.leftOut],
    refused: [...chosen.refused, ...refused],
  }
}

function candidate(series: DicomSeries, role: string, why: string, rank: number): Candidate {
  return {
    role,
    why,
    rank,
    from: seriesLabel(series),
    source: dicomSourceOf(series),
    series,
    read: async (allow: Resampling) => ({
      volume: await readDicomVolume(series, allow),
      resampled: stackOf(series, allow).resampled,
    }),
  }
}
