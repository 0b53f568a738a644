export * from './unet.ts'
export * from './patch-critic.ts'
export * from './pix2pix.ts'
export * from './residual.ts'
export {
  denoised,
  initRefiner,
  refine,
  REFINER_DEFAULTS,
  refinerMultiple,
  refinerSpec,
  type RefinerOptions,
} from './refiner.ts'
export * from './refiner-training.ts'
export { tissueMeanAlone } from './tissue-mean.ts'
export * from './align.ts'
export { BANDS, bandsOf, bandSums, spectrumOf, whitePowers, wiener, type BandSums, type Spectrum } from './bands.ts'
