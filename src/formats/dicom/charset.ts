/**
 * Text in the character sets of DICOM (PS3.3 C.12.1.1.2, PS3.5 section 6.1 and annexes H to K).
 *
 * Without code extensions one set holds for the whole value. With them (several values, 'ISO 2022 …') escape
 * sequences switch: G0 is what bytes below 0x80 mean, G1 what those from 0x80 on mean; delimiters reset both.
 */

/** The decoder of each set alone, as `TextDecoder` calls it; all of them read ASCII as ASCII. */
const SETS: Readonly<Record<string, string>> = {
  'ISO_IR 6': 'latin1',
  'ISO_IR 100': 'latin1',
  'ISO_IR 101': 'iso-8859-2',
  'ISO_IR 109': 'iso-8859-3',
  'ISO_IR 110': 'iso-8859-4',
  'ISO_IR 144': 'iso-8859-5',
  'ISO_IR 127': 'iso-8859-6',
  'ISO_IR 126': 'iso-8859-7',
  'ISO_IR 138': 'iso-8859-8',
  'ISO_IR 148': 'iso-8859-9',
  'ISO_IR 203': 'iso-8859-15',
  'ISO_IR 13': 'shift_jis',
  'ISO_IR 166': 'windows-874',
  'ISO_IR 192': 'utf-8',
  GB18030: 'gb18030',
  GBK: 'gbk',
}

type Two = 'jis-x-0208' | 'jis-x-0212'
/** What an escape sequence (without its ESC) switches to: PS3.3 tables C.12-3 and C.12-4. */
const ESCAPES: readonly (readonly [sequence: string, to: { g0: 'ascii' | Two } | { g1: string }])[] = [
  ['(B', { g0: 'ascii' }],
  ['(J', { g0: 'ascii' }], // JIS X 0201 romaji: yen and overline for backslash and tilde
  ['$B', { g0: 'jis-x-0208' }],
  ['$(D', { g0: 'jis-x-0212' }],
  [')I', { g1: 'shift_jis' }],
  ['$)C', { g1: 'euc-kr' }],
  ['$)A', { g1: 'gbk' }],
  ['-A', { g1: 'latin1' }],
  ['-B', { g1: 'iso-8859-2' }],
  ['-C', { g1: 'iso-8859-3' }],
  ['-D', { g1: 'iso-8859-4' }],
  ['-L', { g1: 'iso-8859-5' }],
  ['-G', { g1: 'iso-8859-6' }],
  ['-F', { g1: 'iso-8859-7' }],
  ['-H', { g1: 'iso-8859-8' }],
  ['-M', { g1: 'iso-8859-9' }],
  ['-b', { g1: 'iso-8859-15' }],
  ['-T', { g1: 'windows-874' }],
]
const ESC = 0x1b
/** Tab, line feed, form feed, carriage return; backslash, caret and equals sign (PS3.5 section 6.1.2.5.3). */
const DELIMITERS = new Set([0x09, 0x0a, 0x0c, 0x0d, 0x5c, 0x5e, 0x3d])

/**
 * @param sets  the values of Specific Character Set; none means ASCII. What is not known is read as Latin-1.
 */
export function decodeText(bytes: Uint8Array, sets: readonly string[]): string {
  const initial = SETS[(sets[0] || 'ISO_IR 6').replace('ISO 2022 IR', 'ISO_IR')] ?? 'latin1'
  const extended = sets.length > 1 || (sets[0] ?? '').startsWith('ISO 2022')
  return extended && bytes.includes(ESC) ? decodeExtended(bytes, initial) : decoded(bytes, initial)
}

/** Not by a pattern with an end mark, which is tried at each blank of a long run: quadratic. */
export function withoutPadding(text: string): string {
  return text.replaceAll('\0', '').trim()
}

function decodeExtended(bytes: Uint8Array, initial: string): string {
  let text = ''
  let g0: 'ascii' | Two = 'ascii'
  let g1 = initial
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] === ESC) {
      const [sequence, to] = escapeAt(bytes, at + 1)
      at += 1 + sequence.length
      if ('g0' in to) g0 = to.g0
      if ('g1' in to) g1 = to.g1
      continue
    }
    const end = endOfRun(bytes, at, g0)
    const run = bytes.subarray(at, end)
    text += g0 === 'ascii' ? decoded(run, g1) : decoded(asEucJp(run, g0), 'euc-jp')
    if (g0 === 'ascii' && DELIMITERS.has(run.at(-1)!)) g1 = initial
    at = end
  }
  return text
}

/** A run ends before an escape and, where bytes are single characters, after a delimiter. */
function endOfRun(bytes: Uint8Array, at: number, g0: 'ascii' | Two): number {
  let end = at + 1
  while (end < bytes.length && bytes[end] !== ESC) {
    if (g0 === 'ascii' && DELIMITERS.has(bytes[end - 1]!)) return end
    end++
  }
  return end
}

/** An unknown sequence is passed over as one byte, so that what follows is still seen. */
function escapeAt(bytes: Uint8Array, at: number): (typeof ESCAPES)[number] {
  const ahead = String.fromCharCode(...bytes.subarray(at, at + 3))
  return ESCAPES.find(([sequence]) => ahead.startsWith(sequence)) ?? ['', { g0: 'ascii' }]
}

/** The same two-byte codes in EUC-JP: upper bits set, and 0x8F before those of JIS X 0212. */
function asEucJp(run: Uint8Array, set: Two): Uint8Array {
  const out: number[] = []
  for (let n = 0; n < run.length; n++) {
    const byte = run[n]!
    if (byte < 0x21) out.push(byte)
    else {
      if (set === 'jis-x-0212') out.push(0x8f)
      out.push(byte | 0x80, (run[++n] ?? 0) | 0x80)
    }
  }
  return Uint8Array.from(out)
}

function decoded(bytes: Uint8Array, label: string): string {
  if (label === 'latin1') return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  return new TextDecoder(label).decode(bytes)
}
