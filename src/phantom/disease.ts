/**
 * Disease: site and stage of an oropharyngeal tumour and its nodes, drawn by T and N of the UICC's TNM (8th edition, p16−).
 *
 * Sizes are the greatest dimension in millimetres: T1 up to 20, T2 up to 40, T3 above, T4 invades what is beside it;
 * N0 none, N1 one up to 30 on the same side, N2b several there, N2c on both sides.
 */
import { stream } from '../random.ts'
import type { Random } from '../random.ts'

export type TumourSite = 'tonsil' | 'tongue base'
export type Tumour = {
  readonly site: TumourSite
  readonly side: 1 | -1
  readonly stage: 'T1' | 'T2' | 'T3' | 'T4'
  readonly sizeMm: number
}
export type InvolvedNode = {
  readonly level: NodeLevel
  readonly side: 1 | -1
  readonly sizeMm: number
  /** Share of its size that is necrotic. */
  readonly necrosis: number
}
export type Disease = {
  readonly tumour: Tumour
  readonly nodalStage: 'N0' | 'N1' | 'N2b' | 'N2c'
  readonly nodes: readonly InvolvedNode[]
}

const NODE_LEVELS = ['II', 'III', 'IV', 'Ib', 'retropharyngeal'] as const
export type NodeLevel = (typeof NODE_LEVELS)[number]

/** Shares and sizes of each stage; most patients who come to radiotherapy have T2 or T3. */
const T_STAGES = [
  { stage: 'T1', share: 0.2, low: 13, high: 20 },
  { stage: 'T2', share: 0.4, low: 21, high: 39 },
  { stage: 'T3', share: 0.25, low: 41, high: 48 },
  { stage: 'T4', share: 0.15, low: 36, high: 50 },
] as const
const N_STAGES = [
  { stage: 'N0', share: 0.2 },
  { stage: 'N1', share: 0.3 },
  { stage: 'N2b', share: 0.33 },
  { stage: 'N2c', share: 0.17 },
] as const

export function drawDisease(seed: number): Disease {
  const draw = stream(seed, 'phantom', 'disease')
  const { stage, low, high } = oneOf(T_STAGES, draw)
  const tumour: Tumour = {
    site: draw.uniform() < 0.6 ? 'tonsil' : 'tongue base',
    side: draw.uniform() < 0.5 ? 1 : -1,
    stage,
    sizeMm: draw.between(low, high),
  }
  const nodalStage = oneOf(N_STAGES, draw).stage
  return { tumour, nodalStage, nodes: nodesOf(nodalStage, tumour.side, draw) }
}

function nodesOf(stage: Disease['nodalStage'], side: 1 | -1, draw: Random): InvolvedNode[] {
  const node = (level: NodeLevel, on: 1 | -1, low: number, high: number): InvolvedNode => {
    const sizeMm = draw.between(low, high)
    return { level, side: on, sizeMm, necrosis: sizeMm > 17 && draw.uniform() < 0.6 ? draw.between(0.35, 0.65) : 0 }
  }
  if (stage === 'N0') return []
  if (stage === 'N1') return [node('II', side, 12, 28)]
  const further = NODE_LEVELS.slice(1).filter(() => draw.uniform() < 0.5)
  const same = ['II' as const, ...(further.length > 0 ? further : ['III' as const])].map((level) =>
    node(
      level,
      side,
      level === 'retropharyngeal' ? 8 : 11,
      level === 'II' ? 32 : level === 'retropharyngeal' ? 13 : 20,
    ),
  )
  return stage === 'N2b' ? same : [...same, node('II', side === 1 ? -1 : 1, 11, 20)]
}

function oneOf<T extends { readonly share: number }>(choices: readonly T[], draw: Random): T {
  let left = draw.uniform()
  for (const choice of choices) if ((left -= choice.share) < 0) return choice
  return choices.at(-1)!
}
