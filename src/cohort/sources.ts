/**
 * What the sources of an import hold, as one case a patient, each image with its role and the reason for it.
 *
 * DICOM in any nesting; and folders that hold ct.* or mr*.* as NIfTI, MetaImage or NRRD (one folder a patient: the
 * layout of SynthRAD, of the shared OpenKBP set, and of what larmor writes; HaN-Seg puts its words around the names),
 * whose other label images are structures.
 */
import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { LarmorError } from '../errors.ts'
import type { Fault } from '../errors.ts'
import { sha256OfFile } from '../files.ts'
import {
  findSeries,
  isMetaImage,
  isNifti,
  isVolumeFile,
  readDicomVolume,
  readImage,
  seriesLabel,
  stackOf,
} from '../formats/index.ts'
import type { DicomSeries, Resampling } from '../formats/index.ts'
import type { Report } from '../progress.ts'
import type { Volume } from '../volume/index.ts'
import type { Role } from './cohort.ts'
import { leftOutBecause, roleOf } from './roles.ts'
import { dicomSourceOf } from './sidecar.ts'
import type { ImageSource } from './sidecar.ts'

export type Candidate = {
  role: Role
  why: string
  /** What a person sees: 'Series 8 "CT" (CT, 103 images)' or 'ct.nii.gz'. */
  from: string
  source: ImageSource
  read(allow: Resampling): Promise<{ volume: Volume; resampled: ('tilt' | 'gaps')[] }>
}
export type Case = {
  /** The folder that the case lies in. */
  where: string
  images: Candidate[]
  structures: { name: string; path: string }[]
  /** Series and files that were left out, with the reason. */
  leftOut: string[]
  /** Roles with several candidates, each of which is refused before anything is read. */
  undecided: Role[]
  refused: Fault[]
}
export type FoundCases = { cases: Case[]; refused: Fault[]; passedOver: ReadonlyMap<string, number> }

/** @throws input.notFound  a source that is not there */
export async function findCases(sources: readonly string[], report: Report): Promise<FoundCases> {
  const folders = new Set<string>()
  for (const source of sources) for (const folder of await imageFolders(source)) folders.add(folder)
  const found = await findSeries(
    sources.filter((source) => !isVolumeFile(source)),
    report,
  )
  const fileCases = await Promise.all([...folders].map(fileCase))
  const taken = fileCases.reduce((sum, { images, structures }) => sum + images.length + structures.length, 0)
  return {
    cases: [...fileCases, ...dicomCases(found.series)],
    refused: found.refused,
    passedOver: less(found.passedOver, 'not DICOM', taken),
  }
}

/** Images that are no DICOM, but were taken all the same, are not passed over. */
function less(counts: ReadonlyMap<string, number>, what: string, by: number): ReadonlyMap<string, number> {
  const left = Math.max(0, (counts.get(what) ?? 0) - by)
  return new Map(
    [...counts].map(([key, count]) => [key, key === what ? left : count] as const).filter(([, n]) => n > 0),
  )
}

/** Folders at or below `path` in which a CT or MR lies as a file of its own; the folder of a file that is given itself. */
async function imageFolders(path: string): Promise<string[]> {
  const info = await stat(path).catch(() => undefined)
  if (info?.isFile() && isVolumeFile(path)) return [dirname(path)]
  if (!info?.isDirectory()) return [] // findSeries says what is wrong with it
  const entries = await readdir(path, { withFileTypes: true })
  const below = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
  const inside: string[] = []
  for (const entry of below.toSorted(byNumberInName)) inside.push(...(await imageFolders(join(path, entry.name))))
  return entries.some((entry) => roleOfFile(entry.name) !== undefined) ? [path, ...inside] : inside
}

/** pt_2 before pt_10. */
function byNumberInName(a: { name: string }, b: { name: string }): number {
  return a.name.localeCompare(b.name, 'en', { numeric: true })
}

/** ct, ct_contrast, mr or mr_<sequence> by the file's name; undefined for any other file. */
function roleOfFile(name: string): Role | undefined {
  if (!isVolumeFile(name)) return undefined
  const stem = stemOf(name).toLowerCase()
  if (stem === 'mr') return 'mr_mr'
  return /^(ct|ct_contrast|mr_[a-z0-9]+)$/.test(stem) ? stem : undefined
}

/** Without its ending, and without what HaN-Seg puts around it: case_01_IMG_MR_T1.nrrd, case_01_OAR_Parotid_L.seg.nrrd. */
function stemOf(name: string): string {
  const stem = name.replace(/\.(nii|nii\.gz|mha|mhd|seg\.nrrd|nrrd|nhdr)$/i, '')
  return stem.replace(/^case_\d+_(IMG|OAR)_/i, '')
}

async function fileCase(folder: string): Promise<Case> {
  const names = (await readdir(folder)).filter((name) => isVolumeFile(name) && !name.startsWith('.')).toSorted()
  const images: Candidate[] = []
  for (const name of names) {
    const role = roleOfFile(name)
    if (role === undefined) continue
    const path = join(folder, name)
    const kind = isNifti(name) ? 'nifti' : isMetaImage(name) ? 'metaimage' : 'nrrd'
    images.push({
      role,
      why: 'the name of the file',
      from: name,
      source: { kind, file: name, sha256: await sha256OfFile(path) },
      read: async () => ({ volume: (await readImage(path)).volume, resampled: [] }),
    })
  }
  const others = names.filter((name) => roleOfFile(name) === undefined)
  const structures = others.map((name) => ({ name: stemOf(name), path: join(folder, name) }))
  return { where: folder, ...withoutDoubles(images, folder), structures, leftOut: [] }
}

function dicomCases(series: readonly DicomSeries[]): Case[] {
  return [...Map.groupBy(series, ({ patientKey }) => patientKey).values()].map((ofPatient) => {
    const where = dirname(ofPatient[0]!.files[0]!.path)
    const leftOut = ofPatient.flatMap((one) => {
      const why = leftOutBecause(one)
      return why === undefined ? [] : [`${seriesLabel(one)}: ${why}`]
    })
    const usable = originalsFirst(ofPatient.filter((one) => leftOutBecause(one) === undefined))
    leftOut.push(...usable.leftOut)
    const images = usable.kept.map((one) => ({
      ...roleOf(one),
      from: seriesLabel(one),
      source: dicomSourceOf(one),
      read: async (allow: Resampling) => ({
        volume: await readDicomVolume(one, allow),
        resampled: stackOf(one, allow).resampled,
      }),
    }))
    return { where, ...withoutDoubles(images, where), structures: [], leftOut }
  })
}

/** Reformatted and other derived series give way where an original of the same role is there. */
function originalsFirst(series: readonly DicomSeries[]): { kept: DicomSeries[]; leftOut: string[] } {
  const isDerived = (one: DicomSeries): boolean => one.imageType[0] === 'DERIVED'
  const originals = new Set(series.filter((one) => !isDerived(one)).map((one) => roleOf(one).role))
  const givesWay = (one: DicomSeries): boolean => isDerived(one) && originals.has(roleOf(one).role)
  return {
    kept: series.filter((one) => !givesWay(one)),
    leftOut: series.filter(givesWay).map((one) => `${seriesLabel(one)}: derived, and the original is there`),
  }
}

/** Between two candidates for one role nobody but a person can choose: both are refused, by what tells them apart. */
function withoutDoubles(images: readonly Candidate[], where: string): Pick<Case, 'images' | 'undecided' | 'refused'> {
  const byRole = Map.groupBy(images, ({ role }) => role)
  const several = [...byRole].filter(([, same]) => same.length > 1)
  return {
    images: [...byRole.values()].filter((same) => same.length === 1).map(([only]) => only!),
    undecided: several.map(([role]) => role),
    refused: several.map(([role, same]) => twoCandidates(where, role, same)),
  }
}

function twoCandidates(where: string, role: Role, same: readonly Candidate[]): Fault {
  const found = same.map(({ from }) => from).join('; ')
  return new LarmorError({
    kind: 'input.severalSeries',
    message: `Several candidates for ${role}.`,
    where,
    found,
    expected: 'one',
    fix: 'Give larmor import only the folder of the series that is meant.',
  }).fault
}
