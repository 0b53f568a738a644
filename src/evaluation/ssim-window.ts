/**
 * The sliding window of SSIM: sums of the SSIM map over one scale.
 *
 * The Gaussian is separable and symmetric: rows first into one line of the image, then along that line, six
 * multiplications a pass. SSIM needs only the sum of the two variances, so four maps are filtered, not five:
 * x, y, x² + y² and xy. Lines without a counted centre are never computed.
 */

/** One scale of the two images: x is the reference, y the test image, and what is filtered besides. */
export type Level = {
  readonly width: number
  readonly height: number
  /** From one row to the next in x, y, squares and product; the mask has no gap. */
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

/** Sums of SSIM and of its contrast·structure part over the counted windows. Fills `squares` and `product` of `level`. */
export function windowSums(level: Level, dataRange: number): WindowSums {
  const { width, height, pitch, x, y, squares, product, mask } = level
  const sums = { positions: 0, ssim: 0, contrastStructure: 0 }
  if (width < windowWidth || height < windowWidth) return sums
  for (let n = 0; n < x.length; n++) {
    squares[n] = x[n]! * x[n]! + y[n]! * y[n]!
    product[n] = x[n]! * y[n]!
  }
  const line = (): Float64Array => new Float64Array(width)
  const lines: Lines = { x: line(), y: line(), squares: line(), product: line() }
  for (let row = radius; row < height - radius; row++) {
    const span = centresIn(mask, row * width, width)
    if (!span) continue
    const { first, last } = span
    for (const map of ['x', 'y', 'squares', 'product'] as const)
      weighRows(level[map], (row - radius) * pitch, pitch, first - radius, last + radius, lines[map])
    addLine(lines, mask, row * width, span, dataRange, sums)
  }
  return sums
}

type Lines = { x: Float64Array; y: Float64Array; squares: Float64Array; product: Float64Array }
type Span = { readonly first: number; readonly last: number }

/** First and last column of a row where a window may be centred and the mask is set. */
function centresIn(mask: Uint8Array | undefined, rowStart: number, width: number): Span | undefined {
  let [first, last] = [radius, width - radius - 1]
  if (!mask) return { first, last }
  while (first <= last && mask[rowStart + first] === 0) first++
  while (last >= first && mask[rowStart + last] === 0) last--
  return first <= last ? { first, last } : undefined
}

/** The window across eleven rows from the one that starts at `top`, for columns from … to. Changes `out`. */
function weighRows(map: Float64Array, top: number, pitch: number, from: number, to: number, out: Float64Array): void {
  const [b, c, d, e, f] = [pitch, 2 * pitch, 3 * pitch, 4 * pitch, 5 * pitch]
  const [g, h, i, j, k] = [6 * pitch, 7 * pitch, 8 * pitch, 9 * pitch, 10 * pitch]
  for (let column = from; column <= to; column++) {
    const a = top + column
    out[column] =
      w0 * (map[a]! + map[a + k]!) +
      w1 * (map[a + b]! + map[a + j]!) +
      w2 * (map[a + c]! + map[a + i]!) +
      w3 * (map[a + d]! + map[a + h]!) +
      w4 * (map[a + e]! + map[a + g]!) +
      w5 * map[a + f]!
  }
}

/** The window along a line, centred at `n`. */
function weighLine(line: Float64Array, n: number): number {
  return (
    w0 * (line[n - 5]! + line[n + 5]!) +
    w1 * (line[n - 4]! + line[n + 4]!) +
    w2 * (line[n - 3]! + line[n + 3]!) +
    w3 * (line[n - 2]! + line[n + 2]!) +
    w4 * (line[n - 1]! + line[n + 1]!) +
    w5 * line[n]!
  )
}

/** Adds the windows centred on one row to `sums` (changed): Wang 2004, eq. 13. */
function addLine(
  lines: Lines,
  mask: Uint8Array | undefined,
  rowStart: number,
  { first, last }: Span,
  dataRange: number,
  sums: WindowSums,
): void {
  const [c1, c2] = [(0.01 * dataRange) ** 2, (0.03 * dataRange) ** 2]
  let [positions, ssim, contrastStructure] = [0, 0, 0]
  for (let column = first; column <= last; column++) {
    if (mask && mask[rowStart + column] === 0) continue
    const ux = weighLine(lines.x, column)
    const uy = weighLine(lines.y, column)
    const meansSquared = ux * ux + uy * uy
    const variances = weighLine(lines.squares, column) - meansSquared
    const covariance = weighLine(lines.product, column) - ux * uy
    const cs = (2 * covariance + c2) / (variances + c2)
    positions++
    contrastStructure += cs
    ssim += (cs * (2 * ux * uy + c1)) / (meansSquared + c1)
  }
  sums.positions += positions
  sums.ssim += ssim
  sums.contrastStructure += contrastStructure
}
