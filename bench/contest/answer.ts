/** Our side of a contest: answers each line of standard input, one after the other. */
import { createInterface } from 'node:readline'

export function answerLines(name: string, answer: (request: unknown) => object | Promise<object>): void {
  console.log(JSON.stringify({ name }))
  let last: Promise<void> = Promise.resolve()
  createInterface({ input: process.stdin }).on('line', (line) => {
    last = last.then(async () => console.log(JSON.stringify(await answer(JSON.parse(line)))))
  })
}

/** Processor milliseconds of this process, all threads, from here to the call of what is returned. */
export function startClock(): () => number {
  const before = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
}
