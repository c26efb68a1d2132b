"""How alike two pictures are, and how sharp one is, by published formulas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Greys = NDArray[np.floating]  # (height, width)

_WINDOW, _SIGMA = 11, 1.5
_RIM = _WINDOW // 2


def ssim(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float | None:
    """Return the structural similarity of two grey pictures, -1..1; None under 11 pixels.

    Wang, Bovik, Sheikh and Simoncelli: Image quality assessment, IEEE Transactions on Image
    Processing 13(4), 2004, equation 13 with the paper's constants K1 = 0.01, K2 = 0.03, L = 255:
    (2 m1 m2 + C1)(2 c + C2) / ((m1^2 + m2^2 + C1)(v1 + v2 + C2)), means, variances and covariance
    under a Gaussian window of 11 pixels and sigma 1.5, averaged where the window fits.

    Args:
        one: (height, width).
        other: The same size.
    """
    if min(one.shape) < _WINDOW:
        return None
    a, b = one.astype(np.float32), other.astype(np.float32)
    mean_a, mean_b = _mean(a), _mean(b)
    var_a, var_b = _mean(a * a) - mean_a**2, _mean(b * b) - mean_b**2
    covariance = _mean(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    above = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    below = (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return float((above / below)[_RIM:-_RIM, _RIM:-_RIM].mean())


def blurriness(grey: NDArray[np.uint8]) -> float | None:
    """Return 0 for a sharp and 1 for a blurred picture; None where nothing changes in it.

    Crete, Dolmiere, Ladret and Nicolas: The blur effect, Proceedings of SPIE 6492, 2007: how much
    of the steps between neighbours survives when the picture is blurred once more, over 11
    pixels, down and across; the larger of the two counts. Steps are taken by Sobel's operator.

    Args:
        grey: (height, width).
    """
    import cv2

    values = grey.astype(np.float32)
    worst = None
    for axis in (0, 1):
        size = (1, _WINDOW) if axis == 0 else (_WINDOW, 1)
        steps = np.abs(_sobel(values, axis))
        soft = np.asarray(cv2.blur(values, size, borderType=cv2.BORDER_REFLECT), np.float32)
        softer = np.abs(_sobel(soft, axis))
        inner = (slice(2, -1), slice(2, -1))
        total = float(steps[inner].sum(dtype=np.float64))
        if total > 0:
            lost = float(np.maximum(0, steps - softer)[inner].sum(dtype=np.float64))
            worst = max(worst or 0.0, (total - lost) / total)
    return worst


def _mean(values: Greys) -> NDArray[np.float32]:
    import cv2

    return np.asarray(cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA), np.float32)


def _sobel(values: Greys, axis: int) -> NDArray[np.float32]:
    import cv2

    dx, dy = (0, 1) if axis == 0 else (1, 0)
    edge = cv2.BORDER_REFLECT
    return np.asarray(cv2.Sobel(values, cv2.CV_32F, dx, dy, borderType=edge), np.float32)
