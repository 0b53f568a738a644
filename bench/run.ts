/** `npm run bench -- <name>`: runs bench/<name>.ts, which prints a table and, as its last line, its ratios as JSON. */
import { readdirSync } from 'node:fs'

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
  .map((file) => file.slice(0, -'.ts'.length))
const name = process.argv[2]
if (name !== undefined && names.includes(name)) {
  await import(`./${name}.ts`)
} else {
  console.error(`npm run bench -- <name>, one of: ${names.join(', ')}`)
  process.exitCode = 2
}
