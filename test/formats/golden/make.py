"""Makes the golden images of test/formats: python3 make.py (nibabel 5.4.2, numpy, plastimatch 1.9.4 as of Debian 12).

One 5 x 4 x 3 volume of int16, value 100 k + 10 j + i, turned and unevenly spaced, written by other programs;
golden.json says in RAS millimetres where nibabel puts four of its voxels.
"""
import json, subprocess
import numpy as np, nibabel as nib
from nibabel.affines import apply_affine

angle = np.deg2rad(20)
turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
tilt = np.array([[1, 0, 0], [0, np.cos(0.3), -np.sin(0.3)], [0, np.sin(0.3), np.cos(0.3)]])
affine = np.eye(4)
affine[:3, :3] = turn @ tilt @ np.diag([-0.5, 0.75, 2.5])
affine[:3, 3] = [30.25, -71.5, 12]
i, j, k = np.meshgrid(range(5), range(4), range(3), indexing='ij')
values = (100 * k + 10 * j + i).astype(np.int16)

sform = nib.Nifti1Image(values, affine)
sform.set_sform(affine, 2); sform.set_qform(affine, 0)
nib.save(sform, 'nibabel-sform.nii.gz')
qform = nib.Nifti1Image(values.astype(np.float32), affine)
qform.set_sform(None, 0); qform.set_qform(affine, 1)
nib.save(qform, 'nibabel-qform.nii')
header = nib.Nifti1Header(endianness='>')
header.set_data_dtype(np.dtype('>i2'))
big = nib.Nifti1Image(values, affine, header=header)
nib.save(big, 'nibabel-big-endian.nii')
nib.save(nib.Nifti2Image(values, affine), 'nibabel-nifti2.nii')
for name in ['plastimatch.mha', 'plastimatch.nrrd']:
    subprocess.run(['plastimatch', 'convert', '--input', 'nibabel-sform.nii.gz', '--output-img', name], check=True)
voxels = [[0, 0, 0], [4, 0, 0], [0, 3, 0], [4, 3, 2]]
json.dump({'voxels': voxels, 'rasMm': apply_affine(affine, voxels).tolist()}, open('golden.json', 'w'))
