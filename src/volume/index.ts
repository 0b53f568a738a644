/** What other rooms use of volume/. */
export * from './deformation.ts'
export * from './frame.ts'
export * from './grid.ts'
export * from './intensity.ts'
export * from './mask.ts'
export * from './resample.ts'
export * from './smooth.ts'
export * from './volume.ts'
