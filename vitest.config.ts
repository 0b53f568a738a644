import { defineConfig } from 'vitest/config'

// One worker, since every test file that computes uses all cores itself. Slow tests run with `npm run test:slow`.
const slow = process.env['LARMOR_TEST'] === 'slow'

export default defineConfig({
  test: {
    include: [slow ? 'test/slow/**/*.test.ts' : 'test/**/*.test.ts'],
    exclude: slow ? [] : ['test/slow/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: slow ? 3_600_000 : 300_000,
    hookTimeout: 120_000,
    env: { MALLOC_ARENA_MAX: '1', OMP_WAIT_POLICY: 'passive' },
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text-summary', 'json-summary'] },
  },
})
