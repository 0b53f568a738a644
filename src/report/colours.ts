/**
 * From values to pixels: grey windows, and a diverging map for signed differences.
 *
 * The diverging map runs blue – white – red through the nodes of ColorBrewer's RdBu (Brewer 2003), which people with
 * the common colour-vision deficiencies can read: blue is below the reference, red above, white equal.
 * The sequential map of uncertainty runs dark blue – grey – yellow through five nodes of cividis (Nuñez, Anderton, Renslow
 * 2018), which was made for the same readers.
 */
type Rgb = readonly [number, number, number]

const blueWhiteRed: readonly Rgb[] = [
  [5, 48, 97],
  [67, 147, 195],
  [247, 247, 247],
  [214, 96, 77],
  [103, 0, 31],
]

const blueGreyYellow: readonly Rgb[] = [
  [0, 34, 78],
  [67, 78, 108],
  [125, 124, 120],
  [187, 173, 108],
  [254, 232, 56],
]

/** One byte a value: `low` and below is black, `high` and above white. */
export function greyPixels(values: ArrayLike<number>, low: number, high: number): Uint8Array {
  const out = new Uint8Array(values.length)
  const factor = 255 / (high - low)
  for (let n = 0; n < out.length; n++) out[n] = Math.round(Math.min(255, Math.max(0, (values[n]! - low) * factor)))
  return out
}

/** Four bytes a value, −limit … limit; transparent where `mask` is 0. */
export function differencePixels(differences: ArrayLike<number>, limit: number, mask?: Uint8Array): Uint8Array {
  return colouredPixels(differences, (value) => divergingColour(value / limit), mask)
}

function colouredPixels(values: ArrayLike<number>, colourOf: (value: number) => Rgb, mask?: Uint8Array): Uint8Array {
  const out = new Uint8Array(values.length * 4)
  for (let n = 0; n < values.length; n++) {
    if (mask && mask[n] === 0) continue
    out.set(colourOf(values[n]!), 4 * n)
    out[4 * n + 3] = 255
  }
  return out
}

/** @param at  −1 blue … 0 white … 1 red; beyond that the end's colour */
export function divergingColour(at: number): Rgb {
  return alongNodes(blueWhiteRed, (at + 1) / 2)
}

/** @param at  0 dark blue … 1 yellow; beyond that the end's colour */
export function sequentialColour(at: number): Rgb {
  return alongNodes(blueGreyYellow, at)
}

/** Four bytes a value, 0 … limit; transparent where `mask` is 0. */
export function uncertaintyPixels(values: ArrayLike<number>, limit: number, mask?: Uint8Array): Uint8Array {
  return colouredPixels(values, (value) => sequentialColour(value / limit), mask)
}

function alongNodes(nodes: readonly Rgb[], share: number): Rgb {
  const place = Math.min(1, Math.max(0, share)) * (nodes.length - 1)
  const below = Math.min(Math.floor(place), nodes.length - 2)
  const [a, b] = [nodes[below]!, nodes[below + 1]!]
  const mix = (channel: 0 | 1 | 2): number => Math.round(a[channel] + (b[channel] - a[channel]) * (place - below))
  return [mix(0), mix(1), mix(2)]
}

/** Equal images side by side on a dark ground, `columns` a row. @returns grey pixels of the whole */
export function montage(
  images: readonly Uint8Array[],
  width: number,
  height: number,
  columns: number,
): { width: number; height: number; pixels: Uint8Array } {
  const rows = Math.ceil(images.length / columns)
  const whole = {
    width: columns * width,
    height: rows * height,
    pixels: new Uint8Array(columns * width * rows * height),
  }
  for (const [n, image] of images.entries()) {
    const [left, top] = [(n % columns) * width, Math.floor(n / columns) * height]
    for (let row = 0; row < height; row++)
      whole.pixels.set(image.subarray(row * width, (row + 1) * width), left + (top + row) * whole.width)
  }
  return whole
}
