/** What other rooms use of formats/. */
export { readNifti, writeNifti } from './nifti/nifti.ts'
