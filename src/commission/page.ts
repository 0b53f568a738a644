/** The acceptance record as a page to read, print and sign. */
import { escapeHtml, shown, style, syntheticNotice } from '../report/index.ts'
import type { Commission, CommissionChanges, CommissionPatient, CommissionScore } from './record.ts'

export function commissionPage(record: Commission): string {
  const { model, cohort, createdAt, larmor, lookAt, scores, patients, changes } = record
  const list = (items: readonly string[]): string =>
    `<ul>${items.map((item) => `<li>${escapeHtml(item)}</li>`).join('')}</ul>`
  const ofSequence = scores.some(({ sequence }) => sequence !== undefined) ? '<th class="words">Sequence</th>' : ''
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Acceptance of ${escapeHtml(model.name)}</title><style>${style}</style></head><body><main>
<p class="kicker">Acceptance record</p>
<h1>${escapeHtml(model.name)}, version ${escapeHtml(model.version)}, on ${cohort.patients} patients of this site</h1>
<p class="soft">${escapeHtml(createdAt.slice(0, 16).replace('T', ' '))} UTC, larmor ${escapeHtml(larmor)}, mode ${escapeHtml(record.mode)}, seed ${record.seed}</p>
<p class="notice">${escapeHtml(syntheticNotice)}</p>
<h2>To look at before signing</h2>
${lookAt.length === 0 ? '<p>Nothing stood out: scores as the card says, no refusal, no caution.</p>' : list(lookAt)}
<h2>Scores against the model’s card</h2>
<p class="soft">Mean over patients with bootstrap 95 % intervals, inside body and MR field of view. They agree where the intervals meet.</p>
<table><thead><tr>${ofSequence}<th>Metric</th><th>This site</th><th>Card</th><th class="words">Verdict</th></tr></thead><tbody>
${scores.map(scoreRow).join('\n')}</tbody></table>
<h2>Patients</h2>
<p class="soft">Skin, air, bone: within how many mm of the CT’s surface 95 % of the sMRI’s patches of it lie; a dash where too few were seen. Slices: change from slice to slice over the CT’s. NMI: normalised mutual information in the body.</p>
<div class="scroll"><table class="wide"><thead><tr><th>Patient</th>${ofSequence}<th class="words">Gate</th><th>MS-SSIM (2-D)</th><th>MAE</th><th>Skin, mm</th><th>Air, mm</th><th>Bone, mm</th><th>Slices</th><th>NMI with CT</th><th class="words">Notes</th></tr></thead><tbody>
${patients
  .map(
    (each) =>
      `<tr><th>${escapeHtml(each.id)}</th>${sequenceCell(each)}<td class="words">${each.gate}</td><td>${shown(each.msSsim2d, 3)}</td><td>${shown(each.mae, 4)}</td><td>${shown(each.skinP95Mm, 2)}</td><td>${shown(each.airP95Mm, 2)}</td><td>${shown(each.boneP95Mm, 2)}</td><td>${shown(each.sliceChange, 2)}</td><td>${shown(each.nmiWithCt, 3)}</td><td class="words">${escapeHtml(notesOf(each) || '–')}</td></tr>`,
  )
  .join('\n')}</tbody></table></div>
<h2>Since the last record</h2>
${changes ? changesOf(changes) : '<p>This is the first record in this folder.</p>'}
<h2>What was used</h2>
<table><tbody>
<tr><th>Model (model.json)</th><td class="words"><code>${model.sha256}</code></td></tr>
<tr><th>Cohort (cohort.json)</th><td class="words"><code>${cohort.sha256}</code></td></tr>
<tr><th>Images</th><td class="words">${escapeHtml(record.images)}</td></tr>
<tr><th>Intended use</th><td class="words">${escapeHtml(record.intendedUse)}</td></tr>
</tbody></table>
<p style="margin-top:48px">Accepted by ______________________________ &nbsp; on ______________________</p>
</main></body></html>
`
}

const LABELS: Record<string, string> = {
  ms_ssim_2d: 'MS-SSIM (2-D)<small>higher is better</small>',
  mae: 'MAE<small>of the MR range; lower is better</small>',
}

function notesOf({ notes, notChecked }: CommissionPatient): string {
  return [...notes, ...notChecked.map((each) => `not checked, ${each}`)].join('; ')
}

/** Nothing where the model makes one. */
function sequenceCell({ sequence }: { sequence?: string | undefined }): string {
  return sequence === undefined ? '' : `<td class="words">${escapeHtml(sequence)}</td>`
}

function scoreRow({ name, sequence, site, card, verdict }: CommissionScore): string {
  const digits = name === 'mae' ? 4 : 3
  const interval = (of: [number, number] | null): string =>
    of ? `<small>${shown(of[0], digits)} … ${shown(of[1], digits)}</small>` : ''
  return `<tr>${sequenceCell({ sequence })}<th>${LABELS[name] ?? escapeHtml(name)}</th><td>${shown(site.mean, digits)}${interval(site.interval95)}</td><td>${shown(card?.value, digits)}${interval(card?.interval95 ?? null)}</td><td class="words">${verdict}</td></tr>`
}

function changesOf({ since, of, scores, gates, images }: CommissionChanges): string {
  const rows = scores.map(
    ({ name, sequence, before, now }) =>
      `<tr>${sequenceCell({ sequence })}<th>${LABELS[name] ?? escapeHtml(name)}</th><td>${shown(before, 4)}</td><td>${shown(now, 4)}</td></tr>`,
  )
  const size =
    images.largestPercent === null
      ? 'by how much is not known: the earlier images are gone'
      : `by ${shown(images.largestPercent, 3)} % of the scale on average at most`
  const constancy = `Of the images ${images.same} ${images.same === 1 ? 'has' : 'have'} the same voxels as before${images.different > 0 ? `, ${images.different} ${images.different === 1 ? 'differs' : 'differ'}, ${size}` : ''}.`
  return `<p>Against the record of ${escapeHtml(since.slice(0, 16).replace('T', ' '))} UTC. ${of.length === 0 ? 'Model, program and cohort are the same.' : `Changed: ${escapeHtml(of.join('; '))}.`} ${constancy}</p>
<table><thead><tr>${scores.some(({ sequence }) => sequence !== undefined) ? '<th class="words">Sequence</th>' : ''}<th>Metric</th><th>Before</th><th>Now</th></tr></thead><tbody>${rows.join('')}</tbody></table>
${gates.map(({ id, before, now }) => `<p>Gate of ${escapeHtml(id)}: ${before} before, ${now} now.</p>`).join('')}`
}
