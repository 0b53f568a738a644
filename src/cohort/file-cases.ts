/**
 * Volumes that are files of their own, one folder a patient: ct.*, ct_contrast.*, mr.*, mr_<sequence>.* as NIfTI,
 * MetaImage or NRRD. So lie SynthRAD2023 and 2025 (ct, mr, mask), OpenKBP as NIfTI, HaN-Seg (which puts its own words
 * around the names), and what larmor writes. Other label images there, or in a folder of structures, are structures.
 */
import { readdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { LarmorError } from '../errors.ts'
import type { Fault } from '../errors.ts'
import { sha256OfFile } from '../files.ts'
import { isMetaImage, isNifti, isVolumeFile, readImage } from '../formats/index.ts'
import { onePerRole } from './choose.ts'
import type { Role } from './cohort.ts'
import type { Rules } from './rules.ts'
import type { Candidate, Case } from './case.ts'
import { isRefusal } from './structures.ts'

/** Folders beside the images that hold structures: larmor's own, and TotalSegmentator's. */
const STRUCTURE_FOLDERS = ['structures', 'segmentations', 'masks']

/**
 * Folders at or below `path` in which a CT or MR lies as a file; the folder of a file that is given itself.
 * @param except  not looked into: a cohort may lie in the folder that it is made from
 */
export async function imageFolders(path: string, rules: Rules, except: string): Promise<string[]> {
  const info = await stat(path).catch(() => undefined)
  if (info?.isFile() && isVolumeFile(path)) return [dirname(path)]
  if (!info?.isDirectory() || resolve(path) === resolve(except)) return [] // findSeries says what is wrong with it
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []) // and with one that is not readable
  const below = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
  const inside: string[] = []
  for (const entry of below.toSorted(byNumberInName))
    inside.push(...(await imageFolders(join(path, entry.name), rules, except)))
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

/** A file that cannot be read is refused; a CT takes its patient with it. */
export async function fileCase(folder: string, rules: Rules): Promise<Case> {
  const images: Candidate[] = []
  const structures: Case['structures'] = []
  const [leftOut, refused, unreadable]: [string[], Fault[], Role[]] = [[], [], []]
  for (const { name, path, beside } of await volumeFiles(folder)) {
    const found = beside ? undefined : roleOfFile(name, rules)
    try {
      if (!found) structures.push(await structure(path, name))
      else if (found.role === 'none') leftOut.push(`${name}: ${found.why}`)
      else images.push(await candidate(path, name, found))
    } catch (error) {
      if (!isRefusal(error)) throw error
      refused.push(error.fault)
      if (found) unreadable.push(found.role)
    }
  }
  const chosen = onePerRole(images, folder, [], { series: [], drawnOn: new Set() })
  return {
    where: folder,
    ...chosen,
    undecided: [...unreadable, ...chosen.undecided],
    structures,
    leftOut: [...leftOut, ...chosen.leftOut],
    refused: [...refused, ...chosen.refused],
  }
}

async function structure(path: string, name: string): Promise<Case['structures'][number]> {
  return { kind: 'file', name: stemOf(name), path, sha256: await contentOf(path) }
}

async function candidate(path: string, name: string, { role, why, rank }: FileRole): Promise<Candidate> {
  const kind = isNifti(name) ? 'nifti' : isMetaImage(name) ? 'metaimage' : 'nrrd'
  return {
    role,
    why,
    rank,
    from: name,
    source: { kind, file: name, sha256: await contentOf(path) },
    read: async () => ({ volume: (await readImage(path)).volume, resampled: [] }),
  }
}

/** @throws input.notFound  the file cannot be read */
async function contentOf(path: string): Promise<string> {
  return sha256OfFile(path).catch((cause: unknown) => {
    const found = cause instanceof Error && 'code' in cause ? String(cause.code) : 'nothing that can be read'
    throw new LarmorError(
      {
        kind: 'input.notFound',
        message: 'A file cannot be read.',
        where: path,
        found,
        expected: 'a file that this user may read',
        fix: 'Change its permissions, or copy it again from where it came.',
      },
      cause,
    )
  })
}

type VolumeFile = { name: string; path: string; beside: boolean }

/** In the order of their names; those in a folder of structures beside the images last. */
async function volumeFiles(folder: string): Promise<VolumeFile[]> {
  const found: VolumeFile[] = []
  for (const inside of [folder, ...STRUCTURE_FOLDERS.map((name) => join(folder, name))]) {
    const names = (await readdir(inside).catch(() => [])).filter((name) => isVolumeFile(name) && !name.startsWith('.'))
    for (const name of names.toSorted()) {
      const path = join(inside, name)
      const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() === true
      if (!isFolder) found.push({ name, path, beside: inside !== folder })
    }
  }
  return found
}
