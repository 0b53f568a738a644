import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { fasterFormat, fasterPrecision, probeDevice, setThreads, threads } from '../../src/tensor/index.ts'

test('bfloat16 is chosen where it pays, and neither where it is refused nor where it is emulated', () => {
  expect(fasterPrecision({ float32: 10, channelsLast: 10, bfloat16: 320 })).toBe('float32') // no AVX512-BF16, no AMX
  expect(fasterPrecision({ float32: 10, channelsLast: 10, bfloat16: 9 })).toBe('float32') // a tenth is not worth it
  expect(fasterPrecision({ float32: 10, channelsLast: 10, bfloat16: 4 })).toBe('bfloat16')
  expect(fasterPrecision({ float32: 10, channelsLast: 10, bfloat16: null })).toBe('float32')
})

test('channels-last is chosen where it is clearly faster', () => {
  expect(fasterFormat({ float32: 10, channelsLast: 15, bfloat16: null })).toBe('contiguous')
  expect(fasterFormat({ float32: 10, channelsLast: 9.5, bfloat16: null })).toBe('contiguous')
  expect(fasterFormat({ float32: 10, channelsLast: 5, bfloat16: null })).toBe('channels_last')
})

test('the probe is brief, changes nothing, answers alike the second time, and never chooses an emulated bfloat16', () => {
  const before = threads()
  setThreads(1)
  const cpu = process.cpuUsage()
  const probe = probeDevice()
  const { user, system } = process.cpuUsage(cpu)
  expect((user + system) / 1e6).toBeLessThan(3) // half a second where nobody else is at work
  expect(probe.threads).toBe(1)
  expect(threads()).toBe(1)
  expect(probeDevice()).toBe(probe)
  setThreads(before)

  const flags = readFileSync('/proc/cpuinfo', 'utf8')
  if (!/avx512_bf16|amx_bf16|\bbf16\b/.test(flags)) expect(probe.precision).toBe('float32')
  expect(Math.min(probe.convolutionMs.float32, probe.convolutionMs.channelsLast)).toBeGreaterThan(0)
})
