/** RT structure sets made by hand, element by element (PS3.3 A.19), so that import is not tested against our own writer. */
import { join } from 'node:path'
import { elementBytes, fileBytes, put, uint } from '../formats/dicom-made.ts'
import type { MadeElement } from '../formats/dicom-made.ts'

export type MadeRegion = {
  name: string
  type?: string
  /** Each contour as x, y, z, x, y, z … in LPS mm. */
  contours: number[][]
}
export type MadeSet = {
  regions: MadeRegion[]
  patient?: string
  uid?: string
  frame?: string
  /** The series that it says it was drawn on. */
  series?: string
}

export function writeStructureSet(folder: string, made: MadeSet): string {
  const { regions, patient = 'Doe^Jane', uid = '2.2.2', frame = '4.5.6', series } = made
  const study = series === undefined ? [] : [item([[0x30060014, 'SQ', item([[0x0020000e, 'UI', series]])]])]
  const frameItem = item([[0x00200052, 'UI', frame], ...study.map((one): MadeElement => [0x30060012, 'SQ', one])])
  return put(
    join(folder, `RS-${uid}`),
    fileBytes([
      [0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.481.3'],
      [0x00080018, 'UI', uid],
      [0x00080060, 'CS', 'RTSTRUCT'],
      [0x00100010, 'PN', patient],
      [0x00100020, 'LO', `ID-${patient.length}`],
      [0x0020000d, 'UI', `9.8.${patient.length}`],
      [0x0020000e, 'UI', `${uid}.1`],
      [0x30060010, 'SQ', frameItem],
      [0x30060020, 'SQ', Buffer.concat(regions.map(regionItem))],
      [0x30060039, 'SQ', Buffer.concat(regions.map(contoursItem))],
    ]),
  )
}

/** A rectangle in the plane z, in millimetres. */
export function rectangle(z: number, x0: number, y0: number, x1: number, y1: number): number[] {
  return [x0, y0, z, x1, y0, z, x1, y1, z, x0, y1, z]
}

function regionItem({ name }: MadeRegion, n: number): Buffer {
  return item([
    [0x30060022, 'IS', String(n + 1)],
    [0x30060026, 'LO', name],
  ])
}

function contoursItem({ type = 'CLOSED_PLANAR', contours }: MadeRegion, n: number): Buffer {
  const items = contours.map((points) =>
    item([
      [0x30060042, 'CS', type],
      [0x30060046, 'IS', String(points.length / 3)],
      [0x30060050, 'DS', points.join('\\')],
    ]),
  )
  return item([
    [0x30060040, 'SQ', Buffer.concat(items)],
    [0x30060084, 'IS', String(n + 1)],
  ])
}

/** An item of a sequence, with its own elements. */
export function item(elements: MadeElement[]): Buffer {
  const body = Buffer.concat(elements.map((one) => elementBytes(one, 'explicit')))
  return Buffer.concat([uint(0xfffe, 2), uint(0xe000, 2), uint(body.length, 4), body])
}
