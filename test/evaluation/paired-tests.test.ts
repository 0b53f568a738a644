/**
 * Paired tests. Golden values: SciPy 1.17, `scipy.stats.wilcoxon` (method exact, and asymptotic without correction); with ties
 * all 2ⁿ signs counted out in NumPy; rank-biserial and Hodges–Lehmann by NumPy from their definitions.
 */
import { expect, test } from 'vitest'
import { holm, pairedTest } from '../../src/evaluation/index.ts'

test('ten patients without ties: exact p, effect and shift as SciPy and NumPy have them', () => {
  const found = pairedTest([0.021, -0.004, 0.013, 0.017, -0.009, 0.025, 0.031, 0.006, 0.011, -0.002])
  expect(found).toMatchObject({ patients: 10, zeros: 0, method: 'exact' })
  expect(found.pValue).toBeCloseTo(0.037109375, 12)
  expect(found.rankBiserial).toBeCloseTo(0.7454545454545455, 12)
  expect(found.shift).toBeCloseTo(0.011, 12)
  expect(found.meanDifference).toBeCloseTo(0.0109, 12)
})
test('ties share ranks and zeros are dropped: the p over all 512 signs', () => {
  const found = pairedTest([1, 1, -1, 2, 2, 3, -2, 0, 4, 2])
  expect(found).toMatchObject({ patients: 10, zeros: 1 })
  expect(found.pValue).toBeCloseTo(0.09375, 12)
  expect(found.rankBiserial).toBeCloseTo(2 / 3, 12)
  expect(found.shift).toBe(1.5)
})
test('beyond two hundred patients the normal approximation, ties in its variance, as SciPy has it', () => {
  const found = pairedTest(Array.from({ length: 240 }, (_, n) => Math.round((Math.sin(1.3 * n) + 0.25) * 100) / 100))
  expect(found.method).toBe('normal')
  expect(found.pValue! / 1.8118888985983078e-7).toBeCloseTo(1, 4)
  expect(found.rankBiserial).toBeCloseTo(0.3884508990318119, 9)
  expect(found.shift).toBeCloseTo(0.25, 9)
})
test('the other way round everything but p changes its sign', () => {
  const differences = [0.3, -0.1, 0.2, 0.5, 0.05]
  const [there, back] = [pairedTest(differences), pairedTest(differences.map((d) => -d))]
  expect(back.pValue).toBe(there.pValue)
  expect(back.rankBiserial).toBeCloseTo(-there.rankBiserial!, 12)
  expect(back.shift).toBeCloseTo(-there.shift!, 12)
})
test('five patients can never give p below 1/16, and no difference at all gives none', () => {
  expect(pairedTest([1, 2, 3, 4, 5]).pValue).toBe(1 / 16)
  expect(pairedTest([0, 0])).toMatchObject({ pValue: null, rankBiserial: null, shift: 0, method: null })
  expect(pairedTest([])).toMatchObject({ patients: 0, pValue: null, shift: null, meanDifference: null })
})
test('Holm multiplies the smallest by the count, never falls, never exceeds 1, and passes over what is not there', () => {
  // statsmodels' multipletests(method='holm') of 0.01, 0.04, 0.03: 0.03, 0.06, 0.06.
  expect(holm([0.01, 0.04, 0.03]).map((p) => Number(p!.toFixed(12)))).toEqual([0.03, 0.06, 0.06])
  expect(holm([0.6, null, 0.9])).toEqual([1, null, 1])
})
