/**
 * Sets everything up: packages, libtorch, the addon. Idempotent; `npm run demo` and `npm test` call it first.
 *
 * Runs on any Node from 18 on and without node_modules, so it is plain JavaScript on Node's own modules.
 * Second run: reads the lock file and the addon's sources, finds that all is there, and ends (well under a second).
 * Exit code 0, also where no libtorch is to be had: then it says so, and what needs none works. 4: a person must help.
 *
 *   node scripts/setup.mjs [--fresh]     --fresh searches and builds again, whatever is there
 *   LARMOR_LIBTORCH=<folder>             this libtorch (it holds include/ and lib/) and no other
 *   LARMOR_LIBTORCH=debian | wheel       the distribution's libtorch-dev | the wheel of pip; 'none': no engine
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { addonFor, compilerThere, findCompiler, sourceKey } from './setup/addon.mjs'
import { installed as debianInstalled } from './setup/debian.mjs'
import { findLibtorch } from './setup/libtorch.mjs'
import { withLock } from './setup/lock.mjs'
import { installPackages, linkCommands, packagesFit } from './setup/packages.mjs'
import { makeFolder, Problem, projectCache, say, writeAtomic } from './setup/ground.mjs'

const engineFile = join(projectCache, 'engine.json')
const RETRY_AFTER_MS = 3_600_000

function main() {
  const fresh = process.argv.includes('--fresh')
  const wish = process.env.LARMOR_LIBTORCH ?? ''
  makeFolder(projectCache)
  if (fresh || !packagesFit() || !engineFits(readEngine(), wish)) {
    withLock(join(projectCache, 'setup.lock'), () => {
      if (!packagesFit()) installPackages()
      if (fresh || !engineFits(readEngine(), wish)) setUpEngine(wish, fresh)
    })
  }
  linkCommands()
  report(readEngine())
}

function readEngine() {
  try {
    return JSON.parse(readFileSync(engineFile, 'utf8'))
  } catch {
    return undefined // not there or damaged: made again
  }
}

/** Whether what an earlier run wrote still holds: same sources, same wish, and the files are there. */
function engineFits(engine, wish) {
  if (engine === undefined || engine.sources !== sourceKey() || engine.wish !== wish) return false
  if (engine.addon !== null)
    // The slow BLAS is looked for, and complained of, each time.
    return existsSync(engine.addon) && existsSync(engine.libtorch.folder) && engine.libtorch.blas !== 'reference'
  // No engine last time: search again once something was installed, and now and then for the network's sake.
  return wish === 'none' || (engine.onMachine === onMachine() && Date.now() - engine.searchedAtMs < RETRY_AFTER_MS)
}

/** What a person may have installed since the last search. */
function onMachine() {
  return `compiler ${compilerThere()?.path ?? 'none'}, libtorch-dev ${debianInstalled() ?? 'none'}`
}

function setUpEngine(wish, fresh) {
  const found = findLibtorch(wish, wish === 'none' ? {} : findCompiler(), (libtorch, compiler) =>
    addonFor(libtorch, compiler, fresh),
  )
  const about = { sources: sourceKey(), wish, searchedAtMs: Date.now(), onMachine: onMachine() }
  writeAtomic(engineFile, JSON.stringify({ schema: 'larmor/engine@1', ...about, ...found }, null, 2))
}

function report({ libtorch, missing }) {
  if (libtorch !== null) return say(`ready: libtorch ${libtorch.version} (${libtorch.origin})`)
  say(
    'ready, but without libtorch: synthesize, evaluate, import and convert work; training, registration and export do not.',
  )
  say(`  found: ${missing.message}`)
  say(`  to get it: ${missing.fix}`)
}

try {
  main()
} catch (error) {
  if (!(error instanceof Problem)) throw error
  for (const line of error.lines()) console.error(line)
  process.exitCode = 4
}
