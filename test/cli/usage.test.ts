/** What the command line answers to words that it does not understand, and which stream gets what. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, test } from 'vitest'
import { writeImage } from '../../src/formats/index.ts'
import { identityDirection } from '../../src/volume/index.ts'
import { centredGrid, sampledCt } from '../synthesis/phantom.ts'
import { modelFolder, weightedChannels } from '../synthesis/small-models.ts'
import { larmor } from './larmor.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'larmor-usage-'))
})
afterAll(() => rm(folder, { recursive: true }))

type Refusal = { kind: string; where: string; found: string; expected: string; fix: string }

/** The one refusal of a command that was refused as a whole; standard output must hold its JSON and nothing else. */
async function refusal(...args: string[]): Promise<Refusal & { code: number | null }> {
  const { code, stdout, stderr } = await larmor([...args, '--json'])
  const { refused } = JSON.parse(stdout) as { refused: Refusal[] }
  assert.equal(refused.length, 1)
  assert.match(stderr, /^Th.*\[[\w.]+\]\n {2}where .*\n {2}found .*\n {2}expected .*\n {2}to do .*\n$/)
  return { ...refused[0]!, code }
}

test('without a command the help goes to standard error and the exit code is 2', async () => {
  const { code, stdout, stderr } = await larmor([])
  assert.deepEqual([code, stdout], [2, ''])
  assert.match(stderr, /Usage: larmor/)
})

test('an unknown command, option or argument names what was typed, and what may have been meant', async () => {
  const cases: [string[], RegExp, RegExp][] = [
    [['imprt'], /'imprt'/, /^perhaps import$/],
    [['toString'], /'toString'/, /larmor --help/],
    [['plan', 'a', '--output', 'b', '--slice-sise', '3'], /'--slice-sise'/, /^perhaps --slice-size$/],
    [['doctor', 'twice'], /too many arguments/, /larmor doctor --help/],
    [['import'], /'source'/, /larmor import --help/],
  ]
  for (const [args, found, expected] of cases) {
    const got = await refusal(...args)
    assert.deepEqual([got.code, got.kind], [2, 'usage.wrong'], args.join(' '))
    assert.match(got.found, found)
    assert.match(got.expected, expected)
  }
})

test('every wrong value is named at once, as it was typed, with what would be right', async () => {
  const wrong = await refusal('import', 'x', '--seed', 'abc', '--threads', '0', '--device', 'gpu')
  assert.equal(wrong.code, 2)
  assert.equal(wrong.found, '--seed abc; --threads 0; --device gpu')
  assert.equal(wrong.expected, '--seed a number; --threads at least 1; --device cpu or cuda')
  assert.deepEqual(
    await Promise.all([refusal('import', 'x'), refusal('train', 'gan', 'store', '--run', 'r')]).then((each) =>
      each.map(({ found, expected }) => [found, expected]),
    ),
    [
      ['no --cohort', '--cohort <dir>'],
      ['<stage> gan', '<stage> pix2pix or diffusion'],
    ],
  )
})

test('a GPU is refused where a command computes on the CPU alone, instead of being passed over', async () => {
  const output = join(folder, 'none')
  const got = await refusal('phantom', '-n', '1', '--output', output, '--device', 'cuda')
  assert.deepEqual([got.code, got.kind], [4, 'machine.noCuda'])
  await assert.rejects(readdir(output))
})

test('the help of every command in the contract is there and offers --json, --quiet, --seed and --threads', async () => {
  const { code, stdout: listed } = await larmor(['--help'])
  assert.equal(code, 0)
  const names =
    'doctor import convert cohort register plan train runs export synthesize evaluate reader-study phantom demo'.split(
      ' ',
    )
  for (const name of names) assert.match(listed, new RegExp(`^ {2}${name} `, 'm'))
  for (const name of ['train', 'synthesize']) {
    const { code, stdout, stderr } = await larmor([name, '--help'])
    assert.deepEqual([code, stderr], [0, ''])
    for (const option of ['--json', '--quiet', '--seed', '--threads']) assert.ok(stdout.includes(option), option)
    assert.equal(stdout.includes('--device'), name === 'train', `--device of ${name}`)
  }
})

test('results go to standard output and progress to standard error, which --quiet empties', async () => {
  const ct = join(folder, 'ct.nii.gz')
  await writeImage(ct, sampledCt(centredGrid([48, 44, 12], [1.6, 1.6, 4], identityDirection, [12, -18, 30])))
  const model = modelFolder({ stage1: weightedChannels([0, 1, 0]), size: [48, 48] })
  const made = (output: string, ...more: string[]) =>
    larmor(['synthesize', ct, '--model', model, '--output', join(folder, output), ...more])
  const [talking, quiet, json] = [await made('a'), await made('b', '--quiet'), await made('c', '--json')]
  assert.deepEqual([talking.code, quiet.code, json.code], [0, 0, 0])
  assert.match(talking.stderr, /synthesis: 12\/12 slices/)
  assert.doesNotMatch(talking.stdout, /synthesis:|█/)
  assert.equal(quiet.stderr, '')
  assert.match(json.stderr, /synthesis: 12\/12 slices/)
  assert.equal(json.stdout.trimEnd().split('\n').length, 1)
  assert.equal((JSON.parse(json.stdout) as { done: unknown[] }).done.length, 1)
})

test('the runtime keeps no account of its use: nothing appears in the home folder', async () => {
  const [home, ct] = [join(folder, 'home'), join(folder, 'private.nii.gz')]
  await mkdir(home)
  await writeImage(ct, sampledCt(centredGrid([48, 44, 4], [1.6, 1.6, 4], identityDirection, [12, -18, 30])))
  const model = modelFolder({ stage1: weightedChannels([0, 1, 0]), size: [48, 48] })
  const words = ['synthesize', ct, '--model', model, '--output', join(folder, 'private')]
  const env = { HOME: home, XDG_CACHE_HOME: join(home, 'cache'), XDG_DATA_HOME: join(home, 'data') }
  assert.equal((await larmor(words, { env })).code, 0)
  assert.deepEqual(await readdir(home), [])
})

test.skipIf(process.platform !== 'linux')('a result that cannot be written is no success', () => {
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
  const { status, stderr } = spawnSync('bash', ['-c', `'${process.execPath}' '${main}' doctor --json > /dev/full`], {
    encoding: 'utf8',
  })
  assert.equal(status, 4)
  assert.match(stderr, /The disk is full/)
})
