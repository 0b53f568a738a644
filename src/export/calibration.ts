/**
 * What the spread of samples says of their error: a fit on validation slices, and how often the true value lies within the
 * stated intervals on slices that were not fitted.
 *
 * Model     error² ≈ (scale · SD)² + floor², so that a calibrated SD is √((scale · SD)² + floor²): samples of a network agree
 *           where all of them are wrong (noise of the MR, registration), hence the floor.
 * Interval  mean ± factor · calibrated SD, with one factor a level, the quantile of |error| / calibrated SD: errors are not
 *           normal, and 1.645 would not cover 90 %.
 */

/** Pixels of one group (a patient, or a half of one): |mean of samples − MR| and SD of the samples, in [−1, 1]. */
export type Spreads = { error: Float32Array; sd: Float32Array }

export const LEVELS = [50, 80, 90] as const
type PerLevel = Record<'50' | '80' | '90', number>

export type Calibration = {
  scale: number
  floor: number
  factors: PerLevel
  /** In percent, of pixels of groups that the fit did not see. */
  coverage: PerLevel
  /** Tenths of the pixels by SD: the root mean squared error there, and what the calibrated SD says. */
  bins: { sd: number; error: number; calibrated: number }[]
}

const BINS = 10

/**
 * @param groups  two or more: each in turn is left out of the fit, and its coverage taken
 */
export function calibrate(groups: readonly Spreads[]): Calibration {
  const all = joined(groups)
  const fit = fitted(all)
  const covered = { '50': 0, '80': 0, '90': 0 }
  groups.forEach((group, n) => {
    const other = fitted(joined(groups.filter((_, m) => m !== n)))
    for (const level of LEVELS) covered[`${level}`] += within(group, other, other.factors[`${level}`])
  })
  const coverage = mapLevels((level) => (100 * covered[level]) / all.error.length)
  return { ...fit, coverage, bins: binned(all).map((bin) => ({ ...bin, calibrated: calibratedSd(bin.sd, fit) })) }
}

export function calibratedSd(sd: number, { scale, floor }: Pick<Calibration, 'scale' | 'floor'>): number {
  return Math.hypot(scale * sd, floor)
}

type Fit = Pick<Calibration, 'scale' | 'floor' | 'factors'>

function fitted(spreads: Spreads): Fit {
  const bins = binned(spreads)
  // A straight line through (SD², error²), each tenth of the pixels with the weight of its relative error.
  const weights = bins.map(({ error }) => 1 / Math.max(error, 1e-6) ** 4)
  const mean = (of: (bin: (typeof bins)[number]) => number): number =>
    bins.reduce((sum, bin, n) => sum + weights[n]! * of(bin), 0) / weights.reduce((a, b) => a + b, 0)
  const [x, y] = [mean(({ sd }) => sd ** 2), mean(({ error }) => error ** 2)]
  const [xx, xy] = [mean(({ sd }) => (sd ** 2 - x) ** 2), mean(({ sd, error }) => (sd ** 2 - x) * (error ** 2 - y))]
  const slope = xx > 0 ? Math.max(0, xy / xx) : 0
  const rest = y - slope * x
  const line =
    rest >= 0
      ? { scale: Math.sqrt(slope), floor: Math.sqrt(rest) }
      : { scale: Math.sqrt(mean(({ error, sd }) => error ** 2 / Math.max(sd ** 2, 1e-12))), floor: 0 }
  // Where samples agree exactly and no floor is needed, an interval would have no width at all.
  const least = { ...line, floor: Math.max(line.floor, 1e-4) }
  const ratios = Float32Array.from(spreads.error, (error, n) => error / calibratedSd(spreads.sd[n]!, least)).sort()
  const quantile = (share: number): number => ratios[Math.min(ratios.length - 1, Math.floor(share * ratios.length))]!
  return { ...least, factors: { '50': quantile(0.5), '80': quantile(0.8), '90': quantile(0.9) } }
}

function binned({ error, sd }: Spreads): { sd: number; error: number }[] {
  const order = Uint32Array.from(sd, (_, n) => n).sort((a, b) => sd[a]! - sd[b]!)
  return Array.from({ length: BINS }, (_, bin) => {
    const part = order.subarray(Math.floor((bin * order.length) / BINS), Math.floor(((bin + 1) * order.length) / BINS))
    const rms = (of: Float32Array): number =>
      Math.sqrt(part.reduce((sum, n) => sum + of[n]! ** 2, 0) / Math.max(1, part.length))
    return { sd: rms(sd), error: rms(error) }
  })
}

function within({ error, sd }: Spreads, fit: Fit, factor: number): number {
  let count = 0
  for (let n = 0; n < error.length; n++) if (error[n]! <= factor * calibratedSd(sd[n]!, fit)) count++
  return count
}

function joined(groups: readonly Spreads[]): Spreads {
  const length = groups.reduce((sum, { error }) => sum + error.length, 0)
  const all = { error: new Float32Array(length), sd: new Float32Array(length) }
  let at = 0
  for (const { error, sd } of groups) {
    all.error.set(error, at)
    all.sd.set(sd, at)
    at += error.length
  }
  return all
}

function mapLevels(of: (level: keyof PerLevel) => number): PerLevel {
  return { '50': of('50'), '80': of('80'), '90': of('90') }
}

/** Error against SD as a drawing: tenths of the pixels as dots, the calibrated SD as a line, equality dashed. */
export function calibrationFigure({ bins, coverage, factors }: Calibration, what: string): string {
  const most = 1.1 * Math.max(...bins.flatMap(({ sd, error }) => [sd, error]), 1e-6)
  const x = (value: number): number => 60 + (value / most) * 400
  const y = (value: number): number => 300 - (value / most) * 260
  const ticks = Array.from({ length: 5 }, (_, n) => (n * most) / 4.4)
  const levels = LEVELS.map(
    (level, n) =>
      `<text x="480" y="${90 + 22 * n}">± ${factors[`${level}`].toFixed(2)} calibrated SD covers ${coverage[`${level}`].toFixed(1)} % (stated ${level} %)</text>`,
  )
  return [
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 360" font-family="sans-serif" font-size="13" fill="#222">',
    '<rect width="780" height="360" fill="#fff"/>',
    `<text x="60" y="24" font-size="15" font-weight="bold">${what}</text>`,
    '<path d="M60 40V300H460" fill="none" stroke="#444"/>',
    ...ticks.map((tick) => `<text x="${x(tick).toFixed(1)}" y="318" text-anchor="middle">${tick.toFixed(2)}</text>`),
    ...ticks.map((tick) => `<text x="52" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${tick.toFixed(2)}</text>`),
    `<path d="M${x(0)} ${y(0)}L${x(most / 1.1)} ${y(most / 1.1)}" stroke="#999" stroke-dasharray="5 4"/>`,
    `<polyline points="${bins.map(({ sd, calibrated }) => `${x(sd).toFixed(1)},${y(calibrated).toFixed(1)}`).join(' ')}" fill="none" stroke="#1769aa" stroke-width="2"/>`,
    ...bins.map(
      ({ sd, error }) => `<circle cx="${x(sd).toFixed(1)}" cy="${y(error).toFixed(1)}" r="4" fill="#c2410c"/>`,
    ),
    '<text x="260" y="342" text-anchor="middle">SD of the samples, of the scale −1 … 1</text>',
    '<text x="18" y="170" text-anchor="middle" transform="rotate(-90 18 170)">error</text>',
    '<circle cx="486" cy="40" r="4" fill="#c2410c"/><text x="498" y="45">root mean squared error, tenths of the pixels</text>',
    '<path d="M480 62h14" stroke="#1769aa" stroke-width="2"/><text x="498" y="67">calibrated SD</text>',
    ...levels,
    '</svg>',
  ].join('\n')
}
