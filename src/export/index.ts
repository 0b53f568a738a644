/** What other rooms use of export/. */
export { exportModel, type ExportOptions } from './export-model.ts'
