#!/usr/bin/env node
/** Sets the process up, then lets the command line in (program.ts): nothing else may be loaded before. */
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

/** What is loaded is stripped of its types and compiled once, not at each start. Others can write to the default folder. */
const cache = join(import.meta.dirname, '../../node_modules/.cache/larmor')

/**
 * Begins again, as the same process, with memory in pages of 2 MiB: glibc reads that before the first line. Registration
 * maps a gigabyte, and each page of 4 kB costs 10 µs: 2 of 15 CPU seconds (LOG.md). `train` has its own process for it.
 */
function beginWithLargePages(): void {
  const { GLIBC_TUNABLES, NODE_COMPILE_CACHE = cache } = process.env
  if (process.platform !== 'linux' || GLIBC_TUNABLES !== undefined) return
  const environment = { ...process.env, GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1', NODE_COMPILE_CACHE }
  process.execve?.(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], environment)
}

// ONNX Runtime reads it when it loads; a worker that sets it changes a copy (synthesis/network.ts).
process.env['ORT_DISABLE_TELEMETRY'] = '1'
if (process.argv[2] === 'register') beginWithLargePages()
// Where it cannot be written nothing is kept.
enableCompileCache(cache)
await import('./program.ts')
