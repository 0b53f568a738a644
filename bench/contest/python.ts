/** The python3 that has a peer: that of `npm run peers`, else the one in the path. */
import { spawnSync } from 'node:child_process'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Undefined where no python3 has the module. */
export function pythonWith(module: string): string | undefined {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const lines = `import importlib.util as u, sys; sys.exit(u.find_spec("${module}") is None)`
  return [join(cache, 'larmor', 'peers', 'bin', 'python'), 'python3'].find(
    (program) => spawnSync(program, ['-c', lines], { stdio: 'ignore' }).status === 0,
  )
}
