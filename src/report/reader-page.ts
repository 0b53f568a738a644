/**
 * The page of a reader study: one picture at a time, three questions, keys for all of it. One file without network.
 *
 * Answers are kept in the browser as they are given and saved as CSV at the end: study, reader, item, answer, conspicuity, artefact, seconds.
 * The script holds the items' random names and pictures, nothing else.
 */
import { escapeHtml } from './text.ts'

export const answerColumns = ['study', 'reader', 'item', 'answer', 'conspicuity', 'artefact', 'seconds'] as const

export type ShownItem = { readonly item: string; readonly picture: string }

export function readerPage(study: string, items: readonly ShownItem[]): string {
  const shown = items.map(({ item, picture }) => {
    const [source, ratio] = picture.split('#')
    return { item, source, ratio: Number(ratio ?? 1) }
  })
  const data = JSON.stringify({ study, columns: answerColumns, items: shown }).replaceAll('<', '\\u003c')
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Reader study ${escapeHtml(study)}</title><style>${style}</style></head>
<body><main>
<section id="start"><h1>Reader study</h1>
<p>You will see ${items.length} pictures of heads and necks, one at a time and in random order. Some are real images, some are synthetic: computed from another image. Judge each on its own.</p>
<dl><dt>Real or synthetic</dt><dd>Was this picture acquired by a scanner, or computed? Guess where you cannot tell.</dd>
<dt>Conspicuity</dt><dd>How well do soft tissues stand out from each other? 1 not at all · 2 poorly · 3 fairly · 4 well · 5 excellently</dd>
<dt>Artefacts</dt><dd>How free is it of artefacts, blur and implausible structures? 1 useless · 2 severe · 3 moderate · 4 slight · 5 none</dd>
<dt>Keys</dt><dd><kbd>R</kbd> real, <kbd>S</kbd> synthetic; <kbd>1</kbd>–<kbd>5</kbd> conspicuity, then <kbd>1</kbd>–<kbd>5</kbd> artefacts; <kbd>Enter</kbd> or <kbd>→</kbd> next, <kbd>←</kbd> back, <kbd>Backspace</kbd> clears the picture’s answers</dd></dl>
<p>Answers stay in this browser until you save them; you may stop and come back.</p>
<form id="who"><label>Your code (no name) <input id="reader" required maxlength="24" pattern="[A-Za-z0-9_\\-]+" autocomplete="off"></label> <button>Begin</button></form></section>
<section id="study" hidden><header><span id="count"></span><progress id="progress"></progress><button id="save" type="button">Save answers (CSV)</button></header>
<div id="stage"><img id="picture" alt="the picture to be judged" draggable="false"></div>
<form id="questions">
<fieldset data-question="answer"><legend>Real or synthetic</legend><label><input type="radio" name="answer" value="real"><span>Real <kbd>R</kbd></span></label><label><input type="radio" name="answer" value="synthetic"><span>Synthetic <kbd>S</kbd></span></label></fieldset>
${grades('conspicuity', 'Conspicuity', 'not at all', 'excellent')}
${grades('artefact', 'Artefacts', 'useless', 'none')}
<nav><button id="back" type="button">← Back</button><button id="next" type="button">Next →</button></nav></form></section>
<section id="end" hidden><h1>Thank you</h1><p id="left"></p><p><button id="saveEnd" type="button">Save answers (CSV)</button> <button id="again" type="button">Back to the pictures</button></p></section>
</main><script>const data = ${data}
${script}</script></body></html>
`
}

function grades(name: string, title: string, lowest: string, highest: string): string {
  const one = (grade: number): string =>
    `<label><input type="radio" name="${name}" value="${grade}"><span>${grade}</span></label>`
  return `<fieldset data-question="${name}"><legend>${title}</legend><small>${lowest}</small>${[1, 2, 3, 4, 5].map(one).join('')}<small>${highest}</small></fieldset>`
}

/** A dark reading room: one look for all, so that no reader has a brighter surround than another. */
const style = `
:root { color-scheme: dark; } * { box-sizing: border-box; }
body { margin: 0; background: #121416; color: #e3e6e8; font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif; }
main { max-width: 980px; margin: 0 auto; padding: 20px; } h1 { font-size: 26px; font-weight: 600; } #start, #end { max-width: 720px; padding-top: 24px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 20px; } dt { color: #9aa4ac; } dd { margin: 0; }
kbd { font: 12px ui-monospace, Menlo, "Liberation Mono", monospace; border: 1px solid #49525a; border-radius: 3px; padding: 0 5px; color: #b9c2c9; }
button, input { font: inherit; color: inherit; background: #22272b; border: 1px solid #49525a; border-radius: 5px; padding: 6px 14px; } button:hover { background: #2d3339; }
button:focus-visible, input:focus-visible, input:focus-visible + span { outline: 2px solid #62aede; outline-offset: 2px; }
header { display: flex; align-items: center; gap: 16px; margin-bottom: 12px; color: #9aa4ac; font-size: 14px; font-variant-numeric: tabular-nums; } header progress { flex: 1; height: 6px; accent-color: #62aede; } header button { font-size: 13px; padding: 3px 10px; }
#stage { display: flex; justify-content: center; align-items: center; background: #000; border-radius: 4px; height: min(62vh, 620px); } #picture { max-width: 100%; max-height: 100%; height: 100%; object-fit: fill; }
#questions { display: grid; grid-template-columns: auto 1fr 1fr; gap: 14px; margin-top: 14px; } fieldset { border: 1px solid #30363b; border-radius: 5px; padding: 4px 12px 10px; display: flex; align-items: center; gap: 5px; min-width: 0; }
fieldset.asked { border-color: #62aede; } legend { color: #9aa4ac; font-size: 13.5px; padding: 0 5px; } fieldset small { color: #9aa4ac; font-size: 11.5px; white-space: nowrap; }
label { cursor: pointer; } fieldset input { position: absolute; opacity: 0; } fieldset span { display: inline-block; border: 1px solid #49525a; border-radius: 5px; padding: 4px 10px; white-space: nowrap; } fieldset input:checked + span { background: #1f6fa8; border-color: #62aede; color: #fff; }
nav { grid-column: 1 / -1; display: flex; justify-content: space-between; } @media (max-width: 760px) { #questions { grid-template-columns: 1fr; } }
`

const script = `
'use strict'
const at = (id) => document.getElementById(id)
const questions = ['answer', 'conspicuity', 'artefact']
let reader = ''
let n = 0
let answers = {}
let shownAt = 0
const place = () => 'larmor-reader-study ' + data.study + ' ' + reader
const isDone = (given) => given && questions.every((name) => given[name])
const doneCount = () => data.items.filter(({ item }) => isDone(answers[item])).length

function show(section) { for (const id of ['start', 'study', 'end']) at(id).hidden = id !== section }
function keep() { try { localStorage.setItem(place(), JSON.stringify(answers)) } catch { /* a browser that keeps nothing still saves the CSV */ } }
function draw() {
  const { item, source, ratio } = data.items[n]
  const picture = at('picture')
  picture.onload = () => { picture.style.aspectRatio = String(picture.naturalWidth / (picture.naturalHeight * ratio)) }
  picture.src = source
  at('count').textContent = (n + 1) + ' of ' + data.items.length + ' · ' + doneCount() + ' answered'
  at('progress').max = data.items.length
  at('progress').value = doneCount()
  at('back').disabled = n === 0
  mark()
  shownAt = performance.now()
}
function mark() {
  const given = answers[data.items[n].item] ?? {}
  for (const input of document.querySelectorAll('#questions input')) input.checked = given[input.name] === input.value
  const asked = questions.find((name) => !given[name])
  for (const set of document.querySelectorAll('fieldset')) set.classList.toggle('asked', set.dataset.question === asked)
}
function give(name, value) {
  const { item } = data.items[n]
  const given = (answers[item] ??= { seconds: 0 })
  given[name] = value
  keep()
  mark()
}
function leave() {
  const given = answers[data.items[n].item]
  if (given) given.seconds = Math.round(10 * (given.seconds + (performance.now() - shownAt) / 1000)) / 10
  keep()
}
function go(step) {
  leave()
  if (n + step >= data.items.length) return finish()
  n = Math.max(0, n + step)
  draw()
}
function finish() {
  const left = data.items.length - doneCount()
  at('left').textContent = left === 0 ? 'All pictures are answered. Save the file and send it to whoever runs the study.' : left + ' pictures are not answered yet; what is answered can be saved now.'
  show('end')
}
function csv() {
  const rows = data.items.filter(({ item }) => isDone(answers[item])).map(({ item }) => {
    const { answer, conspicuity, artefact, seconds } = answers[item]
    return [data.study, reader, item, answer, conspicuity, artefact, seconds].join(',')
  })
  return [data.columns.join(','), ...rows].join('\\n') + '\\n'
}
function save() {
  leave()
  shownAt = performance.now()
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([csv()], { type: 'text/csv' }))
  link.download = 'reader-study-' + data.study + '-' + reader + '.csv'
  link.click()
}
at('who').addEventListener('submit', (event) => {
  event.preventDefault()
  reader = at('reader').value.trim()
  try { answers = JSON.parse(localStorage.getItem(place()) ?? '{}') } catch { answers = {} }
  n = Math.max(0, data.items.findIndex(({ item }) => !isDone(answers[item])))
  show('study')
  draw()
})
at('questions').addEventListener('change', ({ target }) => give(target.name, target.value))
at('next').addEventListener('click', () => go(1))
at('back').addEventListener('click', () => go(-1))
at('save').addEventListener('click', save)
at('saveEnd').addEventListener('click', save)
at('again').addEventListener('click', () => { show('study'); draw() })
document.addEventListener('keydown', (event) => {
  if (at('study').hidden || event.ctrlKey || event.metaKey || event.altKey) return
  const given = answers[data.items[n].item] ?? {}
  const key = event.key.toLowerCase()
  if (key === 'r') give('answer', 'real')
  else if (key === 's') give('answer', 'synthetic')
  else if (/^[1-5]$/.test(key)) give(given.conspicuity ? 'artefact' : 'conspicuity', key)
  else if (key === 'enter' || key === 'arrowright') go(1)
  else if (key === 'arrowleft') go(-1)
  else if (key === 'backspace') { delete answers[data.items[n].item]; keep(); mark() }
  else return
  event.preventDefault()
})
`
