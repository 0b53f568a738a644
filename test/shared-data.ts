/** Where the shared test data are, if this checkout has them beside it: tests that need them skip with a reason. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The folder `../shared/data/<name>`, or undefined where a clone stands alone. */
export function sharedData(name: string): string | undefined {
  const path = fileURLToPath(new URL(`../../shared/data/${name}`, import.meta.url))
  return existsSync(path) ? path : undefined
}
