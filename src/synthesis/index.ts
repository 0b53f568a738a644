/** What other rooms use of synthesis/. */
export { INTENDED_USE, parseCard, type ModelCard, type SamplerSettings } from './card.ts'
export { requireCt } from './gate.ts'
export { openModel, type Model } from './model.ts'
export { openNetwork, type Array4, type Network } from './network.ts'
export { denoiserOf, frameOf, overSlices, sampleResiduals, type Mode, type Stack } from './refine.ts'
export { synthesizeMri, type Synthesis, type SynthesisOptions } from './synthesize.ts'
export { caseIds, synthesizeCases, type Cases, type CasesOptions } from './cases.ts'
export type { Format } from './output.ts'
