/** How an image was made, for the sidecar and for choosing among series; nothing here says whose it is. */
import { numbersIfAny, textOf, textsOf } from './attributes.ts'
import { itemsOf } from './frame.ts'
import type { DataSet } from './parse.ts'
import { transferSyntax } from './syntax.ts'
import type { TagName } from './tags.ts'

export type Acquisition = {
  manufacturer: string | undefined
  modelName: string | undefined
  protocolName: string | undefined
  sliceThicknessMm: number | undefined
  kvp: number | undefined
  kernel: string | undefined
  /** The agent's name, where one was given. */
  contrastAgent: string | undefined
  /** SE, IR, GR, EP, RM (PS3.3 C.8.3.1.1.1). */
  scanningSequence: readonly string[]
  sequenceVariant: readonly string[]
  /** FS is fat saturation (PS3.3 C.8.3.1). */
  scanOptions: readonly string[]
  sequenceName: string | undefined
  repetitionTimeMs: number | undefined
  echoTimeMs: number | undefined
  inversionTimeMs: number | undefined
  flipAngleDegrees: number | undefined
  fieldStrengthT: number | undefined
  /** Whether the pixel values differ from those of the scanner: by the transfer syntax, or by what the file says. */
  lossyCompression: boolean
}

export function acquisitionOf(dataSet: DataSet, transferSyntaxUid: string): Acquisition {
  return {
    manufacturer: textOf(dataSet, 'Manufacturer'),
    modelName: textOf(dataSet, 'ManufacturerModelName'),
    protocolName: textOf(dataSet, 'ProtocolName'),
    sliceThicknessMm: numberOrNothing(dataSet, 'SliceThickness'),
    kvp: numberOrNothing(dataSet, 'KVP'),
    kernel: textOf(dataSet, 'ConvolutionKernel'),
    contrastAgent: contrastAgentOf(dataSet),
    scanningSequence: scanningSequenceOf(dataSet),
    sequenceVariant: textsOf(dataSet, 'SequenceVariant'),
    scanOptions: scanOptionsOf(dataSet),
    sequenceName: textOf(dataSet, 'SequenceName') ?? textOf(dataSet, 'PulseSequenceName'),
    repetitionTimeMs: numberOrNothing(dataSet, 'RepetitionTime'),
    echoTimeMs: numberOrNothing(dataSet, 'EchoTime') ?? numberOrNothing(dataSet, 'EffectiveEchoTime'),
    inversionTimeMs: numberOrNothing(dataSet, 'InversionTime'),
    flipAngleDegrees: numberOrNothing(dataSet, 'FlipAngle'),
    fieldStrengthT: numberOrNothing(dataSet, 'MagneticFieldStrength'),
    lossyCompression: transferSyntax(transferSyntaxUid).lossy || textOf(dataSet, 'LossyImageCompression') === '01',
  }
}

/** An enhanced image names it by a code (PS3.3 C.7.6.4b); an agent without a name is one all the same. */
function contrastAgentOf(dataSet: DataSet): string | undefined {
  const named = textOf(dataSet, 'ContrastBolusAgent')
  const [coded] = itemsOf(dataSet, 'ContrastBolusAgentSequence')
  return named ?? (coded && (textOf(coded, 'CodeMeaning') ?? 'coded'))
}

/** In the words of a classic image: an enhanced one says SPIN, GRADIENT or BOTH (PS3.3 C.8.13.4). */
function scanningSequenceOf(dataSet: DataSet): string[] {
  const classic = textsOf(dataSet, 'ScanningSequence')
  if (classic.length > 0) return classic
  const enhanced = textOf(dataSet, 'EchoPulseSequence')
  return [
    ...(enhanced === 'SPIN' || enhanced === 'BOTH' ? ['SE'] : []),
    ...(enhanced === 'GRADIENT' || enhanced === 'BOTH' ? ['GR'] : []),
  ]
}

/** FS also where an enhanced image says that fat was suppressed (PS3.3 C.8.13.5.6, the MR Modifier macro). */
function scanOptionsOf(dataSet: DataSet): string[] {
  const suppressed = textOf(dataSet, 'SpectrallySelectedSuppression')?.includes('FAT') === true
  return [...textsOf(dataSet, 'ScanOptions'), ...(suppressed ? ['FS'] : [])]
}

/** These describe, they do not place or scale a voxel: what cannot be read is unknown, and no reason to refuse. */
function numberOrNothing(dataSet: DataSet, name: TagName): number | undefined {
  const numbers = numbersIfAny(dataSet, name)
  return numbers.length === 1 ? numbers[0] : undefined
}
