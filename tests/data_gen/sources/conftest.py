"""Real picture files, and a list that problems are reported to."""

import json

import numpy as np
import pytest
from PIL import Image as Pillow


@pytest.fixture
def problems():
    """What was reported; ``problems.append`` is the report."""
    return []


@pytest.fixture
def photo():
    """Write a small picture whose pixels differ by its size."""

    def write(path, width=40, height=30):
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(width * height).integers(0, 255, (height, width, 3))
        Pillow.fromarray(pixels.astype(np.uint8)).save(path)
        return path

    return write


@pytest.fixture
def note(tmp_path):
    """Write a JSON file."""

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        return path

    return write
