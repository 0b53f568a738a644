/** Many small pictures on one page with names at the rows and columns: one HTML file, no second file, prints well. */
import { dataUri, encodePng } from './png.ts'
import { style } from './style.ts'
import { escapeHtml } from './text.ts'

/** Grey pixels, row by row. */
export type SheetPicture = { readonly width: number; readonly height: number; readonly pixels: Uint8Array }
export type ContactSheet = {
  readonly title: string
  readonly lead: string
  readonly columns: readonly string[]
  readonly rows: readonly { readonly label: string; readonly pictures: readonly SheetPicture[] }[]
  readonly footer: string
}

/** The report's own look, wider, and black behind the pictures. */
const sheetStyle = `main { max-width: 1700px; } table.sheet { table-layout: fixed; } .sheet th, .sheet td { border: 0; padding: 3px; text-align: center; vertical-align: middle; }
.sheet th:first-child { width: 11em; text-align: left; font: 12.5px ui-monospace, SFMono-Regular, Menlo, monospace; } .sheet thead th { font-size: 12px; font-weight: 400; color: var(--soft); border: 0; }
.sheet img { display: block; width: 100%; background: #000; border-radius: 2px; print-color-adjust: exact; -webkit-print-color-adjust: exact; }`

export function contactSheet({ title, lead, columns, rows, footer }: ContactSheet): string {
  const head = columns.map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join('')
  const body = rows.map(({ label, pictures }) => {
    const cells = pictures.map((picture, n) => `<td>${imageTag(picture, `${label}, ${columns[n] ?? ''}`)}</td>`)
    return `<tr><th scope="row">${escapeHtml(label)}</th>${cells.join('')}</tr>`
  })
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · larmor</title><style>${style}${sheetStyle}</style></head>
<body><main><h1>${escapeHtml(title)}</h1><p>${escapeHtml(lead)}</p>
<table class="sheet"><thead><tr><th></th>${head}</tr></thead><tbody>${body.join('\n')}</tbody></table>
<footer>${escapeHtml(footer)}</footer></main></body></html>
`
}

function imageTag({ width, height, pixels }: SheetPicture, alt: string): string {
  const source = dataUri(encodePng(width, height, pixels, 1))
  return `<img src="${source}" width="${width}" height="${height}" alt="${escapeHtml(alt)}">`
}
