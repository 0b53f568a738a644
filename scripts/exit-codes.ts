/** Writes docs/exit-codes.md from the table of faults: `node scripts/exit-codes.ts`. A test holds the two together. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { FAULTS } from '../src/errors.ts'

export function exitCodesPage(): string {
  const rows = Object.entries(FAULTS).map(([kind, { exit, http }]) => `| \`${kind}\` | ${exit} | ${http} |`)
  return `# Exit codes and kinds of fault

What scripts can rely on: a code and a kind stay; the wording of a message may improve.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | a fault of ours: please report it |
| 2 | wrong usage |
| 3 | input refused: what, where, found, expected, what to do |
| 4 | the machine lacks something: disk, memory, libtorch, GPU |
| 5 | done for some, refused for others: the summary says which |
| 130 | interrupted: what was finished is kept |

With \`--json\` a refused command prints \`{"refused": [{kind, message, where, found, expected, fix}]}\` on standard output.

| kind | exit code | HTTP |
|---|---|---|
${rows.join('\n')}
`
}

if (import.meta.main) writeFileSync(fileURLToPath(new URL('../docs/exit-codes.md', import.meta.url)), exitCodesPage())
