/** The known word that a misspelt one most likely meant: fewest edits (Levenshtein 1966), at most a third of its length. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const scored = known.map((other) => ({ other, edits: distance(word.toLowerCase(), other.toLowerCase()) }))
  const best = scored.toSorted((a, b) => a.edits - b.edits)[0]
  return best && best.edits <= Math.max(2, word.length / 3) ? best.other : undefined
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}
