/**
 * Plots as inline SVG: a strip and box plot with one row a group, and the colour bar of the difference pictures.
 * Colours come from the page's CSS variables, so that the same SVG is read in light, dark and print.
 */
import { percentileOfSorted } from '../volume/index.ts'
import { divergingColour } from './colours.ts'
import { escapeHtml, shown } from './text.ts'

export type Group = {
  readonly label: string
  readonly series: number
  readonly values: readonly number[]
  readonly mean: number | null
}

const width = 960
const labelWidth = 168
const rightMargin = 24
const rowHeight = 26
const axisHeight = 44

/** Every value as a dot, quartiles as a box with its median, the patient's own figure as a diamond. */
export function stripPlot(groups: readonly Group[], axisTitle: string, digits: number): string {
  const all = groups
    .flatMap(({ values, mean }) => [...values, ...(mean === null ? [] : [mean])])
    .filter(Number.isFinite)
  if (all.length === 0) return ''
  const ticks = niceTicks(Math.min(...all), Math.max(...all))
  const [low, high] = [ticks[0]!, ticks.at(-1)!]
  const x = (value: number): number => labelWidth + ((value - low) / (high - low)) * (width - labelWidth - rightMargin)
  const bottom = groups.length * rowHeight
  const grid = ticks.map(
    (tick) =>
      `<line class="grid" x1="${px(x(tick))}" x2="${px(x(tick))}" y1="0" y2="${bottom}"/>` +
      `<text class="tick" x="${px(x(tick))}" y="${bottom + 16}" text-anchor="middle">${tick.toFixed(tickDigits(ticks, digits))}</text>`,
  )
  const rows = groups.map((group, row) => strip(group, row * rowHeight + rowHeight / 2, x))
  const title = `<text class="axis" x="${px((labelWidth + width - rightMargin) / 2)}" y="${bottom + 36}" text-anchor="middle">${escapeHtml(axisTitle)}</text>`
  return `<svg class="plot" viewBox="0 0 ${width} ${bottom + axisHeight}" role="img" aria-label="${escapeHtml(axisTitle)}">${grid.join('')}${rows.join('')}${title}</svg>`
}

function strip({ label, series, values, mean }: Group, y: number, x: (value: number) => number): string {
  const sorted = Float64Array.from(values.filter(Number.isFinite)).sort()
  const name = `<text class="row" x="${labelWidth - 14}" y="${px(y + 4)}" text-anchor="end">${escapeHtml(label)}</text>`
  if (sorted.length === 0) return name
  const at = (percentile: number): number => x(percentileOfSorted(sorted, percentile))
  // The dots sit on a fixed pattern above and below the line, so that the picture is the same each time.
  const dots = [...sorted].map(
    (value, n) => `<circle cx="${px(x(value))}" cy="${px(y + ((n * 5) % 11) - 5)}" r="1.7"/>`,
  )
  const box =
    sorted.length < 4
      ? ''
      : `<rect class="box" x="${px(at(25))}" y="${px(y - 7)}" width="${px(at(75) - at(25))}" height="14" rx="2"/>` +
        `<line class="median" x1="${px(at(50))}" x2="${px(at(50))}" y1="${px(y - 7)}" y2="${px(y + 7)}"/>`
  const diamond =
    mean === null || !Number.isFinite(mean)
      ? ''
      : `<path class="mean" d="M${px(x(mean))} ${px(y - 5)}l5 5l-5 5l-5 -5z"><title>${shown(mean, 4)}</title></path>`
  return `<g class="series${series % 4}">${name}${dots.join('')}${box}${diamond}</g>`
}

/** Four to eight round numbers that enclose low … high. */
export function niceTicks(low: number, high: number): number[] {
  const span = high > low ? high - low : Math.abs(high) || 1
  const raw = span / 5
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((candidate) => candidate >= raw * 0.999)!
  const [first, last] = [Math.floor(low / step + 1e-9), Math.ceil(high / step - 1e-9)]
  return Array.from({ length: Math.max(last - first, 1) + 1 }, (_, n) => (first + n) * step)
}

function tickDigits(ticks: readonly number[], most: number): number {
  const step = ticks[1]! - ticks[0]!
  for (let digits = 0; digits < most; digits++)
    if (Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) < 1e-6) return digits
  return most
}

/** The bar beside a row of difference pictures: from −limit (blue) to limit (red). */
export function colourBar(limit: number, unit: string): string {
  const [steps, top, height] = [65, 6, 188]
  const step = (n: number): string =>
    `<rect x="0" y="${px(top + (n * height) / steps)}" width="12" height="${px(height / steps + 0.6)}" fill="rgb(${divergingColour(1 - (2 * n) / (steps - 1)).join(',')})"/>`
  const label = (text: string, y: number): string => `<text class="tick" x="18" y="${y}">${escapeHtml(text)}</text>`
  return (
    `<svg class="colour-bar" viewBox="0 0 56 200" role="img" aria-label="difference, ${escapeHtml(unit)}">` +
    Array.from({ length: steps }, (_, n) => step(n)).join('') +
    `${label(`+${limit}`, 16)}${label('0', 104)}${label(`−${limit}`, 193)}</svg>`
  )
}

function px(value: number): string {
  return String(Number(value.toFixed(1)))
}
