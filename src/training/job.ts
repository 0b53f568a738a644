/** What the command says: plain data, so that it crosses to another process. */
export type TrainJob = {
  stage: 'pix2pix' | 'diffusion'
  storeDir: string
  runDir: string
  /** For `diffusion`. */
  stage1Dir?: string | undefined
  preset?: 'paper' | 'best' | undefined
  settings: readonly string[]
  resume: boolean
  /** Of a new run. */
  seed: number
  /** As a person typed it; a run that goes on must have begun with it. */
  seedAsked?: number | undefined
  threads: number
  device: 'cpu' | 'cuda'
}
