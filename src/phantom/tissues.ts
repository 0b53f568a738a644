/**
 * Tissues: what CT and MR see of each, at 120 kV and at 3 T.
 *
 * Units       HU; T1 and T2 in milliseconds; proton density relative to water, counting only what gives a signal
 *             (blood that flows leaves the slice between excitation and echo: a flow void, so little is counted).
 * T1, T2      [S] Stanisz et al., Magn Reson Med 54:507 (2005): cord, muscle, cartilage, blood.
 *             [W] Wansapura et al., J Magn Reson Imaging 9:531 (1999): grey and white matter.
 *             [B] de Bazelaire et al., Radiology 230:652 (2004): subcutaneous fat, vertebral marrow.
 *             [Z] Bojorquez et al., Magn Reson Imaging 35:69 (2017): a review whose ranges hold every number here that
 *                 it lists; it gives fat a T2 of 41 to 371 ms, and we take 120 because a train of echoes keeps fat
 *                 bright (J coupling), which a single-echo T2 of 68 ms would not.
 *             [–] no measurement at hand: set between neighbours so that the picture has the contrast that readers know
 *                 (glands between muscle and fat, tumour and lymphoid tissue bright on T2 and near muscle on T1).
 * Texture     standard deviations about the tissue's mean of three random fields of the patient (coarse blobs, fine
 *             grain, fibres), for CT in HU and for MR as a fraction of the signal. Most of MR's has no CT counterpart.
 */

export type Tissue = {
  readonly hu: number
  readonly t1Ms: number
  readonly t2Ms: number
  readonly protonDensity: number
  /** HU per unit of the coarse, fine and fibre fields. */
  readonly ctTexture: Vec
  /** Fraction of the MR signal per unit of the coarse, fine and fibre fields. */
  readonly mrTexture: Vec
}
type Vec = readonly [coarse: number, fine: number, fibre: number]

const none: Vec = [0, 0, 0]
const t = (
  hu: number,
  t1Ms: number,
  t2Ms: number,
  protonDensity: number,
  ctTexture: Vec = none,
  mrTexture: Vec = none,
): Tissue => ({ hu, t1Ms, t2Ms, protonDensity, ctTexture, mrTexture })

export const TISSUES = {
  air: t(-1000, 1000, 1, 0),
  skin: t(10, 900, 40, 0.7, [4, 4, 0], [0.05, 0.08, 0]),
  fat: t(-102, 382, 120, 0.9, [4, 3, 0], [0.11, 0.07, 0.03]), // [B] T1
  fascia: t(-10, 800, 35, 0.55, [4, 6, 0], [0.05, 0.1, 0]),
  muscle: t(56, 1412, 50, 0.8, [2, 1.5, 2], [0.16, 0.05, 0.17]), // [S]
  tongueMuscle: t(50, 1250, 58, 0.82, [3, 2, 4], [0.14, 0.06, 0.22]), // more fat between its fibres [–]
  mucosa: t(38, 1500, 85, 0.88, [2, 3, 0], [0.06, 0.08, 0]), // [–]
  lymphoid: t(46, 1500, 95, 0.86, [2, 2, 0], [0.06, 0.06, 0]), // [–]
  node: t(42, 1300, 88, 0.85, [2, 2, 0], [0.05, 0.06, 0]), // [–]
  involvedNode: t(40, 1500, 105, 0.88, [3, 3, 0], [0.14, 0.1, 0]), // [–]
  tumour: t(50, 1480, 98, 0.87, [3, 2, 0], [0.12, 0.1, 0]), // [–]
  necrosis: t(34, 2400, 190, 0.94, [3, 2, 0], [0.1, 0.06, 0]), // [–]
  parotid: t(-2, 800, 72, 0.87, [5, 6, 0], [0.08, 0.12, 0]), // lobules in fat [–]
  submandibular: t(38, 1100, 78, 0.86, [3, 5, 0], [0.06, 0.1, 0]), // [–]
  thyroid: t(105, 1250, 82, 0.85, [8, 5, 0], [0.08, 0.06, 0]), // iodine shows on CT only [–]
  arteryBlood: t(42, 1932, 275, 0.04, [1, 0, 0], [0.2, 0.2, 0]), // [S] times; flow void
  veinBlood: t(44, 1932, 150, 0.35, [1, 0, 0], [0.35, 0.1, 0]), // slow flow: part of the signal
  cartilage: t(95, 1168, 30, 0.65, [45, 45, 0], [0.12, 0.12, 0]), // [S] T1; ossified in patches
  discFibres: t(85, 1150, 60, 0.75, [5, 4, 0], [0.05, 0.06, 0]), // [–]
  cortical: t(1350, 500, 0.5, 0.1, [80, 60, 0]),
  compactBone: t(950, 500, 0.8, 0.1, [90, 60, 0]),
  trabecular: t(230, 586, 60, 0.55, [50, 45, 0], [0.12, 0.14, 0]), // [B] marrow
  skullMarrow: t(520, 480, 62, 0.55, [70, 70, 0], [0.18, 0.16, 0]), // [B], more fat
  jawMarrow: t(260, 430, 80, 0.62, [45, 40, 0], [0.16, 0.16, 0]), // yellow marrow [–]
  dentine: t(1750, 500, 0.3, 0.05, [60, 60, 0]),
  enamel: t(2600, 500, 0.1, 0.02),
  metal: t(3071, 500, 0.1, 0),
  csf: t(6, 4000, 900, 1, [1, 0, 0], [0.03, 0, 0]), // [Z] T1
  greyMatter: t(38, 1331, 110, 0.86, [1, 1, 0], [0.03, 0.03, 0]), // [W]
  whiteMatter: t(31, 832, 80, 0.74, [1, 1, 0], [0.03, 0.02, 0]), // [W]
  deepGrey: t(38, 1080, 84, 0.82, [1, 1, 0], [0.03, 0.03, 0]), // between the two [–]
  cord: t(36, 993, 78, 0.75, [1, 1, 0], [0.03, 0.03, 0.05]), // [S]
  dura: t(60, 900, 30, 0.4),
  vitreous: t(8, 4000, 800, 0.98), // as CSF
  lens: t(85, 1200, 25, 0.6), // [–]
  sclera: t(60, 1100, 45, 0.6), // [–]
} as const satisfies Record<string, Tissue>

export type TissueName = keyof typeof TISSUES
export const TISSUE_NAMES = Object.keys(TISSUES) as TissueName[]

/** A spin-echo sequence: repetition and echo time. */
export type Sequence = { readonly name: string; readonly repetitionMs: number; readonly echoMs: number }
export const T1W: Sequence = { name: 'T1w', repetitionMs: 700, echoMs: 11 }
export const T2W: Sequence = { name: 'T2w', repetitionMs: 4500, echoMs: 90 }

/**
 * Signal of a spin echo, relative to water at full relaxation: PD (1 − exp(−TR/T1)) exp(−TE/T2).
 * @see Brown et al., Magnetic Resonance Imaging: Physical Principles and Sequence Design, 2nd ed. (2014), ch. 8, for TE ≪ TR
 */
export function spinEcho({ t1Ms, t2Ms, protonDensity }: Tissue, { repetitionMs, echoMs }: Sequence): number {
  return protonDensity * (1 - Math.exp(-repetitionMs / t1Ms)) * Math.exp(-echoMs / t2Ms)
}
