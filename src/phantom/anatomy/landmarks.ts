/** Places that a reader can name in both images, in the template's frame (see organ.ts). */
import type { Vec3 } from '../../volume/index.ts'

export const LANDMARKS: Record<string, Vec3> = {
  'left lens': [32.5, -89, 28.5],
  'right lens': [-32.5, -89, 28.5],
  'left optic nerve, apex': [12, -42, 21],
  'right optic nerve, apex': [-12, -42, 21],
  'fourth ventricle': [0, 16, -3],
  'dens, tip': [0, -11, -33],
  'left mandibular condyle': [51, -22, -15],
  'right mandibular condyle': [-51, -22, -15],
  'chin, bone': [0, -118, -78],
  'left parotid, middle': [62, -28, -40],
  'right parotid, middle': [-62, -28, -40],
  'left submandibular gland': [33, -49, -83],
  'right submandibular gland': [-33, -49, -83],
  'tongue, middle': [0, -72, -52],
  'hyoid, front': [0, -64, -97],
  'left carotid bifurcation': [27, -21, -102],
  'right carotid bifurcation': [-27, -21, -102],
  glottis: [0, -40, -122],
  'cord at C4': [0, 8.5, -95],
  'C7 spinous process, tip': [0, 58, -152],
}
