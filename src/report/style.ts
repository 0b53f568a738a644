/** The page's look: system fonts, figures that line up, light and dark by the reader's choice, always light on paper. */
export const style = `
:root { color-scheme: light dark; --page: #fff; --ink: #1c2126; --soft: #5d6770; --rule: #dfe3e6; --wash: #f5f6f7;
  --warn: #7a4b00; --warn-wash: #fdf5e6; --s0: #1f6fa8; --s1: #c2571a; --s2: #3f7f4a; --s3: #7d5ba6; --faint: #767f87; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --ink: #e3e6e8; --soft: #9aa4ac; --rule: #30363b; --wash: #1c2024;
  --warn: #f0c987; --warn-wash: #2b2316; --s0: #62aede; --s1: #ec935c; --s2: #7bbd86; --s3: #b396d8; --faint: #8c959c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 40px 28px 64px; }
.kicker { color: var(--soft); font-size: 12.5px; letter-spacing: .06em; margin: 0 0 6px; }
h1 { font-size: 29px; line-height: 1.2; font-weight: 600; letter-spacing: -.015em; margin: 0 0 6px; }
h2 { font-size: 19px; font-weight: 600; letter-spacing: -.01em; margin: 48px 0 4px; }
h2 + p { margin-top: 4px; }
p { margin: 10px 0; max-width: 76ch; }
.soft, figcaption { color: var(--soft); }
.notice { border-left: 3px solid var(--warn); background: var(--warn-wash); color: var(--warn); padding: 9px 14px; margin: 20px 0 0; font-size: 14px; max-width: none; }
.key { display: flex; flex-wrap: wrap; gap: 14px 44px; margin: 28px 0 0; padding: 0; list-style: none; }
.key b { display: block; font-size: 31px; line-height: 1.15; font-weight: 600; letter-spacing: -.02em; font-variant-numeric: tabular-nums; }
.key b small { font-size: 17px; font-weight: 400; color: var(--soft); letter-spacing: 0; }
.key span { color: var(--soft); font-size: 13px; }
table { border-collapse: collapse; width: 100%; margin: 14px 0 4px; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 6px 10px; border-bottom: 1px solid var(--rule); vertical-align: top; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
thead th { font-weight: 600; border-bottom: 1px solid var(--ink); vertical-align: bottom; }
tbody th { font-weight: 400; }
td small, th small { display: block; color: var(--soft); font-size: 12px; line-height: 1.4; font-weight: 400; }
.scroll { overflow-x: auto; } tr.model td small, tr.baseline td small { white-space: nowrap; }
table.wide { font-size: 13px; } .wide th, .wide td { padding: 5px 7px; } .wide thead th { font-size: 12.5px; white-space: nowrap; } .wide thead small { white-space: normal; } .wide thead small { font-size: 11px; }
tr.baseline th, tr.baseline td, th.baseline { color: var(--soft); } tr.baseline.first th, tr.baseline.first td { border-top: 1px solid var(--ink); }
tr.first th, tr.first td { border-top: 1px solid var(--rule); } th.group, td.group { border-left: 1px solid var(--rule); } thead th[colspan] { text-align: center; border-bottom: 1px solid var(--rule); }
td.words, th.words { text-align: left; }
dl.baselines { font-size: 12.5px; } dl.baselines dd { color: var(--soft); max-width: none; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 5px 20px; margin: 12px 0; font-size: 14px; }
dt { color: var(--soft); } dd { margin: 0; max-width: 72ch; }
code { font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, "Liberation Mono", monospace; overflow-wrap: anywhere; }
figure { margin: 22px 0; break-inside: avoid; }
figcaption { font-size: 13.5px; margin-bottom: 9px; font-variant-numeric: tabular-nums; }
figcaption b { color: var(--ink); font-weight: 600; }
.pictures { display: grid; gap: 10px 6px; align-items: end; }
.panel span.name { display: block; font-size: 12.5px; color: var(--soft); margin-bottom: 3px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.frame { position: relative; overflow: hidden; background: #000; border-radius: 2px; }
.frame.coloured { background: var(--wash); }
.frame img { display: block; width: 100%; height: 100%; }
.frame i { position: absolute; font: 600 11px/1 system-ui, sans-serif; color: #fff; opacity: .85; text-shadow: 0 0 3px #000; }
.frame i.left { left: 5px; top: calc(50% - 6px); } .frame i.top { top: 5px; left: calc(50% - 4px); }
.scale { position: absolute; left: 8px; bottom: 7px; height: 2px; background: #fff; box-shadow: 0 0 3px #000; }
.scale::after { content: attr(data-length); position: absolute; left: 0; bottom: 4px; font: 11px/1 system-ui, sans-serif; color: #fff; white-space: nowrap; text-shadow: 0 0 3px #000; }
.colour-bar { display: block; width: 100%; max-width: 230px; height: auto; } .colour-bar text { font-size: 11.5px; } .colour-bar .edge { fill: none; stroke: var(--soft); stroke-width: .7; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif; fill: var(--soft); font-variant-numeric: tabular-nums; }
svg text.row { fill: var(--ink); }
.plot { display: block; width: 100%; min-width: 620px; height: auto; margin: 14px 0 0; }
.plot .grid { stroke: var(--rule); }
.plot circle { fill: currentColor; opacity: .38; } .plot .box { fill: currentColor; fill-opacity: .12; stroke: currentColor; stroke-opacity: .75; }
.plot .median { stroke: currentColor; stroke-width: 2; } .plot .mean { fill: var(--page); stroke: currentColor; stroke-width: 1.5; }
.plot .interval { stroke: currentColor; stroke-width: 2.5; } .plot .estimate { fill: currentColor; } .plot .band { fill: var(--ink); opacity: .06; } .plot .published { stroke: var(--ink); stroke-dasharray: 4 4; }
.faint { color: var(--faint); } .faint text.row { fill: var(--soft); }
.series0 { color: var(--s0); } .series1 { color: var(--s1); } .series2 { color: var(--s2); } .series3 { color: var(--s3); }
.legend { font-size: 13px; color: var(--soft); }
footer { margin-top: 48px; padding-top: 14px; border-top: 1px solid var(--rule); font-size: 13px; color: var(--soft); }
@page { size: A4 landscape; margin: 12mm 12mm; }
@media print {
  :root { color-scheme: light; --page: #fff; --ink: #000; --soft: #444; --rule: #ccc; --wash: #f2f2f2; --warn: #5c3900; --warn-wash: #fff; --s0: #1f6fa8; --s1: #b44c10; --s2: #2f6d3a; --s3: #6a4894; --faint: #666; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; } h2, h2 + p { break-after: avoid; } h2 { margin-top: 28px; } .plot { break-inside: avoid; }
  .frame, .frame img, svg, .scale { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  tr, figure { break-inside: avoid; } .scroll { overflow: visible; } .plot { min-width: 0; } thead { display: table-header-group; }
  table { font-size: 8.5pt; } table.wide { font-size: 8pt; } .wide th, .wide td { padding: 3px 4px; } .wide thead th { font-size: 8pt; white-space: normal; } td small, th small, .wide thead small { font-size: 7pt; } p { max-width: none; break-inside: avoid; } .pictures { max-width: var(--on-paper, 235mm); } footer { break-before: avoid; margin-top: 20px; }
}
`
