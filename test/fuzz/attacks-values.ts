/** DICOM values made to do harm: names that are paths, numbers that are none, geometry and contours without end. */
import type { Random } from '../../src/random.ts'
import { elementBytes, fileBytes, sliceElements } from '../formats/dicom-made.ts'
import type { MadeElement } from '../formats/dicom-made.ts'
import { STRANGE } from './attacks-files.ts'
import { enhancedFile, handMadeSeries, inSeries, rtStructFile, sequence, structuresOf } from './made-dicom.ts'
import type { Files } from './seeds.ts'

const MEBIBYTE = 2 ** 20

function withElement(...elements: MadeElement[]): Files {
  const change = Object.fromEntries(elements.map((element) => [element[0], element]))
  return inSeries(fileBytes(sliceElements({ position: '-10\\-20\\32.5', instance: 2, change })))
}

/** Names and numbers that would be paths, and others that no file system takes. */
export function pathsInNames(random: Random): Files {
  const bad = [
    '../../x',
    '/absolute/escaped',
    '..',
    'a/../../b',
    'x\0y',
    '9'.repeat(400),
    '１２３',
    '\u001b[2Jx',
    'CON',
    '漢'.repeat(90),
    '𠀀'.repeat(60),
    '_'.repeat(5000),
  ]
  const text = (): string => Buffer.from(bad[random.below(bad.length)]!, 'utf8').toString('latin1')
  const utf8: MadeElement = [0x00080005, 'CS', 'ISO_IR 192']
  const files = withElement(
    utf8,
    [0x0020000e, 'UI', text()],
    [0x00080018, 'UI', text()],
    [0x00200011, 'IS', text()],
    [0x0008103e, 'LO', text()],
    [0x00100020, 'LO', text()],
  )
  const structures = rtStructFile(undefined, undefined, text())
  structures.fill(0, 0, 128)
  return random.uniform() < 0.5 ? files : new Map([...handMadeSeries('explicit'), ['RS', withCharset(structures)]])
}
function withCharset(structures: Buffer): Buffer {
  const at = structures.indexOf(Buffer.from([8, 0, 0x16, 0, 0x55, 0x49]))
  return Buffer.concat([
    structures.subarray(0, at),
    elementBytes([0x00080005, 'CS', 'ISO_IR 192'], 'explicit'),
    structures.subarray(at),
  ])
}
export function escapingDirectory(): Files {
  const record: MadeElement[] = [
    [0x00041430, 'CS', 'IMAGE'],
    [0x00041500, 'CS', '..\\..\\..\\..\\ETC\\PASSWD'],
  ]
  const directory = fileBytes([
    [0x00020002, 'UI', '1.2.840.10008.1.3.10'],
    [0x00041130, 'CS', '../../x'],
    sequence(0x00041220, [record]),
  ])
  return new Map([...handMadeSeries('explicit'), ['DICOMDIR', directory]])
}

export function rtPoints(random: Random): Files {
  const number = (n: number): string => String(((n * 7919) % 2003) / 10 - 100)
  const points = (count: number, z = '30'): string =>
    Array.from({ length: count }, (_, n) => `${number(n)}\\${number(n + 7)}\\${z}`).join('\\')
  const structures = [
    () => rtStructFile(undefined, '1000000000'),
    () => rtStructFile(points(200_000), '200000'),
    () => rtStructFile(points(400_000), '400000'),
    () => rtStructFile('\\'.repeat(3 * MEBIBYTE - 1), '1000000000'),
    () => rtStructFile('0\\0\\30\\1\\1'.repeat(10), '17'),
    () =>
      structuresOf(
        Array.from({ length: 60_000 }, (): MadeElement[] => [
          [0x30060042, 'CS', 'CLOSED_PLANAR'],
          [0x30060046, 'IS', '3'],
          [0x30060050, 'UT', '-10\\-20\\30\\-9\\-20\\30\\-9\\-19\\30'],
        ]),
        'many',
      ),
    () => rtStructFile('-10\\-20\\30\\9999\\-9999\\30\\-9999\\9999\\30\\9999\\9999\\30', '4'),
    () => rtStructFile('1e-300\\-20\\30\\5e-324\\1e300\\30\\NaN\\-19\\30', '3'),
  ][random.below(8)]!()
  return new Map([...handMadeSeries('explicit'), ['RS', structures]])
}

/** Numbers that pass for numbers: in text, and in the binary VRs that an explicit file may claim. */
export function strangeNumbers(random: Random): Files {
  const tag = [0x00200032, 0x00200037, 0x00280030, 0x00281052, 0x00281053, 0x00280120][random.below(6)]!
  const count = { 0x00200032: 3, 0x00200037: 6, 0x00280030: 2 }[tag] ?? 1
  const doubles = Buffer.alloc(8 * count)
  for (let n = 0; n < count; n++) doubles.writeDoubleLE([...STRANGE, 1e300, 5e-324, 1][random.below(12)]!, 8 * n)
  const texts = ['1e-300', '1e300', '-1e300', '1e999', '4e-5', '1e6', '0', '-1', '+.5', '1e', '--1', '0x10', '']
  const text = Array.from({ length: count }, () => texts[random.below(texts.length)]!).join('\\')
  return random.uniform() < 0.5 ? withElement([tag, 'FD', doubles]) : withElement([tag, 'DS', text])
}
/** Stacks whose geometry asks for far more voxels than it has, if tilt and gaps are to be resampled. */
export function strangeStack(random: Random): Files {
  const [stepMm, leanMm] = [[0.11, 0.2, 2.5, 12, 900][random.below(5)]!, [0, 0.5, 30, 900][random.below(4)]!]
  const spacing = ['0.75\\0.5', '0.001\\0.001', '1e-5\\1e-5', '900\\900'][random.below(4)]!
  const change = { 0x00280030: [0x00280030, 'DS', spacing] as MadeElement }
  const files = [0, 1, 2, 3, 5].map((k) => {
    const position = `${k * leanMm}\\0\\${k === 5 ? k * stepMm + random.below(12) : k * stepMm}`
    return [`IM${k}`, fileBytes(sliceElements({ position, instance: k + 1, change }))] as const
  })
  return new Map(files)
}
export function manyFrames(random: Random): Files {
  const frames = [300, 9000, 17_000][random.below(3)]!
  return new Map(Array.from({ length: frames === 9000 ? 3 : 1 }, (_, n) => [`EMR${n}`, enhancedFile(frames)]))
}
