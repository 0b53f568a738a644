/**
 * The sliding window of SSIM: sums of the SSIM map over one scale.
 *
 * The Gaussian is separable and symmetric: down the rows into lines of the image, then along each line, six
 * multiplications a pass. SSIM needs only the sum of the two variances, so four maps are filtered, not five:
 * x, y, x² + y² and xy. Two neighbouring results come out of each step, since they share ten of their eleven inputs
 * and reading is what costs. Lines without a counted centre are never computed.
 */

/** One scale of the two images: x is the reference, y the test image, and what is filtered besides. */
export type Level = {
  readonly width: number
  readonly height: number
  /** From one row to the next in x, y, squares and product, which end in one spare row; the mask has no gap. */
  readonly pitch: number
  readonly x: Float64Array
  readonly y: Float64Array
  readonly squares: Float64Array
  readonly product: Float64Array
  mask: Uint8Array | undefined
}
export type WindowSums = { positions: number; ssim: number; contrastStructure: number }

const radius = 5
/** Rows a power of two apart fall into the same few places of the cache: 512 pixels a side would take twice as long. */
export const rowGap = 8
const windowWidth = 2 * radius + 1
/** exp(−n² / (2 · 1.5²)) for n = 5, 4 … 0 from the centre, normalised to sum 1 over all eleven. */
const [w0, w1, w2, w3, w4, w5] = gaussianHalf()

function gaussianHalf(): readonly [number, number, number, number, number, number] {
  const at = (n: number): number => Math.exp(-(n ** 2) / (2 * 1.5 ** 2))
  const sum = at(0) + 2 * (at(1) + at(2) + at(3) + at(4) + at(5))
  return [at(5) / sum, at(4) / sum, at(3) / sum, at(2) / sum, at(1) / sum, at(0) / sum]
}

const maps = ['x', 'y', 'squares', 'product'] as const
/** Of one image row: after the pass down the rows, then after the pass along the line. */
type Lines = Record<(typeof maps)[number], Float64Array>
type Span = { readonly first: number; readonly last: number }

/** Sums of SSIM and of its contrast·structure part over the counted windows. Fills `squares` and `product` of `level`. */
export function windowSums(level: Level, dataRange: number): WindowSums {
  const { width, height, pitch, mask } = level
  const sums = { positions: 0, ssim: 0, contrastStructure: 0 }
  if (width < windowWidth || height < windowWidth) return sums
  multiply(level)
  const [upper, lower, filtered] = [emptyLines(pitch), emptyLines(pitch), emptyLines(pitch)]
  for (let row = radius; row < height - radius; row += 2) {
    const own = centresIn(mask, row * width, width)
    const next = row + 1 < height - radius ? centresIn(mask, (row + 1) * width, width) : undefined
    const span = union(own, next)
    if (!span) continue
    for (const map of maps)
      weighRows(
        level[map],
        (row - radius) * pitch,
        pitch,
        span.first - radius,
        span.last + radius,
        upper[map],
        lower[map],
      )
    if (own) addLine(upper, filtered, mask, row * width, own, dataRange, sums)
    if (next) addLine(lower, filtered, mask, (row + 1) * width, next, dataRange, sums)
  }
  return sums
}

function multiply({ x, y, squares, product }: Level): void {
  for (let n = 0; n < x.length; n++) {
    const a = x[n]!
    const b = y[n]!
    squares[n] = a * a + b * b
    product[n] = a * b
  }
}

function emptyLines(length: number): Lines {
  const line = (): Float64Array => new Float64Array(length)
  return { x: line(), y: line(), squares: line(), product: line() }
}

/** First and last column of a row where a window may be centred and the mask is set. */
function centresIn(mask: Uint8Array | undefined, rowStart: number, width: number): Span | undefined {
  let [first, last] = [radius, width - radius - 1]
  if (!mask) return { first, last }
  while (first <= last && mask[rowStart + first] === 0) first++
  while (last >= first && mask[rowStart + last] === 0) last--
  return first <= last ? { first, last } : undefined
}

function union(a: Span | undefined, b: Span | undefined): Span | undefined {
  if (!a || !b) return a ?? b
  return { first: Math.min(a.first, b.first), last: Math.max(a.last, b.last) }
}

/** The windows down the eleven rows from `top` and from the row below it, for columns from … to. Changes both lines. */
function weighRows(
  map: Float64Array,
  top: number,
  pitch: number,
  from: number,
  to: number,
  upper: Float64Array,
  lower: Float64Array,
): void {
  for (let column = from; column <= to; column++) {
    let at = top + column
    const m0 = map[at]!
    const m1 = map[(at += pitch)]!
    const m2 = map[(at += pitch)]!
    const m3 = map[(at += pitch)]!
    const m4 = map[(at += pitch)]!
    const m5 = map[(at += pitch)]!
    const m6 = map[(at += pitch)]!
    const m7 = map[(at += pitch)]!
    const m8 = map[(at += pitch)]!
    const m9 = map[(at += pitch)]!
    const m10 = map[(at += pitch)]!
    const m11 = map[at + pitch]!
    upper[column] = w0 * (m0 + m10) + w1 * (m1 + m9) + w2 * (m2 + m8) + w3 * (m3 + m7) + w4 * (m4 + m6) + w5 * m5
    lower[column] = w0 * (m1 + m11) + w1 * (m2 + m10) + w2 * (m3 + m9) + w3 * (m4 + m8) + w4 * (m5 + m7) + w5 * m6
  }
}

/** The windows along a line, centred at first … last (and one beyond, unused, where that is an odd count). */
function weighLine(line: Float64Array, first: number, last: number, out: Float64Array): void {
  let m0 = line[first - 5]!
  let m1 = line[first - 4]!
  let m2 = line[first - 3]!
  let m3 = line[first - 2]!
  let m4 = line[first - 1]!
  let m5 = line[first]!
  let m6 = line[first + 1]!
  let m7 = line[first + 2]!
  let m8 = line[first + 3]!
  let m9 = line[first + 4]!
  for (let n = first; n <= last; n += 2) {
    const m10 = line[n + 5]!
    const m11 = line[n + 6]!
    out[n] = w0 * (m0 + m10) + w1 * (m1 + m9) + w2 * (m2 + m8) + w3 * (m3 + m7) + w4 * (m4 + m6) + w5 * m5
    out[n + 1] = w0 * (m1 + m11) + w1 * (m2 + m10) + w2 * (m3 + m9) + w3 * (m4 + m8) + w4 * (m5 + m7) + w5 * m6
    m0 = m2
    m1 = m3
    m2 = m4
    m3 = m5
    m4 = m6
    m5 = m7
    m6 = m8
    m7 = m9
    m8 = m10
    m9 = m11
  }
}

/** Adds the windows centred on one row to `sums` (changed): Wang 2004, eq. 13. Uses `filtered` as its workspace. */
function addLine(
  lines: Lines,
  filtered: Lines,
  mask: Uint8Array | undefined,
  rowStart: number,
  { first, last }: Span,
  dataRange: number,
  sums: WindowSums,
): void {
  for (const map of maps) weighLine(lines[map], first, last, filtered[map])
  const { x, y, squares, product } = filtered
  const [c1, c2] = [(0.01 * dataRange) ** 2, (0.03 * dataRange) ** 2]
  let [positions, ssim, contrastStructure] = [0, 0, 0]
  for (let column = first; column <= last; column++) {
    if (mask && mask[rowStart + column] === 0) continue
    const ux = x[column]!
    const uy = y[column]!
    const meansSquared = ux * ux + uy * uy
    const covariance = product[column]! - ux * uy
    const cs = (2 * covariance + c2) / (squares[column]! - meansSquared + c2)
    positions++
    contrastStructure += cs
    ssim += (cs * (2 * ux * uy + c1)) / (meansSquared + c1)
  }
  sums.positions += positions
  sums.ssim += ssim
  sums.contrastStructure += contrastStructure
}
