/**
 * Builds native/ against a libtorch. The binary lies in the cache under libtorch's version and a hash of all that
 * went into it (sources, flags, compiler, library), so a change builds anew and an old checkout finds its own.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { aptInstall } from './debian.mjs'
import { cacheFolder, caches, project, run, say, temporaryName } from './ground.mjs'

const native = join(project, 'native')

/** A hash of the addon's sources: when it changes, the engine is set up again. */
export function sourceKey() {
  const hash = createHash('sha256')
  for (const file of readdirSync(native)
    .filter((name) => /\.(cc|h)$/.test(name))
    .sort())
    hash.update(readFileSync(join(native, file)))
  return hash.update(FLAGS.join(' ')).digest('hex').slice(0, 16)
}

const FLAGS = [
  '-std=c++17',
  '-O1', // the work is libtorch's: -O2 gains nothing measurable
  '-DNDEBUG',
  '-fPIC',
  '-shared',
  '-fvisibility=hidden',
  '-DNAPI_VERSION=8',
  '-DAT_PER_OPERATOR_HEADERS',
]

/** @returns { addon: path } or { failed: why } */
export function addonFor(libtorch, compiler, fresh) {
  const parameters = parametersFor(libtorch)
  const name = `larmor-${libtorch.version}-${buildKey(libtorch, compiler, parameters)}.node`
  const known = caches.map((cache) => join(cache, 'addon', name)).find((path) => existsSync(path))
  if (known !== undefined && !fresh) return { addon: known }

  say(`building the addon for libtorch ${libtorch.version} (${libtorch.origin}) …`)
  const folder = cacheFolder('addon')
  const temporary = join(folder, temporaryName())
  try {
    const compiled = run(compiler.path, [...parameters.compile, '-o', temporary, ...parameters.link])
    if (!compiled.ok) return { failed: `the compiler says: ${compiled.tail}` }
    const failed = whyNotLoadable(temporary)
    if (failed !== undefined) return { failed }
    renameSync(temporary, join(folder, name)) // only what loads gets the name by which it is found
    return { addon: join(folder, name) }
  } finally {
    rmSync(temporary, { force: true })
  }
}

function parametersFor({ include, lib, folder, cuda }) {
  const includes = [
    join(project, 'node_modules', 'node-api-headers', 'include'),
    include,
    join(include, 'torch/csrc/api/include'),
  ]
  // The compiler searches /usr/include by itself, and must do so in its own order.
  const named = includes.filter((each) => each !== '/usr/include').flatMap((each) => ['-isystem', each])
  const newStrings = readFileSync(join(folder, 'libc10.so'.replace(/^/, lib === undefined ? '' : 'lib/'))).includes(
    'NSt7__cxx11',
  )
  const compile = [...FLAGS, `-D_GLIBCXX_USE_CXX11_ABI=${newStrings ? 1 : 0}`, ...named, join(native, 'addon.cc')]
  const link = [
    ...(lib === undefined ? [] : [`-L${lib}`, `-Wl,-rpath,${lib}`]),
    // Operators register themselves when a library is loaded: keep those that no symbol refers to.
    '-Wl,--no-as-needed',
    '-ltorch',
    '-ltorch_cpu',
    '-lc10',
    ...(cuda ? ['-ltorch_cuda', '-lc10_cuda'] : []),
    '-Wl,-z,nodelete', // a worker that ends must not unload a library whose threads still run
  ]
  return { compile, link }
}

function buildKey({ version, folder, lib }, compiler, { compile, link }) {
  const library = statSync(join(lib ?? folder, 'libtorch_cpu.so'))
  const parts = [
    sourceKey(),
    version,
    library.size,
    library.mtimeMs,
    compiler.version,
    ...compile.filter((each) => !each.startsWith(project)),
    ...link,
  ]
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16)
}

/** $CXX, g++, c++ or clang++; g++ is installed where there is none and this user may. */
export function findCompiler() {
  const found = compilerThere()
  if (found !== undefined) return found
  const inTheWay = aptInstall(['g++'])
  return compilerThere() ?? { failed: `no C++ compiler (${inTheWay ?? 'g++ does not run'})` }
}

export function compilerThere() {
  for (const path of [process.env.CXX, 'g++', 'c++', 'clang++']) {
    const asked = path ? run(path, ['--version']) : { ok: false }
    if (asked.ok) return { path, version: asked.output.split('\n')[0] }
  }
  return undefined
}

/** Loads it in a process of its own: a missing library or another libc shows here, not in the middle of a training. */
function whyNotLoadable(addon) {
  const node = join(project, 'node_modules', '.bin', 'node')
  const load =
    'const m = { exports: {} }; process.dlopen(m, process.argv[1]); if (m.exports.find("add.Tensor") < 0) throw new Error("no operators")'
  const loaded = run(existsSync(node) ? node : process.execPath, ['-e', load, addon])
  return loaded.ok ? undefined : `it does not load: ${loaded.tail}`
}
