/** What `larmor train --dry-run` prints. */
import { LESS_MEMORY } from './advice.ts'
import type { Trial } from './trial.ts'

export function describeTrial(trial: Trial): { json: Record<string, unknown>; text: string } {
  const { config, measured, expected, availableBytes } = trial
  const { secondsPerStep, secondsPerValidationSlice, deviceMemoryBytes, threads } = measured
  const { batch } = config
  const settings = Object.entries(config).map(([key, value]) => row(key, value === null ? '–' : String(value)))
  const onDevice = deviceMemoryBytes === null ? [] : [row('GPU memory', `${size(deviceMemoryBytes)}, measured`)]
  const lines = [
    'Settings of the run, as config.json would hold them:',
    ...settings,
    '',
    `Expected, from ${measured.steps} steps on ${threads} ${threads === 1 ? 'thread' : 'threads'} that were thrown away:`,
    row('parameters', trial.parameters.toLocaleString('en')),
    row('steps', `${trial.steps} of ${batch} images, from ${trial.trainingSlices} training slices`),
    row('a step', `${secondsPerStep.toPrecision(3)} s, measured (${(batch / secondsPerStep).toPrecision(3)} images/s)`),
    row(
      'validation',
      `${trial.validations} times ${trial.validationSlices} slices of ${secondsPerValidationSlice.toPrecision(2)} s, measured`,
    ),
    row(
      'time',
      `${time(expected.seconds)}${config.minutes === null ? ', computed from these; writing checkpoints comes on top' : ', as set'}`,
    ),
    row('memory', `${size(expected.memoryBytes)}, the most that was measured; ${size(availableBytes)} are free here`),
    ...onDevice,
    row('slices', `${size(expected.storeBytes)}, mapped: held in memory as far as there is room`),
    row('checkpoint', `${size(expected.checkpointBytes)}, computed; the disk holds up to three at a time`),
    ...(expected.memoryBytes > availableBytes ? ['', `This does not fit. Try ${LESS_MEMORY}.`] : []),
    '',
    'Nothing was written.',
  ]
  return { json: { ...trial }, text: lines.join('\n') }
}

function row(name: string, text: string): string {
  return `  ${name.padEnd(18)} ${text}`
}

function size(bytes: number): string {
  if (bytes < 2 ** 20) return `${(bytes / 2 ** 10).toFixed(0)} KiB`
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(0)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`
}

function time(seconds: number): string {
  if (seconds < 90) return `${seconds.toFixed(0)} s`
  return seconds < 5400 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`
}
