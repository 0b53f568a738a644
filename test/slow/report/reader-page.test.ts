/** The reader study's page as a reader uses it: keys alone, in a real browser, over the DevTools protocol. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { dataUri, encodePng, findChromium, readerPage } from '../../../src/report/index.ts'

const chromium = await findChromium(process.env['PATH'] ?? '').catch(() => undefined)

/** Runs `expression` in the page and presses keys. */
async function openPage(path: string, folder: string) {
  const port = 9400 + (process.pid % 500)
  const root = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const child = spawn(
    chromium!,
    [
      '--headless',
      '--disable-gpu',
      ...root,
      `--remote-debugging-port=${port}`,
      `--user-data-dir=${folder}`,
      `file://${path}`,
    ],
    { stdio: 'ignore' },
  )
  let address: string | undefined
  for (let n = 0; n < 200 && address === undefined; n++) {
    await wait(250)
    const targets = await fetch(`http://127.0.0.1:${port}/json`).then(
      (answer) => answer.json() as Promise<{ type: string; url: string; webSocketDebuggerUrl: string }[]>,
      () => [],
    )
    address = targets.find(({ type, url }) => type === 'page' && url.startsWith('file:'))?.webSocketDebuggerUrl
  }
  const socket = new WebSocket(address!)
  await new Promise((open) => socket.addEventListener('open', open))
  const waiting = new Map<number, (result: unknown) => void>()
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id: number; result: unknown }
    waiting.get(id)?.(result)
  })
  let last = 0
  const send = async (method: string, params: Record<string, unknown>): Promise<unknown> =>
    new Promise((done) => {
      waiting.set(++last, done)
      socket.send(JSON.stringify({ id: last, method, params }))
    })
  return {
    async js(expression: string): Promise<unknown> {
      const answer = (await send('Runtime.evaluate', { expression, returnByValue: true })) as {
        result: { value: unknown }
      }
      return answer.result.value
    },
    async press(...keys: string[]): Promise<void> {
      for (const key of keys) {
        await send('Input.dispatchKeyEvent', { type: 'keyDown', key })
        await send('Input.dispatchKeyEvent', { type: 'keyUp', key })
      }
    },
    close(): void {
      socket.close()
      child.kill()
    },
  }
}

test.skipIf(chromium === undefined)(
  'a reader answers with keys, goes back, clears, comes back later, and saves what is complete',
  { timeout: 240_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'larmor-reader-page-'))
    const picture = `${dataUri(encodePng(2, 2, Uint8Array.of(0, 80, 160, 255), 1))}#1.5`
    const path = join(folder, 'page.html')
    await writeFile(
      path,
      readerPage(
        'study-1',
        ['aa', 'bb', 'cc'].map((item) => ({ item, picture })),
      ),
    )
    const page = await openPage(path, join(folder, 'profile'))
    const loaded = async (): Promise<void> => {
      while ((await page.js(`document.readyState === 'complete' && typeof csv === 'function'`)) !== true)
        await wait(200)
    }
    await loaded()
    const begin = `document.getElementById('reader').value = 'anna'; document.getElementById('who').requestSubmit()`
    await page.js(begin)
    await page.press('r', '4', '2', 'Enter', 's', '5', '3', 'ArrowLeft')
    expect(await page.js(`document.getElementById('count').textContent`)).toBe('1 of 3 · 2 answered')
    await page.press('Backspace', 's', '1', '1', 'Enter', 'Enter', 'r', '2')
    const rows = String(await page.js('csv()'))
      .trim()
      .split('\n')
    expect(rows.map((row) => row.split(',').slice(0, 6).join(','))).toEqual([
      'study,reader,item,answer,conspicuity,artefact',
      'study-1,anna,aa,synthetic,1,1',
      'study-1,anna,bb,synthetic,5,3',
    ])
    await page.js('location.reload()')
    await wait(1000)
    await loaded()
    await page.js(begin)
    expect(await page.js(`document.getElementById('count').textContent`)).toBe('3 of 3 · 2 answered')
    expect(await page.js(`getComputedStyle(document.getElementById('picture')).aspectRatio`)).toContain('0.66')
    page.close()
    await wait(500)
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  },
)
