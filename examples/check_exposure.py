"""Measure how a photograph is exposed: a picture goes in, a table comes out.

llava-plus run check_exposure --image ui/examples/rocket.jpg --skills examples/check_exposure.py
"""

import numpy as np

from llava_plus.skills import Image, Region, Table, region_mask, skill

BANDS = {  # levels of 0 to 255, from and up to
    "black": (0, 4),
    "dark": (5, 84),
    "middle": (85, 169),
    "bright": (170, 250),
    "burnt out": (251, 255),
}


@skill(examples=["is the photo overexposed", "how much of the sky is burnt out"])
def check_exposure(image: Image, region: Region | None = None) -> Table:
    """Measure how much of the picture, in percent, is black, dark, middle, bright or burnt out.

    The table can be plotted. Black and burnt out places have lost what was in them.

    Args:
        image: The photograph.
        region: Where to measure; everywhere if left out or empty.
    """
    light = image.rgb() @ np.array([0.2126, 0.7152, 0.0722])  # luma of Rec. 709, (height, width)
    if region is not None and len(region):
        light = light[region_mask(region, image.width, image.height)]
    levels = np.bincount(light.round().astype(int).ravel(), minlength=256)
    shares = [100 * levels[low : high + 1].sum() / levels.sum() for low, high in BANDS.values()]
    rows = zip(BANDS, (round(float(share), 1) for share in shares), strict=True)
    return Table(("tone", "percent"), tuple(rows))
