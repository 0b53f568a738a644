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
  seed: number
  threads: number
  device: 'cpu' | 'cuda'
}
