/** The report on paper: a Chromium that is on this machine prints the very page, so both show the same. */
import { spawn } from 'node:child_process'
import { access, constants, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { LarmorError, throwIfAborted } from '../errors.ts'

const browsers = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']
/** A page of some hundred pictures is printed in seconds; a browser that hangs must not hold up the evaluation. */
const longestMs = 180_000

/**
 * Where a Chromium lies.
 * @param searchPath  folders, as in the environment's PATH
 * @throws machine.noChromium
 */
export async function findChromium(searchPath: string): Promise<string> {
  for (const folder of searchPath.split(delimiter).filter((each) => each !== ''))
    for (const name of browsers) {
      const path = join(folder, name)
      const runs = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
      if (runs) return path
    }
  throw noChromium('none of them in PATH')
}

/** Prints an HTML file; the PDF is there whole or not at all. @throws machine.noChromium, interrupted */
export async function printPdf(chromium: string, html: string, pdf: string, signal?: AbortSignal): Promise<void> {
  const profile = await mkdtemp(join(tmpdir(), 'larmor-print-'))
  const temporary = resolve(dirname(pdf), `.report-${process.pid}.pdf`)
  try {
    await run(
      chromium,
      [
        '--headless',
        '--disable-gpu',
        // As root, which containers are, a Chromium does not start with its sandbox; the page is our own and has no script.
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        `--user-data-dir=${profile}`,
        '--no-pdf-header-footer',
        `--print-to-pdf=${temporary}`,
        pathToFileURL(resolve(html)).href,
      ],
      signal,
    )
    await rename(temporary, pdf).catch((error: unknown) => {
      throw noChromium('a Chromium that ended without a PDF', error)
    })
  } finally {
    await rm(temporary, { force: true })
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function run(command: string, args: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((done, failed) => {
    const child = spawn(command, args, { stdio: 'ignore', timeout: longestMs, ...(signal ? { signal } : {}) })
    child.on('error', (error) => {
      if (signal?.aborted !== true) failed(noChromium('a Chromium that does not start', error))
      else done()
    })
    child.on('exit', () => done())
  })
  throwIfAborted(signal, 'Printing the report')
}

function noChromium(found: string, cause?: unknown): LarmorError {
  return new LarmorError(
    {
      kind: 'machine.noChromium',
      message: 'The report cannot be printed.',
      where: '--pdf',
      found,
      expected: browsers.join(', '),
      fix: 'Install Chromium, or leave --pdf away and print report.html from any browser.',
    },
    cause,
  )
}
