/** The distribution's part: compiler, libtorch-dev and a fast BLAS, installed where the user is root, else named. */
import { existsSync, realpathSync } from 'node:fs'
import { isRoot, run, say } from './ground.mjs'

const LIBRARY_FOLDERS = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib']

/** The folder with Debian's libtorch, if its headers are there too. */
export function installed() {
  if (!existsSync('/usr/include/ATen/core/dispatch/Dispatcher.h')) return undefined
  return LIBRARY_FOLDERS.find((folder) => existsSync(`${folder}/libtorch_cpu.so`))
}

export const hasApt = () => existsSync('/usr/bin/apt-get')

/** What to type to get these packages. */
export function aptCommand(packages) {
  const sudo = isRoot() ? '' : 'sudo '
  return `${sudo}apt-get install --no-install-recommends -y ${packages.join(' ')}`
}

/** Installs packages if this user may; returns what was in the way otherwise. */
export function aptInstall(packages) {
  if (!hasApt()) return 'no apt-get on this system'
  if (!isRoot()) return 'only root may install packages'
  say(`installing ${packages.join(', ')} (apt-get) …`)
  const install = () =>
    run('apt-get', ['install', '--no-install-recommends', '-y', '-o', 'DPkg::Lock::Timeout=120', ...packages], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
  if (install().ok) return undefined
  run('apt-get', ['update']) // the package lists may be empty or old
  const second = install()
  return second.ok ? undefined : `apt-get failed: ${second.tail}`
}

/**
 * Which BLAS Debian's libtorch runs on: 'reference' is the slow one that apt chooses by default, with which a
 * transposed convolution with its gradients takes 8 to 19 times as long as with OpenBLAS (LOG.md, "BLAS").
 */
export function blasOf(folder) {
  const link = `${folder}/libblas.so.3`
  if (!existsSync(link)) return 'unknown'
  const path = realpathSync(link)
  if (path.includes('openblas')) return 'openblas'
  return path.includes('/blas/') ? 'reference' : path.split('/').at(-2)
}

/** Puts OpenBLAS beside a libtorch that has only the reference BLAS, or says how. */
export function ensureFastBlas(folder) {
  if (blasOf(folder) !== 'reference') return
  aptInstall(['libopenblas0-openmp'])
  if (blasOf(folder) !== 'reference') return
  say('this libtorch runs on the reference BLAS, which makes training about 10 times as slow as it could be.')
  say(`  to get OpenBLAS: ${aptCommand(['libopenblas0-openmp'])}`)
  say(
    '  if it is installed already: sudo update-alternatives --auto libblas.so.3-$(dpkg-architecture -qDEB_HOST_MULTIARCH)',
  )
}
