/**
 * Finds a libtorch, in this order: the one that LARMOR_LIBTORCH names; that of python3; a cached copy of the
 * wheel; the CPU wheel through pip; Debian's libtorch-dev, installed or to be installed. The first that the addon
 * builds with and loads is taken.
 */
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { aptCommand, aptInstall, blasOf, ensureFastBlas, installed as debianInstalled } from './debian.mjs'
import { cacheFolder, caches, makeAtomic, Problem, run, say, temporaryName } from './ground.mjs'

export const WHEEL = '2.13.0+cpu'
const DEBIAN_PACKAGES = ['g++', 'libtorch-dev', 'libopenblas0-openmp']

/**
 * @param wish  the value of LARMOR_LIBTORCH, '' where it is not set
 * @param compiler  { path, version } or { failed: why there is none }
 * @param build (libtorch, compiler) → { addon } or { failed: why }
 * @returns what engine.json keeps: { addon, libtorch, missing }
 */
export function findLibtorch(wish, compiler, build) {
  if (wish === 'none') return nothing(['LARMOR_LIBTORCH=none'])
  if (compiler.failed !== undefined) {
    if (wish !== '') throw noCompiler(compiler.failed)
    return nothing([compiler.failed]) // before anything is fetched in vain
  }
  const places = placesFor(wish)
  const failures = []
  for (const place of places) {
    const { libtorch, failed } = place()
    if (libtorch === undefined) {
      if (failed !== undefined) failures.push(failed)
      continue
    }
    const built = build(libtorch, compiler)
    if (built.addon !== undefined) return { addon: built.addon, libtorch: forEngineFile(libtorch), missing: null }
    say(`libtorch ${libtorch.version} (${libtorch.origin}) cannot be used: ${built.failed}`)
    failures.push(`${libtorch.origin}: ${built.failed}`)
  }
  if (wish !== '') throw notAsWished(wish, failures)
  return nothing(failures)
}

function placesFor(wish) {
  if (wish === '') return [ofPython, ofCache, ofWheel, ofDebian]
  if (wish === 'wheel') return [ofCache, ofWheel]
  if (wish === 'debian') return [ofDebian]
  return [() => ofFolder(resolve(wish), 'LARMOR_LIBTORCH')]
}

/** A folder laid out like the official zip, or like torch/ in a wheel. */
function ofFolder(root, origin) {
  const libtorch = { origin, folder: root, include: join(root, 'include'), lib: join(root, 'lib') }
  const lacks = ['include/ATen/core/dispatch/Dispatcher.h', 'lib/libtorch_cpu.so'].find(
    (file) => !existsSync(join(root, file)),
  )
  if (lacks !== undefined) return { failed: `${origin}: no ${lacks} in ${root}` }
  const cuda = existsSync(join(root, 'lib', 'libtorch_cuda.so'))
  return { libtorch: { ...libtorch, version: versionOf(libtorch.include), cuda, blas: 'of the wheel' } }
}

/** find_spec finds torch without importing it: 30 ms instead of 2 s, and no driver is touched. */
function ofPython() {
  const lines =
    'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")'
  const asked = run('python3', ['-c', lines])
  return asked.ok && asked.output !== ''
    ? ofFolder(asked.output, 'the torch of python3')
    : { failed: 'python3 has no torch' }
}

const cachedName = `libtorch-${WHEEL}`

function ofCache() {
  const root = caches.map((cache) => join(cache, cachedName)).find((folder) => existsSync(folder))
  return root === undefined ? {} : ofFolder(root, 'the CPU wheel')
}

/** A wheel is a zip: no Python is needed afterwards. '+cpu', since the plain Linux wheel is CUDA's, of several GB. */
function ofWheel() {
  const folder = cacheFolder('.')
  const [root, download] = [join(folder, cachedName), join(folder, temporaryName())]
  say(`fetching libtorch ${WHEEL} (pip, about 190 MB) …`)
  try {
    const fetched = fetchWheel(download)
    if (!fetched.ok) return { failed: `pip has no torch ${WHEEL} (${fetched.tail.slice(-160)})` }
    const unpacked = run('python3', ['-c', UNPACK, download, join(download, 'unpacked')])
    if (!unpacked.ok) return { failed: `unpacking the wheel: ${unpacked.tail}` }
    makeAtomic(root, (temporary) => renameSync(join(download, 'unpacked'), temporary))
    return ofFolder(root, 'the CPU wheel')
  } finally {
    rmSync(download, { recursive: true, force: true })
  }
}

function fetchWheel(folder) {
  const common = [
    '-m',
    'pip',
    'download',
    '--no-deps',
    '--retries',
    '0',
    '--timeout',
    '10',
    '--only-binary',
    ':all:',
    '-d',
    folder,
  ]
  const first = run('python3', [...common, `torch==${WHEEL}`])
  if (first.ok || first.tail.includes('No module named pip')) return first
  return run('python3', [...common, '--index-url', 'https://download.pytorch.org/whl/cpu', `torch==${WHEEL}`])
}

/** Only headers and the libraries that are needed to run: 500 MB of 750. */
const UNPACK = `
import glob, os, shutil, sys, zipfile
wheel = zipfile.ZipFile(glob.glob(os.path.join(sys.argv[1], "*.whl"))[0])
for name in wheel.namelist():
    wanted = name.startswith("torch/include/") or (name.startswith("torch/lib/lib") and "python" not in name and "_test" not in name and ".so" in name)
    if not wanted or name.endswith("/"): continue
    path = os.path.join(sys.argv[2], name[len("torch/"):])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with wheel.open(name) as source, open(path, "wb") as target: shutil.copyfileobj(source, target, 1 << 20)
`

function ofDebian() {
  const failed = debianInstalled() === undefined ? aptInstall(DEBIAN_PACKAGES) : undefined
  const folder = debianInstalled()
  if (folder === undefined) return { failed: `libtorch-dev: ${failed ?? 'not where it is expected'}` }
  ensureFastBlas(folder)
  const include = '/usr/include'
  const version = versionOf(include)
  return {
    libtorch: { origin: 'libtorch-dev', folder, include, lib: undefined, version, cuda: false, blas: blasOf(folder) },
  }
}

function versionOf(include) {
  const files = ['torch/headeronly/version.h', 'torch/csrc/api/include/torch/version.h'].map((file) =>
    join(include, file),
  )
  for (const file of files.filter((file) => existsSync(file))) {
    const text = readFileSync(file, 'utf8')
    const parts = ['MAJOR', 'MINOR', 'PATCH'].map(
      (part) => new RegExp(`#define TORCH_VERSION_${part} (\\d+)`).exec(text)?.[1],
    )
    if (parts.every((part) => part !== undefined)) return parts.join('.')
  }
  throw new Error(`no version in ${files.join(', ')}`)
}

function forEngineFile({ version, origin, folder, cuda, blas }) {
  return { version, origin, folder, cuda, blas }
}

function nothing(failures) {
  const fix = `${aptCommand(DEBIAN_PACKAGES)}   (Debian, Ubuntu), or: python3 -m pip install torch; then: npm run setup`
  return { addon: null, libtorch: null, missing: { message: failures.join('; '), fix } }
}

function noCompiler(found) {
  return new Problem({
    message: 'The addon cannot be built.',
    where: 'Looking for a C++ compiler ($CXX, g++, c++, clang++)',
    found,
    expected: 'one that knows C++17',
    fix: aptCommand(['g++']),
  })
}

function notAsWished(wish, failures) {
  return new Problem({
    message: 'The libtorch that was asked for cannot be used.',
    where: `LARMOR_LIBTORCH=${wish}`,
    found: failures.join('; ') || 'nothing',
    expected: "a folder with libtorch's include/ and lib/, or 'debian', 'wheel', 'none'",
    fix:
      wish === 'debian'
        ? aptCommand(DEBIAN_PACKAGES)
        : 'Correct the variable or leave it out (unset LARMOR_LIBTORCH), then run: npm run setup',
  })
}
