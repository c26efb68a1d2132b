import numpy as np
import pytest

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Masks, TextLines
from llava_plus.skills.builtin import select

# Two in an upper row, three in a lower one; as a detector gives them, left to right.
BOXES = Boxes(
    (
        (0.0, 0.5, 0.1, 0.6),
        (0.1, 0.1, 0.3, 0.3),
        (0.4, 0.45, 0.62, 0.65),
        (0.6, 0.1, 0.7, 0.25),
        (0.8, 0.5, 0.95, 0.9),
    ),
    labels=("face", "face", "text", "face", "code"),
    scores=(0.9, 0.8, 0.7, 0.6, 0.5),
)
LINES = TextLines(
    ("Corner Shop", "Sale today", "Wholesale", "TOTAL 12.50", "T0TAL due"),
    tuple(((0, y), (1, y), (1, y + 0.1), (0, y + 0.1)) for y in (0, 0.2, 0.4, 0.6, 0.8)),
)


def picked(**how):
    kept = select(BOXES, **how)
    return [BOXES.xyxy.index(box) for box in kept.xyxy]


@pytest.mark.parametrize(
    ("how", "kept"),
    [
        ({"by": "left"}, [0]),
        ({"by": "right"}, [4]),
        ({"by": "top"}, [3]),
        ({"by": "bottom"}, [4]),
        ({"by": "center"}, [2]),
        ({"by": "largest"}, [4]),
        ({"by": "smallest"}, [0]),
        ({"by": "right", "nth": 2}, [3]),
        ({"by": "largest", "count": 2}, [2, 4]),
        ({"by": "right", "nth": 2, "count": 2}, [2, 3]),
        ({"by": "left", "invert": True}, [1, 2, 3, 4]),
        ({}, [1]),
        ({"nth": 3}, [0]),
        ({"label": "Faces"}, [0, 1, 3]),
        ({"label": "face", "by": "largest"}, [1]),
        ({"label": "face", "nth": 2}, [3]),
        ({"label": "face", "invert": True}, [2, 4]),
    ],
)
def test_what_is_kept(how, kept):
    assert picked(**how) == kept


def test_labels_and_scores_stay_with_their_boxes():
    kept = select(BOXES, by="right", count=2)
    assert (kept.labels, kept.scores) == (("face", "code"), (0.6, 0.5))


@pytest.mark.parametrize(
    ("label", "texts"),
    [
        ("sale", ("Sale today",)),
        ("whole", ("Wholesale",)),
        ("total", ("TOTAL 12.50",)),
        ("cornershop", ("Corner Shop",)),
        ("SALE TODAY!", ("Sale today",)),
        ("coner shop", ("Corner Shop",)),
        ("12.50", ("TOTAL 12.50",)),
    ],
)
def test_lines_are_chosen_by_what_they_say(label, texts):
    assert select(LINES, label=label).texts == texts


def test_a_misread_letter_does_no_harm():
    assert select(LINES.take([0, 4]), label="TOTAL").texts == ("T0TAL due",)


def test_lines_keep_the_order_in_which_they_were_read():
    assert select(LINES, by="top", nth=3).texts == ("Wholesale",)
    assert select(LINES, nth=2).texts == ("Sale today",)
    assert select(LINES, by="bottom", count=2).texts == ("TOTAL 12.50", "T0TAL due")


def test_masks_are_compared_by_their_own_area():
    ring = np.zeros((2, 40, 40), bool)
    ring[0, 0:30, 0:30] = True
    ring[0, 2:28, 2:28] = False  # a large box, but little in it
    ring[1, 20:38, 20:38] = True
    masks = Masks.from_array(ring, labels=("ring", "block"))
    assert select(masks, by="largest").labels == ("block",)
    assert select(masks, label="ring").labels == ("ring",)


@pytest.mark.parametrize(
    ("region", "how", "says"),
    [
        (BOXES, {"by": "left", "nth": 6}, ["number 6 from the left", "only 5 of 5 boxes"]),
        (BOXES, {"by": "largest", "count": 9}, ["9", "only 5"]),
        (BOXES, {"label": "face", "nth": 4}, ["only 3 of 5 boxes"]),
        (BOXES, {"label": "dog"}, ["5 boxes", "'dog'", '"text"']),
        (LINES, {"label": "refund"}, ["'refund'", '"Corner Shop"']),
        (LINES, {"label": "  "}, ["must be a word"]),
        (BOXES.take([0]), {"by": "left", "invert": True}, ["leaves nothing"]),
        (Boxes((), query="face"), {"by": "left"}, ["no face", "Detect or read something first"]),
        (TextLines((), ()), {"label": "x"}, ["no text"]),
    ],
)
def test_what_cannot_be_chosen_is_said_with_what_there_is(region, how, says):
    with pytest.raises(SkillError) as error:
        select(region, **how)
    assert all(part in str(error.value) for part in says), str(error.value)
