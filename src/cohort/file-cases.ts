/**
 * Volumes that are files of their own, one folder a patient: ct.*, ct_contrast.*, mr.*, mr_<sequence>.* as NIfTI,
 * MetaImage or NRRD. So lie SynthRAD2023 and 2025 (ct, mr, mask), OpenKBP as NIfTI, HaN-Seg (which puts its own words
 * around the names), and what larmor writes. Other label images there, or in a folder of structures, are structures.
 */
import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { sha256OfFile } from '../files.ts'
import { isMetaImage, isNifti, isVolumeFile, readImage } from '../formats/index.ts'
import { onePerRole } from './choose.ts'
import type { Role } from './cohort.ts'
import type { Rules } from './rules.ts'
import type { Candidate, Case } from './sources.ts'

/** Folders beside the images that hold structures: larmor's own, and TotalSegmentator's. */
const STRUCTURE_FOLDERS = ['structures', 'segmentations', 'masks']

/** Folders at or below `path` in which a CT or MR lies as a file; the folder of a file that is given itself. */
export async function imageFolders(path: string, rules: Rules): Promise<string[]> {
  const info = await stat(path).catch(() => undefined)
  if (info?.isFile() && isVolumeFile(path)) return [dirname(path)]
  if (!info?.isDirectory()) return [] // findSeries says what is wrong with it
  const entries = await readdir(path, { withFileTypes: true })
  const below = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
  const inside: string[] = []
  for (const entry of below.toSorted(byNumberInName))
    inside.push(...(await imageFolders(join(path, entry.name), rules)))
  return entries.some(({ name }) => isImage(name, rules)) ? [path, ...inside] : inside
}

/** pt_2 before pt_10. */
function byNumberInName(a: { name: string }, b: { name: string }): number {
  return a.name.localeCompare(b.name, 'en', { numeric: true })
}

function isImage(name: string, rules: Rules): boolean {
  return (roleOfFile(name, rules)?.role ?? 'none') !== 'none'
}

type FileRole = { role: Role; why: string; rank: number }

/** By the rules of a person, then by the name; role 'none' where a rule leaves it out, undefined for any other file. */
function roleOfFile(name: string, { files }: Rules): FileRole | undefined {
  if (!isVolumeFile(name) || name.startsWith('.')) return undefined
  const stem = stemOf(name)
  const rank = files.findIndex(({ file }) => file.test(stem))
  if (rank >= 0) return { role: files[rank]!.role, why: `rule ${rank + 1} for files`, rank }
  const role = stem.toLowerCase()
  if (role === 'mr') return { role: 'mr_mr', why: 'the name of the file', rank: Infinity }
  return /^(ct|ct_contrast|mr_[a-z0-9]+)$/.test(role)
    ? { role, why: 'the name of the file', rank: Infinity }
    : undefined
}

/** Without its ending, and without what HaN-Seg puts around it: case_01_IMG_MR_T1.nrrd, case_01_OAR_Parotid_L.seg.nrrd. */
function stemOf(name: string): string {
  const stem = name.replace(/\.(nii|nii\.gz|mha|mhd|seg\.nrrd|nrrd|nhdr)$/i, '')
  return stem.replace(/^case_\d+_(IMG|OAR)_/i, '')
}

export async function fileCase(folder: string, rules: Rules): Promise<Case> {
  const names = await volumeFiles(folder)
  const images: Candidate[] = []
  const structures: Case['structures'] = []
  const leftOut: string[] = []
  for (const name of names) {
    const path = join(folder, name)
    const found = roleOfFile(name, rules)
    if (!found) structures.push(await structure(path, name))
    else if (found.role === 'none') leftOut.push(`${name}: ${found.why}`)
    else images.push(await candidate(path, name, found))
  }
  for (const inside of STRUCTURE_FOLDERS)
    for (const name of await volumeFiles(join(folder, inside)))
      structures.push(await structure(join(folder, inside, name), name))
  const chosen = onePerRole(images, folder, [], { series: [], drawnOn: new Set() })
  return { where: folder, ...chosen, structures, leftOut: [...leftOut, ...chosen.leftOut] }
}

async function structure(path: string, name: string): Promise<Case['structures'][number]> {
  return { kind: 'file', name: stemOf(name), path, sha256: await sha256OfFile(path) }
}

async function candidate(path: string, name: string, { role, why, rank }: FileRole): Promise<Candidate> {
  const kind = isNifti(name) ? 'nifti' : isMetaImage(name) ? 'metaimage' : 'nrrd'
  return {
    role,
    why,
    rank,
    from: name,
    source: { kind, file: name, sha256: await sha256OfFile(path) },
    read: async () => ({ volume: (await readImage(path)).volume, resampled: [] }),
  }
}

/** In the order of their names; none where the folder is not there. */
async function volumeFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter((name) => isVolumeFile(name) && !name.startsWith('.')).toSorted()
}
