/** What is used of the decoders, none of which has types of its own. A decoder's buffers are views into its heap. */
declare module '@cornerstonejs/codec-openjpeg/decodewasmjs' {
  const create: import('./wasm.ts').CreateModule<'J2KDecoder'>
  export default create
}
declare module '@cornerstonejs/codec-charls/decodewasmjs' {
  const create: import('./wasm.ts').CreateModule<'JpegLSDecoder'>
  export default create
}
declare module '@cornerstonejs/codec-openjph' {
  const create: import('./wasm.ts').CreateModule<'HTJ2KDecoder'>
  export default create
}
declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs' {
  const create: import('./wasm.ts').CreateModule<'JPEGDecoder'>
  export default create
}
