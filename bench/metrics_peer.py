"""The peer of bench/metrics.ts: MS-SSIM of a 2-D pair in float64 with NumPy and SciPy, as a careful script would do it.

Reads one line per round from standard input and answers with one line: milliseconds per slice, and the score.
"""
import sys
import time

import numpy as np
from scipy.ndimage import correlate1d

SIDE, SLICES = 256, 20
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
WINDOW /= WINDOW.sum()


def blurred(image):
    return correlate1d(correlate1d(image, WINDOW, axis=0), WINDOW, axis=1)[5:-5, 5:-5]


def ms_ssim(x, y, data_range):
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    score = 1.0
    for scale, weight in enumerate(WEIGHTS):
        ux, uy = blurred(x), blurred(y)
        vx, vy = blurred(x * x) - ux * ux, blurred(y * y) - uy * uy
        term = (2 * (blurred(x * y) - ux * uy) + c2) / (vx + vy + c2)
        if scale == len(WEIGHTS) - 1:
            term = term * (2 * ux * uy + c1) / (ux * ux + uy * uy + c1)
        score *= max(term.mean(), 0.0) ** weight
        x = x.reshape(x.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))
        y = y.reshape(y.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))
    return score


# The pair of bench/metrics.ts, by the same closed form.
rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)
reference = 0.5 + 0.3 * np.sin(columns / 7) * np.cos(rows / 11) + 0.1 * np.sin(columns * rows / 50)
test = reference + 0.05 * np.sin(columns * 1.7 + rows * 2.3)

print(f"python {sys.version.split()[0]}, numpy {np.__version__}", flush=True)
for _ in sys.stdin:
    began = time.perf_counter()
    for _ in range(SLICES):
        value = ms_ssim(reference, test, 1.0)
    print(f"{(time.perf_counter() - began) / SLICES * 1000} {float(value)!r}", flush=True)
