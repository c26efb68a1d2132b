"""COCO's run-length codes: letters known by heart, and those that pycocotools itself writes."""

import numpy as np
import pytest
from pycocotools import mask as coco

from llava_plus.skills import rle

# Written by pycocotools 2.0.11, so that they hold where it is not installed or has changed.
KNOWN = [
    (np.zeros((1, 1), bool), "1"),
    (np.ones((1, 1), bool), "01"),
    (np.zeros((480, 640), bool), "PP\\9"),
    (np.ones((480, 640), bool), "0PP\\9"),
    (np.eye(3, dtype=bool), "013000"),
    (np.arange(12).reshape(3, 4) % 2 == 0, "03300"),
]


@pytest.mark.parametrize(("mask", "letters"), KNOWN, ids=lambda value: str(value)[:12])
def test_letters_known_by_heart(mask, letters):
    code = rle.encode(mask)
    assert code == {"size": list(mask.shape), "counts": letters}
    assert (rle.decode(code) == mask).all()


def polygon(*corners, size):
    (code,) = coco.frPyObjects([[float(n) for corner in corners for n in corner]], *size)
    return code


@pytest.mark.parametrize(
    "theirs",
    [
        polygon((10, 10), (300, 40), (120, 390), size=(400, 500)),
        polygon((0, 0), (0, 50), (50, 50), (50, 0), size=(50, 50)),
        coco.merge(
            [
                polygon((5, 5), (25, 5), (15, 30), size=(60, 40)),
                polygon((20, 20), (39, 59), (1, 50), size=(60, 40)),
            ]
        ),
        coco.frPyObjects({"size": [3, 4], "counts": [2, 3, 0, 1, 6]}, 3, 4),
        coco.encode(np.asfortranarray(np.indices((3000, 4000)).sum(0) % 2999 < 1500, np.uint8)),
    ],
    ids=["triangle", "square", "union", "plain counts", "large"],
)
def test_what_pycocotools_has_coded_is_read_measured_and_written_again(theirs):
    code = rle.checked_rle(theirs)  # bytes become letters
    mask = rle.decode(code)
    height, width = theirs["size"]
    assert rle.share(code) == pytest.approx(float(coco.area(theirs)) / (height * width))
    left, top, wide, high = coco.toBbox(theirs)
    box = (left / width, top / height, (left + wide) / width, (top + high) / height)
    assert rle.bounds(code) == pytest.approx(box)
    ours = rle.encode(mask)
    coded = {**ours, "counts": ours["counts"].encode()}
    assert coded == coco.encode(np.asfortranarray(mask, np.uint8))
    assert coco.iou([coded], [theirs], [False]).tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ({"size": [2, 2], "counts": "0"}, "add up to 2 x 2"),
        ({"size": [0, 2], "counts": "0"}, "add up to 0 x 2"),
        ({"size": [2, 2], "counts": "\n"}, "not a letter"),
        ({"size": [2, 2], "counts": "111K"}, "negative length"),
    ],
)
def test_codes_that_mean_nothing_are_refused(code, words):
    with pytest.raises(ValueError, match=words):
        rle.checked_rle(code)
