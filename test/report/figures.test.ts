/** Pictures and plots: PNG by an independent decoder's rules, colours, planes in millimetres, ticks. */
import { crc32, inflateSync } from 'node:zlib'
import { assert, constantFrom, integer, property, uint8Array } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { divergingColour, differencePixels, greyPixels, montage } from '../../src/report/colours.ts'
import { boxAround, cropped, planeOf } from '../../src/report/plane.ts'
import { encodePng } from '../../src/report/png.ts'
import { niceTicks, stripPlot } from '../../src/report/svg.ts'
import { identityDirection, volume } from '../../src/volume/index.ts'
import type { Grid } from '../../src/volume/index.ts'

/** A decoder for filters 0 and 2, from the specification: what this test trusts. */
function decodePng(png: Uint8Array): { width: number; height: number; channels: number; pixels: Uint8Array } {
  const bytes = Buffer.from(png)
  expect([...bytes.subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10])
  const chunks = new Map<string, Buffer>()
  for (let at = 8; at < bytes.length;) {
    const length = bytes.readUInt32BE(at)
    expect(bytes.readUInt32BE(at + 8 + length)).toBe(crc32(bytes.subarray(at + 4, at + 8 + length)))
    chunks.set(bytes.toString('latin1', at + 4, at + 8), bytes.subarray(at + 8, at + 8 + length))
    at += 12 + length
  }
  expect([...chunks.keys()]).toEqual(['IHDR', 'IDAT', 'IEND'])
  const header = chunks.get('IHDR')!
  const [width, height, channels] = [header.readUInt32BE(0), header.readUInt32BE(4), [1, 0, 3, 0, 0, 0, 4][header[9]!]!]
  const rows = inflateSync(chunks.get('IDAT')!)
  const stride = width * channels
  const pixels = new Uint8Array(stride * height)
  for (let row = 0; row < height; row++)
    for (let n = 0; n < stride; n++) {
      const above = rows[row * (stride + 1)] === 2 && row > 0 ? pixels[(row - 1) * stride + n]! : 0
      pixels[row * stride + n] = rows[row * (stride + 1) + 1 + n]! + above
    }
  return { width, height, channels, pixels }
}

test('a PNG decodes to the pixels that went in, grey, colour and with transparency', () => {
  const shape = integer({ min: 1, max: 9 })
  assert(
    property(
      shape,
      shape,
      constantFrom<1 | 3 | 4>(1, 3, 4),
      uint8Array({ minLength: 324, maxLength: 324 }),
      (w, h, c, bytes) => {
        const pixels = bytes.subarray(0, w * h * c)
        expect(decodePng(encodePng(w, h, pixels, c))).toEqual({ width: w, height: h, channels: c, pixels })
      },
    ),
  )
})

describe('colours', () => {
  test('a window puts its ends at black and white and clips beyond', () => {
    expect([...greyPixels([-200, -160, 41, 240, 999], -160, 240)]).toEqual([0, 0, 128, 255, 255])
  })
  test('a difference is white at 0, blue where the test image is darker, red where it is brighter, by the same amount', () => {
    expect(divergingColour(0)).toEqual([247, 247, 247])
    const [blue, red] = [divergingColour(-0.5), divergingColour(0.5)]
    expect(blue[2]).toBeGreaterThan(blue[0])
    expect(red[0]).toBeGreaterThan(red[2])
    expect(divergingColour(7)).toEqual(divergingColour(1))
  })
  test('what is not scored is transparent', () => {
    expect([...differencePixels([0.1, 0], 0.4, Uint8Array.of(0, 1))].filter((_, n) => n % 4 === 3)).toEqual([0, 255])
  })
  test('a montage puts images row by row', () => {
    const [a, b, c] = [Uint8Array.of(1, 2), Uint8Array.of(3, 4), Uint8Array.of(5, 6)]
    expect([...montage([a, b, c], 2, 1, 2).pixels]).toEqual([1, 2, 3, 4, 5, 6, 0, 0])
  })
})

describe('a slice for display', () => {
  const grid: Grid = { size: [3, 2, 2], spacingMm: [1, 2, 5], originMm: [0, 0, 0], direction: identityDirection }
  const values = Int16Array.from({ length: 12 }, (_, n) => n)
  test('has the patient’s right on the left and anterior at the top, also where the file has them turned', () => {
    const plain = planeOf(volume(grid, values), 1)
    // The same patient, stored from left to right and back to front.
    const turned = values.map((_, n) => {
      const [i, j, k] = [n % 3, Math.floor(n / 3) % 2, Math.floor(n / 6)]
      return values[2 - i + 3 * (1 - j) + 6 * k]!
    })
    const ras: Grid = {
      ...grid,
      originMm: [2, 2, 0],
      direction: [
        [-1, 0, 0],
        [0, -1, 0],
        [0, 0, 1],
      ],
    }
    expect(planeOf(volume(ras, turned), 1)).toEqual(plain)
    expect([plain.marks, [...plain.values], plain.pixelMm]).toEqual([
      { left: 'R', top: 'A' },
      [6, 7, 8, 9, 10, 11],
      [1, 2],
    ])
  })
  test('of a sagittal stack stands upright: head at the top, anterior on the left', () => {
    // i runs to posterior, j to the head, k to the left.
    const sagittal: Grid = {
      ...grid,
      direction: [
        [0, 1, 0],
        [0, 0, 1],
        [1, 0, 0],
      ],
    }
    const plane = planeOf(volume(sagittal, values), 0)
    expect([plane.marks, plane.width, plane.height, [...plane.values]]).toEqual([
      { left: 'A', top: 'H' },
      3,
      2,
      [3, 4, 5, 0, 1, 2],
    ])
  })
  test('is cut to what is selected, with a margin in millimetres', () => {
    const mask = {
      width: 9,
      height: 7,
      pixelMm: [2, 1] as const,
      marks: { left: 'R', top: 'A' } as const,
      values: new Uint8Array(63),
    }
    mask.values[4 + 9 * 3] = 1
    const box = boxAround(mask, 2)
    expect(box).toEqual({ left: 3, right: 5, top: 1, bottom: 5 })
    expect(cropped(mask, box).values.indexOf(1)).toBe(1 + 3 * 2)
    expect(boxAround({ ...mask, values: new Uint8Array(63) }, 2)).toEqual({ left: 0, right: 8, top: 0, bottom: 6 })
  })
})

describe('a strip plot', () => {
  test('has round ticks that enclose the data', () => {
    assert(
      property(integer({ min: -1000, max: 1000 }), integer({ min: 0, max: 1000 }), (low, span) => {
        const ticks = niceTicks(low / 997, (low + span) / 997)
        expect(ticks[0]!).toBeLessThanOrEqual(low / 997 + 1e-9)
        expect(ticks.at(-1)!).toBeGreaterThanOrEqual((low + span) / 997 - 1e-9)
        expect(ticks.length).toBeGreaterThanOrEqual(2)
        expect(ticks.length).toBeLessThanOrEqual(9)
      }),
    )
  })
  test('draws every finite value, names its rows harmlessly, and vanishes where there is none', () => {
    const plot = stripPlot([{ label: '<p001>', series: 0, values: [0.7, 0.8, Infinity], mean: 0.75 }], 'score', 3)
    expect(plot.match(/<circle/g)).toHaveLength(2)
    expect(plot).toContain('&lt;p001&gt;')
    expect(stripPlot([{ label: 'p001', series: 0, values: [], mean: null }], 'score', 3)).toBe('')
  })
})
