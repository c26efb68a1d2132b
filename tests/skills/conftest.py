"""Photographs that the test tools bring along."""

import matplotlib
import numpy as np
import pytest
from skimage import data

from llava_plus.skills import Boxes, Image, load_image

HOPPER = f"{matplotlib.get_data_path()}/sample_data/grace_hopper.jpg"


@pytest.fixture(scope="session")
def astronaut():
    return Image(data.astronaut())


@pytest.fixture(scope="session")
def hopper():
    return load_image(HOPPER)


@pytest.fixture(scope="session")
def coffee():
    return Image(data.coffee())


@pytest.fixture(scope="session")
def coins():
    return Image.from_array(data.coins())


@pytest.fixture(scope="session")
def her_face():
    """Where the astronaut's face is, as a person drew it."""
    return Boxes(((0.348, 0.113, 0.523, 0.341),), labels=("face",), query="face")


@pytest.fixture(scope="session")
def odd_pictures():
    """Pictures of sizes and kinds that break careless code."""
    draw = np.random.default_rng(0)
    return {
        "one pixel": Image(np.full((1, 1, 3), 7, np.uint8)),
        "one row": Image(draw.integers(0, 255, (1, 300, 3), np.uint8)),
        "one column": Image(draw.integers(0, 255, (300, 1, 3), np.uint8)),
        "very wide": Image(draw.integers(0, 255, (40, 8192, 3), np.uint8)),
        "transparent": Image(draw.integers(0, 255, (50, 60, 4), np.uint8)),
        "grey": Image.from_array(draw.integers(0, 255, (50, 60), np.uint8)),
        "plain": Image(np.full((64, 64, 3), 128, np.uint8)),
    }
