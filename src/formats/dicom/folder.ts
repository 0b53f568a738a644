/** The many files of a series, written some at a time. */

/** Files that are flushed to the disk at one time: alone, each would wait for the disk by itself. */
const WRITTEN_TOGETHER = 32

/** Writes `count` files, some of them at a time; `write` is called with 0, 1, 2 … */
export async function writeTogether(count: number, write: (index: number) => Promise<void>): Promise<void> {
  for (let first = 0; first < count; first += WRITTEN_TOGETHER) {
    const last = Math.min(count, first + WRITTEN_TOGETHER)
    const written = await Promise.allSettled(Array.from({ length: last - first }, (_, n) => write(first + n)))
    for (const one of written) if (one.status === 'rejected') throw one.reason
  }
}
