/**
 * Tiles: a frame larger than the network's, as overlapping pieces of the network's size, blended without a seam.
 * All in pixels of one slice, row by row; each weight is positive and the weights over a pixel sum to 1.
 */

export type Tile = { x: number; y: number; width: number; height: number; weights: Float64Array }

/** Neighbouring tiles share at least this part of their width. */
const LEAST_OVERLAP = 0.25

/** The tiles of `tile` [width, height] over a frame of `size`, which is at least as large. */
export function tilesOver(size: readonly [number, number], tile: readonly [number, number]): Tile[] {
  const across = spans(size[0], tile[0])
  const down = spans(size[1], tile[1])
  return down.flatMap((row) =>
    across.map((column) => {
      const weights = new Float64Array(tile[0] * tile[1])
      for (let j = 0; j < tile[1]; j++)
        for (let i = 0; i < tile[0]; i++) weights[i + tile[0] * j] = column.weights[i]! * row.weights[j]!
      return { x: column.start, y: row.start, width: tile[0], height: tile[1], weights }
    }),
  )
}

/** A rectangle that stands for itself: what lies under it is what it makes. */
export function wholeTile(box: Omit<Tile, 'weights'>): Tile {
  return { ...box, weights: new Float64Array(box.width * box.height).fill(1) }
}

/** The part of one slice of `width` pixels a row that lies under a tile, written to `into` from `at` on. */
export function cut(slice: Float32Array, width: number, tile: Tile, into: Float32Array, at: number): void {
  for (let j = 0; j < tile.height; j++) {
    const from = tile.x + width * (tile.y + j)
    into.set(slice.subarray(from, from + tile.width), at + tile.width * j)
  }
}

/** Zeros under a tile, onto which tiles are blended. */
export function clear(slice: Float64Array, width: number, { x, y, width: across, height }: Tile): void {
  for (let j = y; j < y + height; j++) slice.fill(0, width * j + x, width * j + x + across)
}

/** Adds a tile's values, weighted, to the slice; it has to be clear where tiles lie, and gets every one. */
export function blend(values: Float32Array, slice: Float64Array, width: number, tile: Tile): void {
  const { weights } = tile
  for (let j = 0; j < tile.height; j++) {
    const to = tile.x + width * (tile.y + j)
    for (let i = 0; i < tile.width; i++) {
      const at = i + tile.width * j
      slice[to + i]! += weights[at]! * values[at]!
    }
  }
}

type Span = { start: number; weights: Float64Array }

/** Along one axis: evenly spread starts, and weights that rise over each overlap as sin² and sum to 1 everywhere. */
function spans(length: number, tile: number): Span[] {
  if (tile > length) throw new Error(`a tile of ${tile} pixels over a frame of ${length}`)
  const step = tile - Math.ceil(tile * LEAST_OVERLAP)
  const count = 1 + Math.ceil((length - tile) / step)
  const starts = Array.from({ length: count }, (_, n) =>
    count === 1 ? 0 : Math.round((n * (length - tile)) / (count - 1)),
  )
  const raw = starts.map((start, n) => ({
    start,
    weights: ramp(tile, overlap(starts, n - 1, tile), overlap(starts, n, tile)),
  }))
  const total = new Float64Array(length)
  for (const { start, weights } of raw) weights.forEach((w, i) => (total[start + i]! += w))
  return raw.map(({ start, weights }) => ({ start, weights: weights.map((w, i) => w / total[start + i]!) }))
}

/** How many pixels tile n shares with tile n + 1; 0 at both ends of the row. */
function overlap(starts: readonly number[], n: number, tile: number): number {
  const [first, second] = [starts[n], starts[n + 1]]
  return first === undefined || second === undefined ? 0 : first + tile - second
}

function ramp(tile: number, before: number, after: number): Float64Array {
  const rise = (distance: number, over: number): number =>
    distance < over ? Math.sin(((distance + 0.5) / over) * (Math.PI / 2)) ** 2 : 1
  return Float64Array.from({ length: tile }, (_, i) => rise(i, before) * rise(tile - 1 - i, after))
}
