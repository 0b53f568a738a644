/**
 * Tissues: what CT and MR see of each, at 120 kV and at 3 T.
 *
 * Units       HU; T1, T2 and T2′ in milliseconds; proton density relative to water; fat as the share of the signal-giving
 *             protons that are of fat (−CH₂−), water the rest; agents as HU added on CT and mmol of gadolinium per litre.
 * T1, T2      of the tissue's water; fat's own are FAT_TISSUE's.
 *             [S] Stanisz et al., Magn Reson Med 54:507 (2005): cord, muscle, cartilage, blood.
 *             [W] Wansapura et al., J Magn Reson Imaging 9:531 (1999): grey and white matter.
 *             [B] de Bazelaire et al., Radiology 230:652 (2004): subcutaneous fat, vertebral marrow.
 *             [Z] Bojorquez et al., Magn Reson Imaging 35:69 (2017): a review whose ranges hold every number here that
 *                 it lists; it gives fat a T2 of 41 to 371 ms, and we take 120 because a train of echoes keeps fat
 *                 bright (J coupling), which a single-echo T2 of 68 ms would not.
 *             [–] no measurement at hand: set between neighbours so that the picture has the contrast that readers know
 *                 (glands between muscle and fat, tumour and lymphoid tissue bright on T2 and near muscle on T1).
 * T2′         the loss that a spin echo refocuses and a gradient echo does not: 60 ms in soft tissue [–], 12 in marrow,
 *             whose bone trabeculae disturb the field (Schick, Prog Nucl Magn Reson Spectrosc 29:169, 1996, has 10 to 20).
 * Agents      venous phase of both: by eye from clinical scans, brightest in vessels, glands, mucosa and tumour rim [–].
 * Texture     standard deviations about the tissue's mean of three random fields of the patient (coarse blobs, fine
 *             grain, fibres): for CT in HU, for MR as a fraction of water's signal and as a share of fat. Most of MR's
 *             has no CT counterpart: a twentieth more of fat is 8 HU, which is below the noise.
 */

export type Modality = 'CT' | 'MR'

type Vec = readonly [coarse: number, fine: number, fibre: number]

export type Tissue = {
  readonly hu: number
  readonly t1Ms: number
  readonly t2Ms: number
  readonly protonDensity: number
  readonly fat: number
  readonly t2PrimeMs: number
  /** The share of the protons that flows through the slice between excitation and echo. */
  readonly flow: number
  readonly contrastHu: number
  readonly gadoliniumMm: number
  /** HU per unit of the coarse, fine and fibre fields. */
  readonly ctTexture: Vec
  /** Fraction of water's MR signal per unit of the fields. */
  readonly waterTexture: Vec
  /** Share of fat per unit of the fields. */
  readonly fatTexture: Vec
}

const none: Vec = [0, 0, 0]
const t = (hu: number, t1Ms: number, t2Ms: number, protonDensity: number, more: Partial<Tissue> = {}): Tissue => ({
  hu,
  t1Ms,
  t2Ms,
  protonDensity,
  fat: 0,
  t2PrimeMs: 60,
  flow: 0,
  contrastHu: 0,
  gadoliniumMm: 0,
  ctTexture: none,
  waterTexture: none,
  fatTexture: none,
  ...more,
})
const agents = (contrastHu: number, gadoliniumMm: number) => ({ contrastHu, gadoliniumMm })
const textures = (ctTexture: Vec, waterTexture: Vec, fatTexture: Vec = none) => ({
  ctTexture,
  waterTexture,
  fatTexture,
})
const marrow = { t2PrimeMs: 12, ...agents(8, 0.1) }

/** The fat itself, wherever it lies: [B] T1; T2 as in the head of this file. */
export const FAT = { t1Ms: 382, t2Ms: 120 }

export const TISSUES = {
  air: t(-1000, 1000, 1, 0),
  skin: t(10, 900, 40, 0.7, { fat: 0.05, ...agents(15, 0.15), ...textures([4, 4, 0], [0.05, 0.08, 0]) }),
  fat: t(-102, 900, 50, 0.92, { fat: 0.93, ...textures([4, 3, 0], none, [0.06, 0.05, 0.03]) }),
  fascia: t(-10, 800, 35, 0.55, { fat: 0.3, ...textures([4, 6, 0], [0.05, 0.1, 0]) }),
  muscle: t(56, 1412, 50, 0.8, {
    fat: 0.04,
    ...agents(8, 0.07),
    ...textures([2, 1.5, 2], [0.07, 0.04, 0.06], [0.02, 0.01, 0.05]),
  }), // [S]
  tongueMuscle: t(50, 1350, 56, 0.82, {
    fat: 0.15,
    ...agents(12, 0.12),
    ...textures([3, 2, 4], [0.05, 0.04, 0.08], [0.04, 0.02, 0.1]),
  }), // [–]
  mucosa: t(38, 1500, 85, 0.88, { ...agents(45, 0.5), ...textures([2, 3, 0], [0.06, 0.08, 0]) }), // [–]
  lymphoid: t(46, 1500, 95, 0.86, { ...agents(30, 0.35), ...textures([2, 2, 0], [0.06, 0.06, 0]) }), // [–]
  node: t(42, 1300, 88, 0.85, { ...agents(35, 0.3), ...textures([2, 2, 0], [0.05, 0.06, 0]) }), // [–]
  involvedNode: t(40, 1500, 105, 0.88, { ...agents(32, 0.4), ...textures([3, 3, 0], [0.14, 0.1, 0]) }), // [–]
  tumour: t(50, 1480, 98, 0.87, { ...agents(30, 0.32), ...textures([3, 2, 0], [0.12, 0.1, 0]) }), // [–]
  tumourRim: t(50, 1430, 92, 0.86, { ...agents(62, 0.7), ...textures([3, 2, 0], [0.1, 0.1, 0]) }), // [–]
  necrosis: t(34, 2400, 190, 0.94, { ...agents(2, 0.04), ...textures([3, 2, 0], [0.1, 0.06, 0]) }), // [–]
  parotid: t(-2, 1150, 82, 0.87, {
    fat: 0.36,
    ...agents(40, 0.35),
    ...textures([5, 6, 0], [0.05, 0.07, 0], [0.08, 0.1, 0]),
  }), // lobules in fat [–]
  submandibular: t(36, 1200, 82, 0.86, {
    fat: 0.1,
    ...agents(65, 0.5),
    ...textures([3, 5, 0], [0.05, 0.08, 0], [0.02, 0.04, 0]),
  }), // [–]
  thyroid: t(105, 1250, 82, 0.85, { ...agents(75, 0.7), ...textures([8, 5, 0], [0.08, 0.06, 0]) }), // iodine of its own: CT only [–]
  arteryBlood: t(42, 1932, 275, 0.85, { flow: 0.95, ...agents(185, 1), ...textures([1, 0, 0], [0.1, 0.1, 0]) }), // [S]
  veinBlood: t(44, 1932, 150, 0.85, { flow: 0.6, ...agents(160, 0.95), ...textures([1, 0, 0], [0.25, 0.1, 0]) }), // slow
  cartilage: t(95, 1168, 30, 0.65, {
    fat: 0.15,
    ...agents(5, 0.05),
    ...textures([45, 45, 0], [0.12, 0.12, 0], [0.1, 0.1, 0]),
  }), // [S]; ossified in patches
  discFibres: t(85, 1150, 72, 0.78, textures([5, 4, 0], [0.05, 0.06, 0])), // [–]
  cortical: t(1350, 500, 0.5, 0.1, { ctTexture: [80, 60, 0], t2PrimeMs: 1 }),
  compactBone: t(950, 500, 0.8, 0.1, { ctTexture: [90, 60, 0], t2PrimeMs: 1 }),
  trabecular: t(230, 1000, 60, 0.62, {
    ...marrow,
    fat: 0.45,
    ...textures([50, 45, 0], [0.06, 0.06, 0], [0.1, 0.08, 0]),
  }), // [B]
  skullMarrow: t(520, 1000, 60, 0.6, {
    ...marrow,
    fat: 0.75,
    ...textures([70, 70, 0], [0.05, 0.05, 0], [0.1, 0.1, 0]),
  }), // yellow [–]
  jawMarrow: t(260, 1000, 60, 0.66, { ...marrow, fat: 0.82, ...textures([45, 40, 0], [0.05, 0.05, 0], [0.1, 0.1, 0]) }), // yellow [–]
  dentine: t(1750, 500, 0.3, 0.05, { ctTexture: [60, 60, 0], t2PrimeMs: 1 }),
  enamel: t(2600, 500, 0.1, 0.02, { t2PrimeMs: 1 }),
  metal: t(12000, 500, 0.1, 0, { t2PrimeMs: 1 }),
  csf: t(6, 4000, 900, 1, textures([1, 0, 0], [0.03, 0, 0])), // [Z] T1
  greyMatter: t(38, 1331, 110, 0.86, { ...agents(4, 0.01), ...textures([1, 1, 0], [0.03, 0.03, 0]) }), // [W]
  whiteMatter: t(31, 832, 80, 0.74, { ...agents(2, 0), ...textures([1, 1, 0], [0.03, 0.02, 0]) }), // [W]
  deepGrey: t(38, 1080, 84, 0.82, { ...agents(4, 0.01), ...textures([1, 1, 0], [0.03, 0.03, 0]) }), // between the two [–]
  cord: t(36, 993, 78, 0.75, textures([1, 1, 0], [0.03, 0.03, 0.05])), // [S]
  dura: t(60, 900, 30, 0.4, agents(35, 0.5)),
  vitreous: t(8, 4000, 800, 0.98), // as CSF
  lens: t(85, 1200, 25, 0.6), // [–]
  sclera: t(60, 1100, 45, 0.6, agents(15, 0.3)), // [–]
} as const satisfies Record<string, Tissue>

export type TissueName = keyof typeof TISSUES
export const TISSUE_NAMES = Object.keys(TISSUES) as TissueName[]
