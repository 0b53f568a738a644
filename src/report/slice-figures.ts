/** One slice as a figure: CT | sMRI | real MR | difference | uncertainty in millimetres true to each other, with colour bars. */
import type { SliceScores } from '../evaluation/index.ts'
import { divergingColour, sequentialColour } from './colours.ts'
import { ctWindowHu, differenceLimit, uncertaintyLimit } from './pictures.ts'
import type { SlicePicture } from './pictures.ts'
import { colourBar } from './svg.ts'
import { escapeHtml, shown } from './text.ts'

export const picturesLegend = `CT window ${shown(ctWindowHu.low, 0)} … ${ctWindowHu.high} HU. Both MR images in the scored range, black to white. Difference = sMRI − real MR as a share of the range: blue is too dark, red too bright. Uncertainty: the standard deviation that the maker of the sMRI states, as a share of the range, where there is one. Unscored voxels are left blank.`

type Bar = Parameters<typeof colourBar>
const grey = (share: number): readonly number[] => Array.from({ length: 3 }, () => Math.round(255 * share))
const bars = {
  ct: [grey, [shown(ctWindowHu.low, 0), 'HU', String(ctWindowHu.high)]],
  mr: [grey, ['0', 'share of the range', '1']],
  difference: [(share) => divergingColour(2 * share - 1), [`−${differenceLimit}`, '0', `+${differenceLimit}`]],
  uncertainty: [sequentialColour, ['0', 'standard deviation', String(uncertaintyLimit)]],
} as const satisfies Record<string, Bar>
type Kind = keyof typeof bars

type Column = { readonly kind: Kind; readonly title: string }
type Cell = { readonly image: string | null; readonly name: string }

/** The worst first: a row for each prediction, CT and real MR in the first one only. */
export function sliceFigure(picture: SlicePicture): string {
  const { predictions, ct, label, patientId, sliceIndex } = picture
  const spread = predictions.some(({ uncertainty }) => uncertainty !== null)
  const columns: Column[] = [
    ...(ct === null ? [] : [{ kind: 'ct', title: 'CT' } as const]),
    { kind: 'mr', title: 'sMRI' },
    { kind: 'mr', title: 'real MR' },
    { kind: 'difference', title: 'difference' },
    ...(spread ? [{ kind: 'uncertainty', title: 'uncertainty' } as const] : []),
  ]
  const rows = predictions.map(({ name, image, difference, uncertainty }, n): Cell[] => [
    ...(ct === null ? [] : [{ image: n === 0 ? ct : null, name: 'CT' }]),
    { image, name: `synthetic · ${name}` },
    { image: n === 0 ? picture.reference : null, name: 'real MR' },
    { image: difference, name: 'sMRI − MR' },
    ...(spread ? [{ image: uncertainty, name: 'uncertainty' }] : []),
  ])
  const panels = rows.flatMap((row, r) =>
    row.map((cell, c) => panel(cell, columns[c]!.kind, picture, r === 0 && c === 0)),
  )
  const under = columns.map(({ kind }) => `<div>${colourBar(...(bars[kind] as Bar))}</div>`)
  const scores = predictions.map(({ name, scores: own }) => {
    const text = own ? sliceWords(own) : ''
    return predictions.length > 1 ? `${escapeHtml(name)}: ${text}` : text
  })
  const where = label === patientId ? '' : `${escapeHtml(patientId)}, `
  const caption = `<figcaption><b>${escapeHtml(label)}</b> · ${where}slice ${sliceIndex + 1}<br>${scores.join('<br>')}</figcaption>`
  return `<figure>${caption}<div class="pictures" style="grid-template-columns:repeat(${columns.length},minmax(0,1fr));--on-paper:${paperWidthMm(picture, columns.length)}mm">${panels.join('')}${under.join('')}</div></figure>`
}

/** As wide as all rows fit one landscape page of A4 with heading and caption: a figure that is taller is cut in two. */
function paperWidthMm({ predictions, widthMm, heightMm }: SlicePicture, columns: number): number {
  const [tallestMm, titleMm, widestMm] = [118, 9, 235]
  const rowMm = tallestMm / predictions.length - titleMm
  return Math.round(Math.min(widestMm, Math.max(100, (columns * rowMm * widthMm) / heightMm)))
}

/** An empty cell keeps the columns where they are; the first panel carries the scale bar. */
function panel(
  { image, name }: Cell,
  kind: Kind,
  { widthMm, heightMm, marks, label }: SlicePicture,
  scaled: boolean,
): string {
  if (image === null) return '<div class="panel"></div>'
  const lengthMm = [100, 50, 20, 10, 5].find((mm) => mm < widthMm * 0.4) ?? 2
  const bar = scaled
    ? `<span class="scale" data-length="${lengthMm} mm" style="width:${((100 * lengthMm) / widthMm).toFixed(2)}%"></span>`
    : ''
  const coloured = kind === 'difference' || kind === 'uncertainty'
  const letters = coloured ? '' : `<i class="left">${marks.left}</i><i class="top">${marks.top}</i>`
  return `<div class="panel"><span class="name">${escapeHtml(name)}</span><div class="frame ${coloured ? 'coloured' : ''}" style="aspect-ratio:${widthMm.toFixed(2)}/${heightMm.toFixed(2)}"><img src="${image}" alt="${escapeHtml(`${name}, ${label}`)}">${letters}${bar}</div></div>`
}

/** The scores that are defined. */
function sliceWords(scores: SliceScores): string {
  const named = [
    ['MS-SSIM', scores.ms_ssim_2d, 3],
    ['SSIM', scores.ssim_2d, 3],
    ['MAE', scores.mae, 4],
    ['mean error', scores.mean_error, 4],
  ] as const
  return named
    .flatMap(([name, value, digits]) => (value === null ? [] : [`${name} ${shown(value, digits)}`]))
    .join(', ')
}
