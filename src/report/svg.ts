/**
 * Plots as inline SVG: a strip and box plot with one row a group, a forest plot with one row a prediction, and colour bars.
 * Colours come from the page's CSS variables, so that the same SVG is read in light, dark and print.
 */
import { percentileOfSorted } from '../volume/index.ts'
import { escapeHtml, shown } from './text.ts'

export type Group = {
  readonly label: string
  readonly series: number
  readonly values: readonly number[]
  readonly mean: number | null
}

const width = 960
const labelWidth = 208
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
  const rows = groups.map((group, row) => strip(group, row * rowHeight + rowHeight / 2, x))
  return `<div class="scroll"><svg class="plot" viewBox="0 0 ${width} ${bottom + axisHeight}" role="img" aria-label="${escapeHtml(axisTitle)}">${gridLines(ticks, x, 0, bottom, digits)}${rows.join('')}${axisLabel(axisTitle, bottom)}</svg></div>`
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

/** A horizontal bar under a picture: its colours from left to right, with the values at both ends and in the middle. */
export function colourBar(
  colourOf: (share: number) => readonly number[],
  labels: readonly [string, string, string],
): string {
  const [steps, left, long] = [48, 4, 192]
  const step = (n: number): string =>
    `<rect x="${px(left + (n * long) / steps)}" y="2" width="${px(long / steps + 0.5)}" height="8" fill="rgb(${colourOf(n / (steps - 1)).join(',')})"/>`
  const [first, middle, last] = labels
  const label = (text: string, x: number, anchor: string): string =>
    `<text class="tick" x="${x}" y="25" text-anchor="${anchor}">${escapeHtml(text)}</text>`
  return (
    `<svg class="colour-bar" viewBox="0 0 200 30" role="img" aria-label="${escapeHtml(`${first} to ${last}`)}">` +
    Array.from({ length: steps }, (_, n) => step(n)).join('') +
    `<rect class="edge" x="${left}" y="2" width="${long}" height="8"/>` +
    `${label(first, left, 'start')}${label(middle, left + long / 2, 'middle')}${label(last, left + long, 'end')}</svg>`
  )
}

export type Estimate = {
  readonly label: string
  readonly series: number
  /** Baselines are drawn fainter. */
  readonly faint: boolean
  readonly mean: number
  readonly interval: readonly [number, number] | null
  /** One a patient. */
  readonly values: readonly number[]
}
/** A published figure: a dashed line with a band, and what has to be said with it. */
export type ReferenceLine = { readonly label: string; readonly mean: number; readonly sd: number }

/** One row a prediction: its patients as dots, mean as a square, 95 % interval as a line. */
export function forestPlot(
  rows: readonly Estimate[],
  axisTitle: string,
  digits: number,
  reference?: ReferenceLine,
): string {
  const spread = reference ? [reference.mean - reference.sd, reference.mean + reference.sd] : []
  const all = rows.flatMap(({ mean, interval, values }) => [mean, ...(interval ?? []), ...values])
  if (all.length === 0) return ''
  const ticks = niceTicks(Math.min(...all, ...spread), Math.max(...all, ...spread))
  const [low, high] = [ticks[0]!, ticks.at(-1)!]
  const x = (value: number): number => labelWidth + ((value - low) / (high - low)) * (width - labelWidth - rightMargin)
  const top = reference ? 22 : 0
  const bottom = top + rows.length * rowHeight
  const published = reference
    ? `<rect class="band" x="${px(x(spread[0]!))}" y="${top}" width="${px(x(spread[1]!) - x(spread[0]!))}" height="${bottom - top}"/>` +
      `<line class="published" x1="${px(x(reference.mean))}" x2="${px(x(reference.mean))}" y1="${top}" y2="${bottom}"/>` +
      `<text class="tick" x="${px(x(reference.mean))}" y="14" text-anchor="middle">${escapeHtml(reference.label)}</text>`
    : ''
  const marks = rows.map((row, n) => estimate(row, top + n * rowHeight + rowHeight / 2, x, digits))
  const axis = `${gridLines(ticks, x, top, bottom, digits)}${axisLabel(axisTitle, bottom)}`
  return `<div class="scroll"><svg class="plot" viewBox="0 0 ${width} ${bottom + axisHeight}" role="img" aria-label="${escapeHtml(axisTitle)}">${axis}${published}${marks.join('')}</svg></div>`
}

function estimate(
  { label, series, faint, mean, interval, values }: Estimate,
  y: number,
  x: (value: number) => number,
  digits: number,
): string {
  const name = `<text class="row" x="${labelWidth - 14}" y="${px(y + 4)}" text-anchor="end">${escapeHtml(label)}</text>`
  const dots = values.map((value, n) => `<circle cx="${px(x(value))}" cy="${px(y + ((n * 5) % 11) - 5)}" r="2.2"/>`)
  const line = interval
    ? `<line class="interval" x1="${px(x(interval[0]))}" x2="${px(x(interval[1]))}" y1="${px(y)}" y2="${px(y)}"/>`
    : ''
  const square = `<rect class="estimate" x="${px(x(mean) - 4)}" y="${px(y - 4)}" width="8" height="8"><title>${shown(mean, digits)}</title></rect>`
  return `<g class="${faint ? 'faint' : `series${series % 4}`}">${name}${dots.join('')}${line}${square}</g>`
}

function gridLines(
  ticks: readonly number[],
  x: (value: number) => number,
  top: number,
  bottom: number,
  digits: number,
): string {
  return ticks
    .map(
      (tick) =>
        `<line class="grid" x1="${px(x(tick))}" x2="${px(x(tick))}" y1="${top}" y2="${bottom}"/>` +
        `<text class="tick" x="${px(x(tick))}" y="${bottom + 16}" text-anchor="middle">${tick.toFixed(tickDigits(ticks, digits)).replace('-', '−')}</text>`,
    )
    .join('')
}

function axisLabel(title: string, bottom: number): string {
  return `<text class="axis" x="${px((labelWidth + width - rightMargin) / 2)}" y="${bottom + 36}" text-anchor="middle">${escapeHtml(title)}</text>`
}

function px(value: number): string {
  return String(Number(value.toFixed(1)))
}
