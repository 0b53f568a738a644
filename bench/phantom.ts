/** CPU seconds of one virtual patient of the standard size, vertex to shoulders, against the bar of 20 on one core. */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { makePatients } from '../src/phantom/index.ts'
import type { SequenceName } from '../src/phantom/index.ts'
import { silent } from '../src/progress.ts'

const BAR_SECONDS = 20
const cases: Record<string, { sequences: SequenceName[]; contrast: boolean }> = {
  't1 t2': { sequences: ['t1', 't2'], contrast: false },
  't1 t1gd t2 t2fs contrast': { sequences: ['t1', 't1gd', 't2', 't2fs'], contrast: true },
}
const folder = mkdtempSync(join(tmpdir(), 'larmor-bench-phantom-'))
const ratios: Record<string, number> = {}
try {
  for (const [name, asked] of Object.entries(cases)) {
    const before = process.cpuUsage()
    await makePatients(
      {
        ...asked,
        patients: 1,
        jobs: 1,
        output: join(folder, name.replaceAll(' ', '-')),
        format: 'nifti',
        size: 'standard',
        kernel: 'soft',
        motion: 'clinical',
        seed: 1,
      },
      silent,
    )
    const { user, system } = process.cpuUsage(before)
    const seconds = (user + system) / 1e6
    ratios[name] = BAR_SECONDS / seconds
    console.log(`${name}: ${seconds.toFixed(1)} s CPU with compression and writing (bar ${BAR_SECONDS})`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(JSON.stringify({ bench: 'phantom', ratios, machine: { cpu: cpus()[0]!.model, cores: cpus().length } }))
