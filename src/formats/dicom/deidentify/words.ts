/**
 * Descriptors with nothing left in them but words of the trade.
 *
 * A list of what may stay, never of what must go: a name, a number, a date or a place that is not foreseen does not pass.
 * A surname that is also a word of the trade passes as that word, among others of its kind.
 */

/** Sequences, planes, phases, bodies and structures (the last after AAPM TG-263), lower case. */
const TRADE = new Set(
  `ct mr mri mrt pet rt cbct dect ctac ax axial tra trans transverse transversal sag sagittal cor coronal obl oblique 3d 2d
  t1 t2 t1w t2w pd pdw flair stir tirm dwi adc trace swi dixon water fat inphase opp outphase fs fatsat spair spir tse fse se gre
  ge epi mprage space vibe lava cube vista tfe ffe spgr bravo haste trufi fiesta ciss b0 b50 b100 b500 b800 b1000 dti asl perf
  perfusion dynamic dyn tof angio mra cta venous arterial delayed native nativ plain non pre post contrast ce km gd gad gado
  gadolinium iodine with without mit ohne low high dose hd res iso isotropic thin thick slice slices recon bone soft tissue
  standard std kernel lung brain smooth sharp mar omar metal artifact artefact reduction scout localizer localiser topogram
  survey planning plan simulation sim treatment follow up baseline diagnostic screening routine series study protocol head
  neck face skull base cranium spine cervical thorax thoracic lumbar chest abdomen pelvis body whole shoulder mandible
  maxilla orbit orbits sinus sinuses paranasal nasopharynx oropharynx hypopharynx larynx pharynx oral cavity oralcavity tongue
  lip lips eye eyes lens lenses optic opticnerve opticnrv chiasm opticchiasm nerve nrv cochlea inner ear ears parotid parotids
  submandibular submand subman gland glands glnd thyroid glottis glottic supraglottic esophagus oesophagus trachea brainstem
  spinalcord spinal cord canal spinalcanal cerebellum cerebrum hippocampus pituitary temporal lobe carotid artery vein
  jugular node nodes lymph nodal level constrictor constrictors pharconst musc muscle cartilage arytenoid cricoid buccal
  mucosa teeth tooth bolus couch external skin mask patient left right bilateral ipsi contra lateral anterior posterior
  superior inferior medial sup inf ant l r lt rt bl upper lower gtv ctv ptv itv prv gtvp gtvn gtvt ctvp ctvn ctvt
  roi avoid avoidance ring opti opt boost primary tumor tumour mass lesion hypoxia necrosis oar target dose total sum
  synthetic smri phantom fused registered resampled mean max min average avg reformat reformatted mpr mip original
  derived small large field view fov coil supine prone hfs ffs`.split(/\s+/),
)
/** A measure with its unit: 3mm, 1.5T, 70Gy, 120kV. */
const MEASURE = /^\d{1,3}(?:[.,]\d{1,2})?(?:mm|cm|t|gy|cgy|kv|kvp)$/
/** A word that a number of up to two digits may follow, in it or after it: PTV70, Level 2, C3. */
const NUMBERED = /^(?:gtv|gtvp|gtvn|ctv|ctvp|ctvn|ptv|itv|roi|level|node)$/
const WORD_WITH_NUMBER = /^(?:gtv|gtvp|gtvn|ctv|ctvp|ctvn|ptv|itv|roi|level|node)\d{1,2}(?:gy)?$/

/** @returns the words that may stay, in their order; '' where none may */
export function cleanedDescriptor(text: string): string {
  const words = text.split(/[^\p{L}\p{N}.,]+/u).map((word) => word.replace(/^[.,]+|[.,]+$/g, ''))
  const kept: string[] = []
  let before = ''
  for (const word of words) {
    const lower = word.toLowerCase()
    const number = /^\d{1,2}$/.test(lower) && NUMBERED.test(before)
    if (number || TRADE.has(lower) || MEASURE.test(lower) || WORD_WITH_NUMBER.test(lower)) kept.push(word)
    before = lower
  }
  return kept.join(text.includes('_') && !text.includes(' ') ? '_' : ' ')
}
