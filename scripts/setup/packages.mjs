/** npm's part: node_modules as the lock file says, a Node that runs TypeScript, and `npx larmor`. */
import { chmodSync, existsSync, lstatSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Problem, project, run, say } from './ground.mjs'

const modules = join(project, 'node_modules')

/** Whether node_modules holds every package in the version of the lock file (optional ones may be left out). */
export function packagesFit() {
  const wanted = readPackages(join(project, 'package-lock.json'))
  const there = readPackages(join(modules, '.package-lock.json'))
  if (wanted === undefined || there === undefined) return false
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === '') return true
    return there[path] === undefined ? optional === true : there[path].version === version
  })
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages
  } catch {
    return undefined // no node_modules yet, or one that another tool made
  }
}

export function installPackages() {
  say('installing packages (npm ci) …')
  // Where npm called us it says where it is; the machine's own `npm` otherwise.
  const npm = process.env.npm_execpath
  const parameters = ['ci', '--include=dev', '--include=optional', '--ignore-scripts', '--no-audit', '--no-fund']
  const installed = npm?.endsWith('npm-cli.js')
    ? run(process.execPath, [npm, ...parameters], { cwd: project })
    : run('npm', parameters, { cwd: project })
  if (installed.ok) return
  throw new Problem({
    message: 'The packages could not be installed.',
    where: 'npm ci',
    found: installed.tail,
    expected: 'all packages of package-lock.json from the npm registry',
    fix: 'Check the network or the registry (npm config get registry), then run: npm run setup',
  })
}

/** `node` and `larmor` in node_modules/.bin, where npm has not put them. */
export function linkCommands() {
  const node = join(modules, '.bin', 'node')
  if (!existsSync(node)) {
    if (Number(process.versions.node.split('.')[0]) < 24) throw noNode()
    symlinkSync(process.execPath, node)
  }
  const command = join(modules, '.bin', 'larmor')
  const main = join(project, 'src', 'cli', 'main.ts')
  if (!existsSync(main)) return
  if (!isLink(command)) symlinkSync('../../src/cli/main.ts', command)
  if ((statSync(main).mode & 0o111) === 0) chmodSync(main, 0o755)
}

function isLink(path) {
  try {
    return lstatSync(path).isSymbolicLink()
  } catch {
    return false
  }
}

function noNode() {
  return new Problem({
    message: 'There is no Node that runs larmor on this kind of machine.',
    where: `${process.platform} ${process.arch}`,
    found: `Node ${process.versions.node}, and no packaged Node 24 for this platform`,
    expected: 'Node 24 or newer (Linux on x64 and arm64 get it from npm by themselves)',
    fix: 'Install Node 24 from https://nodejs.org and run again: npm run setup',
  })
}
