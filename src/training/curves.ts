/** curves.svg: what metrics.jsonl says, for eyes. Drawn anew with each validation. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../files.ts'
import { curvesSvg, type Curve, type Panel } from '../report/index.ts'
import type { MetricsLine } from './journal.ts'
import { RUN_FILES } from './run-folder.ts'
import { METRICS } from './validation.ts'

type Named = { step: number; values: Record<string, number> }

export async function writeCurves(runDir: string): Promise<void> {
  const text = await readFile(join(runDir, RUN_FILES.metrics), 'utf8')
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as MetricsLine)
  await writeFileAtomic(join(runDir, RUN_FILES.curves), curvesSvg(panelsOf(lines), 'steps'))
}

/** Validation first; a panel a metric with the stage's other outputs beside it, then a panel a loss. */
function panelsOf(lines: readonly MetricsLine[]): Panel[] {
  const validations = lines.flatMap((line) => (line.at === 'validation' ? [line] : []))
  const steps = lines.flatMap((line) => (line.at === 'step' ? [line] : []))
  const scores = validations.map(({ step, scores }) => ({ step, values: scores }))
  const metrics = METRICS.filter((metric) => namesIn(scores).some((name) => isOf(metric, name)))
  const ofSteps = (of: 'losses' | 'watched'): Named[] => steps.map((line) => ({ step: line.step, values: line[of] }))
  const [losses, watched] = [ofSteps('losses'), ofSteps('watched')]
  const rates = steps.map(({ step, learningRate }) => ({ step, values: { learningRate } }))
  const speeds = steps.map(({ step, imagesPerSecond }) => ({ step, values: { imagesPerSecond } }))
  const memory = steps.map(({ step, memoryBytes }) => ({ step, values: { GiB: memoryBytes / 2 ** 30 } }))
  const alone = (title: string, from: readonly Named[], prefix = ''): Panel => ({
    title,
    curves: namesIn(from)
      .filter((name) => name.startsWith(prefix))
      .map((name) => curve(from, name)),
  })
  return [
    ...metrics.map((metric) => ({
      title: `validation ${metric}`,
      curves: namesIn(scores)
        .filter((name) => isOf(metric, name))
        .map((name) => ({ ...curve(scores, name), name: ofWhat(metric, name) })),
    })),
    ...namesIn(losses).map((name) => ({
      title: name === 'loss' ? 'the whole loss' : `loss ${name}`,
      curves: [curve(losses, name)],
    })),
    alone('critic, share of right patches', watched, 'accuracy'),
    alone('gradient norms', watched, 'gradientNorm'),
    alone('learning rate', rates),
    alone('images/s', speeds),
    alone('memory, GiB', memory),
  ]
}

/** A score is called single/ms_ssim_2d/mr_t1: of which output, what, of which sequence; the first and the last may be missing. */
function isOf(metric: string, name: string): boolean {
  return name.split('/').includes(metric)
}

function ofWhat(metric: string, name: string): string {
  const others = name.split('/').filter((part) => part !== metric)
  return others.length === 0 ? 'chosen by' : others.join(' ')
}

function namesIn(lines: readonly Named[]): string[] {
  return [...new Set(lines.flatMap(({ values }) => Object.keys(values)))]
}

function curve(lines: readonly Named[], name: string): Curve {
  const points = lines.flatMap(({ step, values }) => {
    const value = values[name]
    return value === undefined ? [] : [[step, value] as const]
  })
  return { name, points }
}
