/** DICOM made by hand for the fuzzer: every kind that the readers know, so that a clone without real files fuzzes too. */
import { elementBytes, fileBytes, sliceElements, uint } from '../formats/dicom-made.ts'
import type { Encoding, MadeElement } from '../formats/dicom-made.ts'
import { CODECS, encodedWith } from './made-codestreams.ts'
import type { Files, Seed } from './seeds.ts'

/** Three slices of 4 × 2. */
export function handMadeSeries(encoding: Encoding): Files {
  return new Map(
    [0, 1, 2].map((k) => [
      `IM${k}`,
      fileBytes(sliceElements({ position: `-10\\-20\\${30 + 2.5 * k}`, instance: k + 1 }), encoding),
    ]),
  )
}

const SIDE = 32
const MATRIX: MadeElement[] = [
  [0x00280010, 'US', [SIDE]],
  [0x00280011, 'US', [SIDE]],
]

/** Three slices of 32 × 32 in each compression. */
export async function compressedSeries(): Promise<Seed[]> {
  const seeds: Seed[] = []
  for (const { name, syntaxUid, bits } of CODECS) {
    const samples = Uint16Array.from({ length: SIDE * SIDE }, (_, n) => ((n * 31) % 97) + (n % SIDE) * 2)
    const frame = await encodedWith(name, samples, SIDE, bits)
    const files = [0, 1, 2].map((k) => {
      const slice = sliceElements({ position: `0\\0\\${3 * k}`, instance: k + 1 }).filter(([tag]) => tag < 0x7fe00010)
      const elements = [...slice, ...MATRIX, ...depth(bits)]
      return [`IM${k}`, encapsulatedFile(syntaxUid, elements, [frame])] as const
    })
    seeds.push({ name: `series ${name}`, files: new Map(files) })
  }
  return seeds
}

function depth(bits: 8 | 16): MadeElement[] {
  return [
    [0x00280100, 'US', [bits]],
    [0x00280101, 'US', [bits]],
    [0x00280102, 'US', [bits - 1]],
  ]
}

/** Later elements stand in place of earlier ones of the same tag. */
export function encapsulatedFile(
  syntaxUid: string,
  elements: readonly MadeElement[],
  frames: readonly Uint8Array[],
): Buffer {
  const meta = elementBytes([0x00020010, 'UI', syntaxUid], 'explicit')
  const once = new Map(elements.map((element) => [element[0], element]))
  const sorted = [...once.values()].toSorted((a, b) => a[0] - b[0])
  const dataSet = Buffer.concat(sorted.map((one) => elementBytes(one, 'explicit')))
  const pixels = Buffer.concat([uint(0x7fe0, 2), uint(0x0010, 2), Buffer.from('OB\0\0'), uint(0xffffffff, 4)])
  const even = frames.map((frame) => Buffer.concat([frame, Buffer.alloc(frame.length % 2)]))
  const items = [Buffer.alloc(0), ...even].map(item)
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), meta, dataSet, pixels, ...items, SEQUENCE_END])
}

export function item(body: Uint8Array): Buffer {
  return Buffer.concat([uint(0xfffe, 2), uint(0xe000, 2), uint(body.length, 4), body])
}
export const SEQUENCE_END: Buffer = Buffer.concat([uint(0xfffe, 2), uint(0xe0dd, 2), uint(0, 4)])

export function sequence(tag: number, items: readonly (readonly MadeElement[])[]): MadeElement {
  const bodies = items.map((elements) => item(Buffer.concat(elements.map((one) => elementBytes(one, 'explicit')))))
  return [tag, 'SQ', Buffer.concat(bodies)]
}

/** An enhanced MR: what frames share, and the place of each. */
export function enhancedFile(frames: number): Buffer {
  const base = sliceElements({ modality: 'MR', pixels: Array.from({ length: 8 * frames }, (_, n) => n) })
  const own = base.filter(
    ([tag]) => tag !== 0x00080016 && tag !== 0x00200032 && tag !== 0x00200037 && tag !== 0x00280030,
  )
  const shared = [
    sequence(0x00209116, [[[0x00200037, 'DS', '1\\0\\0\\0\\1\\0']]]),
    sequence(0x00289110, [[[0x00280030, 'DS', '0.75\\0.5']]]),
  ]
  const each = Array.from({ length: frames }, (_, k) => [
    sequence(0x00209113, [[[0x00200032, 'DS', `0\\0\\${0.5 * k}`]]]),
    sequence(0x00289145, [
      [
        [0x00281052, 'DS', '0'],
        [0x00281053, 'DS', '1.5'],
      ],
    ]),
  ])
  return fileBytes([
    ...own,
    [0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.4.1'],
    [0x00280008, 'IS', String(frames)],
    sequence(0x52009229, [shared]),
    sequence(0x52009230, each),
  ])
}

/** A box on each slice of `handMadeSeries`, or what is put in its place. */
export function rtStructFile(
  points = '-10\\-20\\30\\-9\\-20\\30\\-9\\-19.25\\30\\-10\\-19.25\\30',
  stated = '4',
  name = 'Box',
): Buffer {
  const contour: MadeElement[] = [
    [0x30060042, 'CS', 'CLOSED_PLANAR'],
    [0x30060046, 'IS', stated],
    [0x30060050, 'UT', points], // DS has 16 bits of length; the reader takes the value, whatever its VR
  ]
  return structuresOf([contour], name)
}

export function structuresOf(contours: readonly (readonly MadeElement[])[], name: string): Buffer {
  const region: MadeElement[] = [
    [0x30060022, 'IS', '1'],
    [0x30060024, 'UI', '4.5.6'],
    [0x30060026, 'LO', name],
  ]
  const drawn: MadeElement[] = [sequence(0x30060040, contours), [0x30060084, 'IS', '1']]
  return fileBytes([
    [0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.481.3'],
    [0x00080018, 'UI', '1.2.3.9'],
    [0x00080060, 'CS', 'RTSTRUCT'],
    [0x0020000d, 'UI', '9.8.8'],
    [0x0020000e, 'UI', '1.2.4'],
    sequence(0x30060020, [region]),
    sequence(0x30060039, [drawn]),
  ])
}

/** The series with one of its files taken for this one. */
export function inSeries(bytes: Buffer): Files {
  return new Map([...handMadeSeries('explicit'), ['IM1', bytes]])
}
