/**
 * The discrete Fourier transform of any length: radix 2 (Cooley and Tukey 1965), and Bluestein (1970) for the rest.
 * Forward only, no scaling; complex numbers as two arrays. A plan holds what depends on the length alone.
 */

/** Transforms `re`, `im` in place; both have the planned length. */
export type Fft = (re: Float64Array, im: Float64Array) => void

export function planFft(length: number): Fft {
  return (length & (length - 1)) === 0 ? radix2(length) : bluestein(length)
}

function radix2(length: number): Fft {
  const half = length >> 1
  const cos = Float64Array.from({ length: half }, (_, n) => Math.cos((2 * Math.PI * n) / length))
  const sin = Float64Array.from({ length: half }, (_, n) => -Math.sin((2 * Math.PI * n) / length))
  const partner = bitReversed(length)
  // Plain variables throughout: this loop is all of the cost, and a tuple in it costs as much as the arithmetic.
  return (re, im) => {
    reorder(re, im, partner)
    for (let size = 2; size <= length; size *= 2) {
      const arm = size >> 1
      const step = length / size
      for (let start = 0; start < length; start += size)
        for (let a = start, twiddle = 0; a < start + arm; a++, twiddle += step) {
          const b = a + arm
          const wr = cos[twiddle]!
          const wi = sin[twiddle]!
          const br = re[b]!
          const bi = im[b]!
          const tr = br * wr - bi * wi
          const ti = br * wi + bi * wr
          const ar = re[a]!
          const ai = im[a]!
          re[b] = ar - tr
          im[b] = ai - ti
          re[a] = ar + tr
          im[a] = ai + ti
        }
    }
  }
}

function reorder(re: Float64Array, im: Float64Array, partner: Uint32Array): void {
  for (let n = 0; n < partner.length; n++) {
    const other = partner[n]!
    if (other <= n) continue
    const heldRe = re[n]!
    const heldIm = im[n]!
    re[n] = re[other]!
    im[n] = im[other]!
    re[other] = heldRe
    im[other] = heldIm
  }
}

function bitReversed(length: number): Uint32Array {
  const order = new Uint32Array(length)
  const bits = Math.log2(length)
  for (let n = 0; n < length; n++) {
    let reversed = 0
    for (let bit = 0; bit < bits; bit++) if ((n >> bit) & 1) reversed |= 1 << (bits - 1 - bit)
    order[n] = reversed
  }
  return order
}

/** X[k] = c[k] · Σ (x[n] c[n]) c*[k − n] with c[n] = exp(−iπ n²/N): a convolution, done at a power of two ≥ 2N − 1. */
function bluestein(length: number): Fft {
  const size = 2 ** Math.ceil(Math.log2(2 * length - 1))
  const transform = radix2(size)
  // n² modulo 2N, so that the angle stays small and exact.
  const angle = Float64Array.from({ length }, (_, n) => (Math.PI * (n ** 2 % (2 * length))) / length)
  const [cos, sin] = [angle.map(Math.cos), angle.map((a) => -Math.sin(a))]
  const [kernelRe, kernelIm] = [new Float64Array(size), new Float64Array(size)]
  for (let n = 0; n < length; n++)
    for (const at of [n, (size - n) % size]) {
      kernelRe[at] = cos[n]!
      kernelIm[at] = -sin[n]!
    }
  transform(kernelRe, kernelIm)
  const [workRe, workIm] = [new Float64Array(size), new Float64Array(size)]
  return (re, im) => {
    workRe.fill(0)
    workIm.fill(0)
    for (let n = 0; n < length; n++) {
      workRe[n] = re[n]! * cos[n]! - im[n]! * sin[n]!
      workIm[n] = re[n]! * sin[n]! + im[n]! * cos[n]!
    }
    transform(workRe, workIm)
    for (let n = 0; n < size; n++) {
      const a = workRe[n]!
      const b = workIm[n]!
      workRe[n] = a * kernelRe[n]! - b * kernelIm[n]!
      // Conjugated, so that the forward transform below is the inverse one.
      workIm[n] = -(a * kernelIm[n]! + b * kernelRe[n]!)
    }
    transform(workRe, workIm)
    for (let n = 0; n < length; n++) {
      const a = workRe[n]! / size
      const b = -workIm[n]! / size
      re[n] = a * cos[n]! - b * sin[n]!
      im[n] = a * sin[n]! + b * cos[n]!
    }
  }
}

/** The 2-D transform in place, rows then columns; index [column + width · row]. */
export function planFft2d(width: number, height: number): Fft {
  const [rowFft, columnFft] = [planFft(width), planFft(height)]
  const [lineRe, lineIm] = [new Float64Array(height), new Float64Array(height)]
  return (re, im) => {
    for (let start = 0; start < width * height; start += width) {
      const [rowRe, rowIm] = [re.subarray(start, start + width), im.subarray(start, start + width)]
      // Outside the patient there are many rows of zeros, and they stay zeros.
      if (isZero(rowRe) && isZero(rowIm)) continue
      rowFft(rowRe, rowIm)
    }
    for (let column = 0; column < width; column++) {
      for (let row = 0, at = column; row < height; row++, at += width) {
        lineRe[row] = re[at]!
        lineIm[row] = im[at]!
      }
      columnFft(lineRe, lineIm)
      for (let row = 0, at = column; row < height; row++, at += width) {
        re[at] = lineRe[row]!
        im[at] = lineIm[row]!
      }
    }
  }
}

function isZero(line: Float64Array): boolean {
  for (let n = 0; n < line.length; n++) if (line[n] !== 0) return false
  return true
}
