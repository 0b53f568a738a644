/**
 * What every metric takes: two images of one size, and where they are compared.
 *
 * Order       pixel (column, row) is at [column + width · row]; a volume's points may be given as one long row.
 * Arithmetic  float64, whatever the arrays hold.
 * Mask        a pixel counts where the mask is above 0; no mask means every pixel.
 */

export type Pixels = Float64Array | Float32Array | Int32Array | Int16Array | Uint16Array | Int8Array | Uint8Array

export type ImagePair = {
  readonly reference: Pixels
  readonly test: Pixels
  readonly mask?: Uint8Array | undefined
  readonly width: number
  readonly height: number
}

/** The pair, with the span of intensities that counts as "full scale": it has no default, and is never taken from the images. */
export type RangedPair = ImagePair & { readonly dataRange: number }

/** A wrong size or range is a fault of the caller's: files and arguments were checked at the door. */
export function checkPair({ reference, test, mask, width, height }: ImagePair): void {
  const pixels = width * height
  if (reference.length !== pixels || test.length !== pixels || (mask && mask.length !== pixels))
    throw new Error(`a pair of ${reference.length} and ${test.length} pixels is not ${width} × ${height}`)
}

export function checkRange(dataRange: number): void {
  if (!(dataRange > 0 && dataRange < Infinity)) throw new Error(`a data range of ${dataRange} is not a positive number`)
}
