/** What a terminal shows, and what a log does. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { renderer } from '../../src/cli/render.ts'
import type { Event } from '../../src/progress.ts'

function drawnBy(isTTY: boolean, events: readonly Event[]): string {
  let text = ''
  const { report, end } = renderer({ write: (more) => (text += more), isTTY, columns: 60 }, { quiet: false })
  for (const event of events) report(event)
  end()
  return text
}
const step = (done: number): Event => ({ at: 'progress', task: 'making', done, of: 3, unit: 'slices' })

test('on a terminal a bar redraws its own line, is cut to the width, and ends before anything else is printed', () => {
  const text = drawnBy(true, [step(3), { ...step(3), task: 'x'.repeat(100) } as Event])
  assert.equal(text.split('\n').length, 2)
  assert.ok(text.endsWith('\n'))
  for (const line of text.trimEnd().split('\r\u001b[2K')) assert.ok(line.length < 60, line)
})

test('a note begins its own line and the bar is drawn again below it', () => {
  const text = drawnBy(true, [step(3), { at: 'note', message: 'seen' }, step(3)])
  const bar = '   ████████████████████ making: 3/3 slices'
  assert.equal(text, `${bar}\r\u001b[2K   seen\n${bar}\n`)
})

test('elsewhere each event is one line, without a control character', () => {
  const text = drawnBy(false, [step(3), { at: 'note', message: 'seen' }])
  assert.deepEqual(text.split('\n'), ['   ████████████████████ making: 3/3 slices', '   seen', ''])
})
