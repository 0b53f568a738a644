/**
 * Reading a DICOM series into one .nii.gz: `larmor convert` and `larmor import` against dcm2niix, alternating in one run on the
 * same files, each as a process of its own; then a CT of 600 slices, for memory.
 *
 * Bars: at least half as fast by the clock as dcm2niix -z y, the same kind of output; 600 slices of 512² below 3 GiB. dcm2niix
 * at gzip level 1, which is ours, stands beside it.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installed } from '../test/formats/made.ts'
import { measured } from './import/measured.ts'
import type { Measured } from './import/measured.ts'
import { realSeries, writeCompressedTwin, writeMadeSeries, writePlainTwin } from './import/series.ts'

const ROUNDS = 3
const BAR = 0.5
const MAX_PEAK_MIB = 3 * 1024

const root = mkdtempSync(join(tmpdir(), 'larmor-bench-'))
const larmor = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))
let outputs = 0
/** Programs as [name, run]; each run writes into a folder of its own, which is then thrown away. */
const ours = (command: 'convert' | 'import') => (folder: string, output: string) =>
  measured(process.execPath, [
    larmor,
    command,
    folder,
    command === 'convert' ? '--output' : '--cohort',
    output,
    '--quiet',
  ])
const theirs =
  (...gzip: string[]) =>
  async (folder: string, output: string) => {
    mkdirSync(output)
    return measured('dcm2niix', [...gzip, '-b', 'y', '-o', output, folder])
  }

type Program = (folder: string, output: string) => Promise<Measured>
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

async function compare(folder: string, programs: Record<string, Program>) {
  const all = Object.fromEntries(Object.keys(programs).map((name) => [name, [] as Measured[]]))
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, run] of Object.entries(programs)) {
      const output = join(root, `o${++outputs}`)
      const taken = await run(folder, output).catch((error: unknown) => {
        if (name.startsWith('larmor')) throw error
        return undefined // it does not read this compression, or there is no such program
      })
      if (taken) all[name]!.push(taken)
      rmSync(output, { recursive: true, force: true })
    }
  const of = (name: string, what: keyof Measured): number => median(all[name]!.map((one) => one[what]))
  const finished = Object.keys(programs).filter((name) => all[name]!.length > 0)
  return finished.map((name) => ({
    name,
    wallMs: of(name, 'wallMs'),
    cpuMs: of(name, 'cpuMs'),
    peakMiB: Math.max(...all[name]!.map(({ peakMiB }) => peakMiB)),
  }))
}

function row(series: string, { name, wallMs, cpuMs, peakMiB }: Measured & { name: string }, more = ''): void {
  const columns = [`${(wallMs / 1000).toFixed(2)} s`, `${(cpuMs / 1000).toFixed(2)} s`, `${Math.round(peakMiB)} MiB`]
  console.log(`${series.padEnd(26)}${name.padEnd(22)}${columns.map((text) => text.padStart(10)).join('')}  ${more}`)
}

const ratios: Record<string, number> = {}
let missed = 0
function check(name: string, value: number, good: boolean): string {
  ratios[name] = Number(value.toFixed(3))
  if (!good) missed++
  return good ? '' : 'MISSES ITS BAR'
}

async function againstPeer(series: string, folder: string, commands: ('convert' | 'import')[]): Promise<void> {
  const peers = installed('dcm2niix')
    ? { 'dcm2niix -z i -1': theirs('-z', 'i', '-1'), 'dcm2niix -z y': theirs('-z', 'y') }
    : {}
  const own = Object.fromEntries(commands.map((command) => [`larmor ${command}`, ours(command)]))
  const rows = await compare(folder, { ...own, ...peers })
  const [peer, fast] = ['dcm2niix -z y', 'dcm2niix -z i -1'].map((name) => rows.find((one) => one.name === name))
  for (const one of rows) {
    if (!peer || !fast || !one.name.startsWith('larmor')) {
      row(series, one)
      continue
    }
    const key = `${series.replaceAll(/\W+/g, '_')}_${one.name.split(' ')[1]}`
    const of = (other: Measured, what: 'wallMs' | 'cpuMs'): number => other[what] / one[what]
    ratios[`${key}_cpu`] = Number(of(peer, 'cpuMs').toFixed(3))
    ratios[`${key}_cpu_level_1`] = Number(of(fast, 'cpuMs').toFixed(3))
    const verdict = check(`${key}_wall`, of(peer, 'wallMs'), of(peer, 'wallMs') >= BAR)
    const shares = `${of(peer, 'cpuMs').toFixed(2)} by processor time, ${of(fast, 'cpuMs').toFixed(2)} at gzip level 1`
    row(series, one, `${of(peer, 'wallMs').toFixed(2)} of the speed of -z y, ${shares} ${verdict}`)
  }
}

try {
  console.log(
    `${'series'.padEnd(26)}${'program'.padEnd(22)}${['wall', 'processor', 'peak'].map((text) => text.padStart(10)).join('')}`,
  )
  const real = realSeries(join(root, 'real')) ?? (await writeMadeSeries(join(root, 'made'), 100))
  await againstPeer(real.endsWith('made') ? '100 made slices' : 'pork CT, 103 slices', real, ['convert', 'import'])
  const plain = await writePlainTwin(real, join(root, 'plain'))
  for (const codec of ['rle', 'jpegLossless', 'jpegLs', 'jpeg2000'] as const)
    await againstPeer(`the same in ${codec}`, await writeCompressedTwin(plain, join(root, codec), codec), ['convert'])
  const large = await writeMadeSeries(join(root, 'large'), 600)
  const run = await ours('import')(large, join(root, 'cohort'))
  row(
    '600 slices of 512²',
    { name: 'larmor import', ...run },
    check('slices_600_peak_of_3_GiB', MAX_PEAK_MIB / run.peakMiB, run.peakMiB < MAX_PEAK_MIB),
  )
} finally {
  rmSync(root, { recursive: true, force: true })
}
console.log(JSON.stringify({ bench: 'import', ratios, machine: { cpu: cpus()[0]?.model, node: process.version } }))
process.exitCode = missed > 0 ? 1 : 0
