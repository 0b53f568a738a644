/** Names of structures: as a file name, and without what may name a person. */

import { cleanedDescriptor } from '../formats/index.ts'

/** File systems take 255 bytes. */
const MAX_NAME = 80

/** Letters, digits, '_', '-' and '.' of ASCII: accents are dropped, anything else becomes '_'. */
export function fileNameOf(name: string): string {
  const plain = name
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll('ß', 'ss')
    .replaceAll(/[^\w.-]+/g, '_')
    .replaceAll(/^[._-]+|[._-]+$/g, '')
  return plain.slice(0, MAX_NAME) || 'unnamed'
}

/**
 * What names of structures are made of, after the nomenclature of AAPM Task Group 263 and what hospitals write: with
 * --deidentify a name is kept if all its words are among these or those of the trade, since it is free text in which
 * anything may stand. One word left out of a name would be another structure, so none is.
 */
const WORDS = new Set(
  (
    'a adj airway arteries artery arytenoid as axilla bilateral bladder body bolus bone boost bowel brachialplexus brachial ' +
    'brain brainstem buccal buccalmucosa carotid carotids cavity cerebellum cerebrum chest chiasm cochlea combined cord ' +
    'constrictor couch cricopharyngeal cricopharyngeus ctv ctvn ctvp dental dens ear ears elective esophagus external eye ' +
    'eyes face glnd gland glottic glottis gtv gtvn gtvp heart high hippocampus hot hypopharynx inferior inner int ' +
    'intermediate itv jaw joint kidney l lacrimal larynx left lens lip lips liver low lung lungs lymph mandible mask ' +
    'mastoid maxilla med metal mid middle mm mucosa muscle musc n nasopharynx neck nerve node nodes nose oar oars oesophagus ' +
    'hirnstamm hyoid involved links lt mandibula medulla oculus orbit parotis rechts rt tonsil tonsils csf ' +
    'optic oral oralcavity oropharynx p palate parotid parotids pharynx pituitary pharynxconst post ' +
    'primary prv ptv ptvn ptvp r rectum retina right ring sg sib skin skull spinal spinalcanal spinalcord canal stomach ' +
    'sternum sub sublingual submand submandibular sup superior supraglottic support temporal tmj thyroid tissue tongue ' +
    'tooth teeth trachea tumor tumour upper lower vertebra vertebrae volume dose gy cm base opticchiasm opticnerve ' +
    'opticnrv opticnrve eyeball anterior posterior ant bones opt nrv lobe ventricle'
  ).split(' '),
)

/** The name where it is made of words that are known, and of numbers; else 'structure'. */
export function shownName(name: string): string {
  const words = name
    .replaceAll(/([a-z])(?=[A-Z])/g, '$1 ')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+|(?<=\p{L})(?=\p{N})|(?<=\p{N})(?=\p{L})/u)
    .filter((word) => word !== '')
  const known = words.every((word) => WORDS.has(word) || /^\d{1,4}$/.test(word) || cleanedDescriptor(word) !== '')
  return known && words.length > 0 ? name : 'structure'
}
