/** What a person reads of an import and of a cohort: plain text in columns. */
import { inOneLine } from '../errors.ts'
import type { Fault } from '../errors.ts'
import type { Cohort } from './cohort.ts'
import type { ImportedCase } from './case.ts'
import type { ImportResult } from './import.ts'
import type { PatientState } from './states.ts'

/** Each image with what was chosen and why; what was left out; what was refused; and a last line that sums up. */
export function importTable({ cases, refused, passedOver }: ImportResult): string {
  const lines = cases.flatMap((one) => [
    `${one.id ?? '-'}  ${one.status}  ${one.where}`,
    ...ofCase(one).map((line) => `    ${line}`),
  ])
  const others = Object.entries(passedOver).map(([what, count]) => `${count} ${what}`)
  return [
    ...lines,
    ...refused.map((fault) => `refused  ${inOneLine(fault)}`),
    ...(others.length > 0 ? [`passed over: ${others.join(', ')}`] : []),
    summary(cases, refused.length),
  ].join('\n')
}

function ofCase({ images, structures, leftOut, refused }: ImportedCase): string[] {
  const rows = images.map(({ role, plane, size, spacingMm, from, why }) => [
    role,
    size.join(' × '),
    `${spacingMm.map((mm) => mm.toFixed(3)).join(' × ')} mm`,
    plane ?? '',
    from,
    `(${why})`,
  ])
  return [
    ...inColumns(rows),
    ...(structures.length > 0 ? [`structures: ${structures.join(', ')}`] : []),
    ...leftOut.map((text) => `left out: ${text}`),
    ...refused.map((fault) => `refused: ${inOneLine(fault)}`),
  ]
}

function summary(cases: readonly ImportedCase[], refusedFiles: number): string {
  const counts = (['new', 'added', 'known', 'planned', 'refused'] as const).map(
    (status) => [status, cases.filter((one) => one.status === status).length] as const,
  )
  const said = counts.filter(([, count]) => count > 0).map(([status, count]) => `${count} ${status}`)
  const files = refusedFiles > 0 ? `; ${refusedFiles} files refused` : ''
  const failed = cases.filter(({ refused }) => refused.length > 0).map(({ id, where }) => id ?? where)
  const which = failed.length > 0 ? `\nwith refusals: ${failed.join(', ')}` : ''
  return `${cases.length} ${cases.length === 1 ? 'patient' : 'patients'}: ${said.join(', ') || 'none'}${files}${which}`
}

/** All that was refused: of files, then of each case, with the patient's id where there is one. */
export function refusals({ cases, refused }: ImportResult): (Fault & { id: string | null })[] {
  const ofCases = cases.flatMap(({ id, refused: faults }) => faults.map((fault) => ({ id, ...fault })))
  return [...refused.map((fault) => ({ id: null, ...fault })), ...ofCases]
}

/** What a plan does with each patient, by id: 'train', or why it leaves the patient out. */
type Parts = Readonly<Record<string, string>>

/** A line a patient: images, structures, how far the registration is, the part in a plan, and why it is left out. */
export function cohortTable({ patients }: Cohort, states: readonly PatientState[], parts?: Parts): string {
  const rows = patients.map((patient, n) => [
    patient.id,
    patient.images.map(({ role }) => role).join(', '),
    counted(patient.structures.length, 'structure'),
    registeredCell(states[n]!),
    ...(parts ? [parts[patient.id] ?? 'not in the plan'] : []),
    patient.excluded ? `excluded: ${patient.excluded.reason}` : '',
  ])
  const inUse = patients.flatMap(({ excluded }, n) => (excluded === null ? [states[n]!] : []))
  const ready = inUse.filter(({ waitsFor }) => waitsFor === null).length
  const head =
    rows.length > 0 ? [['patient', 'images', 'structures', 'registered', ...(parts ? ['plan'] : []), '']] : []
  const last = `${patients.length} ${patients.length === 1 ? 'patient' : 'patients'}, ${inUse.length} of them in use, ${ready} ready to plan`
  return [...inColumns([...head, ...rows]), last].join('\n')
}

function registeredCell({ registered, waitsFor }: PatientState): string {
  const states = Object.entries(registered).map(([role, state]) => `${role} ${state}`)
  return states.join(', ') || `waits for ${waitsFor}`
}

function counted(count: number, what: string): string {
  return count === 0 ? '' : `${count} ${what}${count === 1 ? '' : 's'}`
}

function inColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]!.length))) ?? []
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}
