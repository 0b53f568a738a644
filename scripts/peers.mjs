/**
 * Installs the independent programs that tests and benches hold us against: `npm run peers`.
 *
 * With apt where this user may (root, or sudo that asks for no password), else it says the line to type. Python's peers
 * go through pip into an environment of their own in the cache, beside no other. Nothing of larmor needs any of them: a
 * test or bench that lacks one skips and says so. Exit code 0: all are here; 4: a person must help.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { hasApt } from './setup/debian.mjs'
import { cacheFolder, isRoot } from './setup/ground.mjs'
import { WHEEL } from './setup/libtorch.mjs'

/** Debian's package, the program by which it is recognised, and what it is asked for. */
const PEERS = [
  ['dcm2niix', 'dcm2niix', 'DICOM to NIfTI: voxels and place, and the time that takes'],
  ['plastimatch', 'plastimatch', 'contours to masks, DICOM and RTSTRUCT, registration'],
  ['dicom3tools', 'dciodvfy', "whether a DICOM object keeps the standard's rules"],
  ['orthanc', 'Orthanc', 'an archive that takes and returns what we write'],
  ['elastix', 'elastix', 'rigid and deformable registration'],
]

/** Orthanc lies in /usr/sbin, which is not in every user's path. */
const isHere = (program) =>
  spawnSync('sh', ['-c', `PATH="$PATH:/usr/sbin"; command -v ${program}`], { stdio: 'ignore' }).status === 0
const succeeds = (command) => spawnSync(command[0], command.slice(1), { stdio: 'inherit' }).status === 0

function prefix() {
  if (isRoot()) return []
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? ['sudo', '-n'] : undefined
}

/** The package lists may be empty or old, so a first failure asks for new ones. */
function install(packages, asRoot) {
  const apt = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get'] // sudo drops the caller's environment
  const wanted = [...apt, 'install', '--no-install-recommends', '-y', '-o', 'DPkg::Lock::Timeout=120', ...packages]
  return succeeds(wanted) || (succeeds([...apt, 'update']) && succeeds(wanted))
}

const lacking = () => PEERS.filter(([, program]) => !isHere(program)).map(([name]) => name)
const before = lacking()
const asRoot = hasApt() ? prefix() : undefined
if (before.length > 0 && asRoot !== undefined) install(before, asRoot)

/** Python's packages: the same libtorch and ONNX Runtime as ours, driven from Python. */
const PYTHON_PEERS = [
  ['torch', `torch==${WHEEL}`, 'training and operators'],
  ['onnxruntime', 'onnxruntime==1.30.0', 'synthesis'],
]
const environment = join(cacheFolder('.'), 'peers')
const python = join(environment, 'bin', 'python')
const imports = (module) => spawnSync(python, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0
const lackingInPython = () => PYTHON_PEERS.filter(([module]) => !imports(module))

/** The plain index has only CUDA's torch, so that of PyTorch is asked where pip does not know the CPU's. */
function installPython(wanted) {
  if (!existsSync(python) && !succeeds(['python3', '-m', 'venv', environment])) {
    rmSync(environment, { recursive: true, force: true })
    return
  }
  const pip = [python, '-m', 'pip', 'install', '--quiet', '--retries', '0', '--timeout', '10']
  const packages = wanted.map(([, requirement]) => requirement)
  if (succeeds([...pip, ...packages])) return
  succeeds([...pip, '--extra-index-url', 'https://download.pytorch.org/whl/cpu', ...packages])
}
const pythonBefore = lackingInPython()
if (pythonBefore.length > 0) installPython(pythonBefore)

const missing = lacking()
for (const [name, program, purpose] of PEERS) {
  const state = isHere(program) ? (before.includes(name) ? 'installed now' : 'here') : 'missing'
  console.log(`${name.padEnd(20)} ${state.padEnd(14)} ${purpose}`)
}
const missingInPython = lackingInPython()
for (const [module, , purpose] of PYTHON_PEERS) {
  const isIn = (list) => list.some(([name]) => name === module)
  const state = isIn(missingInPython) ? 'missing' : isIn(pythonBefore) ? 'installed now' : 'here'
  console.log(`${`python ${module}`.padEnd(20)} ${state.padEnd(14)} ${purpose}`)
}
if (missingInPython.length > 0) {
  const packages = missingInPython.map(([, requirement]) => requirement).join(' ')
  console.log(`\nto get the missing ones: ${environment}/bin/pip install ${packages}`)
  process.exitCode = 4
}
if (missing.length > 0) {
  console.log(`\nto get the missing ones: sudo apt-get install --no-install-recommends -y ${missing.join(' ')}`)
  if (!hasApt()) console.log('(there is no apt-get here: their names differ between distributions)')
  process.exitCode = 4
}
