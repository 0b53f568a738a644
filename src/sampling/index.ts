export { scaled } from './arithmetic.ts'
export {
  karrasSigmas,
  precondition,
  preconditioned,
  trainingSigma,
  type Denoiser,
  type Precondition,
  type RawNetwork,
} from './edm.ts'
export {
  oneStep,
  sampleDpmpp2m,
  sampleEuler,
  sampleHeun,
  sampleStochasticHeun,
  type Churn,
  type OnStep,
} from './samplers.ts'
