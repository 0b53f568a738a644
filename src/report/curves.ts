/** Small multiples of curves over one axis, as an SVG file of its own: how a training goes. */
import { niceTicks } from './svg.ts'
import { escapeHtml } from './text.ts'

export type Curve = { name: string; points: readonly (readonly [x: number, y: number])[] }
export type Panel = { title: string; curves: readonly Curve[] }

const columns = 3
const panelWidth = 340
const panelHeight = 210
const inner = { left: 62, top: 46, width: 262, height: 128 }
/** Okabe and Ito's colours, told apart by most colour-blind readers, and dark enough on white. */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#5b5b5b', '#b8860b']
/** More than a panel has pixels across would only be ink: beyond that, neighbours are averaged. */
const mostPoints = 250

/** @param xTitle  of the axis below every panel, with its unit */
export function curvesSvg(panels: readonly Panel[], xTitle: string): string {
  const filled = panels.filter(({ curves }) => curves.some(({ points }) => points.length > 0))
  const all = filled.flatMap(({ curves }) => curves.flatMap(({ points }) => points.map(([x]) => x)))
  const ticks = niceTicks(Math.min(0, ...minMax(all)), Math.max(1, ...minMax(all)))
  const [width, height] = [columns * panelWidth, Math.max(1, Math.ceil(filled.length / columns)) * panelHeight]
  const drawn = filled.map((panel, n) => {
    const place = `translate(${(n % columns) * panelWidth} ${Math.floor(n / columns) * panelHeight})`
    return `<g transform="${place}">${drawPanel(panel, ticks, xTitle)}</g>`
  })
  const style =
    'text{font:11px system-ui,sans-serif;fill:#333}.title{font-weight:600;font-size:13px}.grid{stroke:#ddd}' +
    'polyline{fill:none;stroke-width:1.5;stroke-linejoin:round}'
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">` +
    `<style>${style}</style><rect width="${width}" height="${height}" fill="#fff"/>${drawn.join('')}</svg>\n`
  )
}

function drawPanel({ title, curves }: Panel, xTicks: readonly number[], xTitle: string): string {
  const thinned = curves.map(({ name, points }) => ({ name, points: thinnedOut(points) }))
  const [low, high] = minMax(thinned.flatMap(({ points }) => points.map(([, y]) => y)))
  const yTicks = niceTicks(low, high)
  const x = scale(xTicks, inner.left, inner.left + inner.width)
  const y = scale(yTicks, inner.top + inner.height, inner.top)
  const [bottom, right] = [inner.top + inner.height, inner.left + inner.width]
  const rows = yTicks.map(
    (tick) =>
      `<line class="grid" x1="${inner.left}" x2="${right}" y1="${y(tick)}" y2="${y(tick)}"/>` +
      `<text x="${inner.left - 6}" y="${y(tick) + 4}" text-anchor="end">${label(tick, yTicks)}</text>`,
  )
  const below = [xTicks[0]!, xTicks.at(-1)!].map(
    (tick) => `<text x="${x(tick)}" y="${bottom + 16}" text-anchor="middle">${label(tick, xTicks)}</text>`,
  )
  const lines = thinned.map(({ points }, n) => {
    const path = points.map((point) => `${x(point[0])},${y(point[1])}`).join(' ')
    const [first] = points
    const alone =
      points.length === 1 ? `<circle cx="${x(first![0])}" cy="${y(first![1])}" r="2.5" fill="${colours[n % 6]}"/>` : ''
    return `<polyline points="${path}" stroke="${colours[n % 6]}"/>${alone}`
  })
  const names = thinned.map(
    ({ name }, n) => `<tspan fill="${colours[n % 6]}"${n > 0 ? ' dx="10"' : ''}>${escapeHtml(name)}</tspan>`,
  )
  const legend = curves.length > 1 ? `<text x="${inner.left}" y="36">${names.join('')}</text>` : ''
  return (
    `<text class="title" x="${inner.left}" y="20">${escapeHtml(title)}</text>${legend}${rows.join('')}${below.join('')}` +
    `<text x="${inner.left + inner.width / 2}" y="${bottom + 16}" text-anchor="middle">${escapeHtml(xTitle)}</text>${lines.join('')}`
  )
}

function scale(ticks: readonly number[], from: number, to: number): (value: number) => number {
  const [low, high] = [ticks[0]!, ticks.at(-1)!]
  return (value) => Number((from + ((value - low) / (high - low)) * (to - from)).toFixed(1))
}

function thinnedOut(points: Curve['points']): Curve['points'] {
  const each = Math.ceil(points.length / mostPoints)
  if (each <= 1) return points
  return Array.from({ length: Math.ceil(points.length / each) }, (_, n) => {
    const bunch = points.slice(n * each, (n + 1) * each)
    const mean = (of: 0 | 1): number => bunch.reduce((sum, point) => sum + point[of], 0) / bunch.length
    return [mean(0), mean(1)] as const
  })
}

function minMax(values: readonly number[]): [number, number] {
  return values.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity],
  )
}

/** As many digits as neighbouring ticks need to differ; powers of ten where all are small (a learning rate) or large. */
function label(value: number, ticks: readonly number[]): string {
  const largest = Math.max(...ticks.map(Math.abs))
  if (largest >= 1e5 || largest < 1e-2) return value === 0 ? '0' : value.toExponential(1)
  const step = ticks[1]! - ticks[0]!
  const power = Math.floor(Math.log10(step) + 1e-9)
  const half = Math.abs(step / 10 ** power - 2.5) < 1e-6 ? 1 : 0
  return value.toFixed(Math.max(0, half - power))
}
