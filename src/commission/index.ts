/** What other rooms use of commission/. */
export { scoreName } from './compare.ts'
export { commission, type CommissionOptions } from './commission.ts'
export type { Commission } from './record.ts'
