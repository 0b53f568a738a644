/** What other rooms use of commission/. */
export { commission, type CommissionOptions } from './commission.ts'
export type { Commission } from './record.ts'
