/** What other rooms use of report/. */
export { differencePixels, divergingColour, greyPixels, montage } from './colours.ts'
export { contactSheet } from './contact-sheet.ts'
export { htmlReport, syntheticNotice } from './html.ts'
export { ctWindowHu, takePictures } from './pictures.ts'
export type { Pictures, SlicePicture } from './pictures.ts'
export { dataUri, encodePng } from './png.ts'
export { meanMetrics, summaryText } from './summary-text.ts'
export { writeReport } from './write-report.ts'
