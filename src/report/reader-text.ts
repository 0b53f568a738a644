/** A reader study in a few lines for a terminal. */
import type { PairedTest, ReaderStudy, Summary, ToldApart } from '../evaluation/index.ts'
import { shown } from './text.ts'

export function readerStudyText({ readers, together, grades, comparisons, agreement }: ReaderStudy): string {
  return [
    'Real or synthetic (MR and sMRI; one half is a guess where there are as many of both)',
    ...readers.map(
      ({ reader, secondsMedian, ...own }) =>
        `  ${reader}: ${told(own)}, ${shown(secondsMedian, 1)} s a picture (median)`,
    ),
    ...(readers.length > 1 ? [`  all readers: ${told(together)}, interval over patients`] : []),
    'Grades, 1 worst to 5 best, mean over patients',
    ...grades.map(
      ({ kind, conspicuity, artefact }) => `  ${kind}: conspicuity ${grade(conspicuity)}, artefacts ${grade(artefact)}`,
    ),
    ...comparisons.map(
      ({ model, conspicuity, artefact }) =>
        `  ${model} against real MR: conspicuity ${tested(conspicuity)}; artefacts ${tested(artefact)}`,
    ),
    ...agreement.map(
      ({ readers: [a, b], pictures, answer, conspicuity, artefact }) =>
        `Agreement of ${a} and ${b} over ${pictures} pictures: kappa ${shown(answer, 2)} for real or synthetic, quadratic weighted kappa ${shown(conspicuity, 2)} for conspicuity, ${shown(artefact, 2)} for artefacts`,
    ),
  ].join('\n')
}

function told({ judged, right, accuracy, interval95, sensitivity, specificity }: ToldApart): string {
  const interval = interval95 ? ` [${shown(interval95[0], 2)}, ${shown(interval95[1], 2)}]` : ''
  return `${right} of ${judged} right, ${shown(accuracy, 2)}${interval}; synthetic called synthetic ${shown(sensitivity, 2)}, real called real ${shown(specificity, 2)}`
}

function grade({ mean, interval95 }: Summary): string {
  return `${shown(mean, 2)}${interval95 ? ` [${shown(interval95[0], 2)}, ${shown(interval95[1], 2)}]` : ''}`
}

function tested({ meanDifference, pValue, rankBiserial, patients }: PairedTest): string {
  const p =
    pValue === null
      ? 'no difference'
      : `p ${pValue < 0.001 ? '< 0.001' : pValue.toFixed(3)}, effect ${shown(rankBiserial, 2)}`
  return `${shown(meanDifference, 2)} (${p}, ${patients} ${patients === 1 ? 'patient' : 'patients'})`
}
