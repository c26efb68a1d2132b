"""HierText and TextOCR: text that others noted."""

from copy import deepcopy

import numpy as np
import pytest

from llava_plus.data_gen.sources import HierText, TextOcr
from llava_plus.errors import SetupError

CORNERS = [[4, 3], [24, 3], [24, 9], [4, 9]]
WORD = {"text": "OPEN", "legible": True, "vertices": CORNERS}
LINE = {"text": "OPEN DAILY", "legible": True, "vertices": CORNERS, "words": [WORD]}
UNREAD = {"text": "", "legible": False, "vertices": CORNERS, "words": []}
HIER = {
    "info": {},
    "annotations": [
        {"image_id": "abc", "image_width": 40, "image_height": 30,
         "paragraphs": [{"vertices": CORNERS, "legible": True, "lines": [LINE]}]},
        {"image_id": "def", "image_width": 40, "image_height": 30, "paragraphs": []},
    ],
}  # fmt: skip
OCR = {
    "imgs": {"abc": {"id": "abc", "width": 40, "height": 30, "file_name": "train/abc.jpg"}},
    "anns": {
        "abc_1": {"id": "abc_1", "image_id": "abc", "utf8_string": "EXIT", "bbox": [4, 3, 20, 6],
                  "points": [4, 3, 24, 3, 24, 9, 4, 9], "area": 120},
    },
    "imgToAnns": {"abc": ["abc_1"]},
}  # fmt: skip


@pytest.fixture
def images(tmp_path, photo):
    for name in ("abc.jpg", "def.jpg"):
        photo(tmp_path / "images" / name)
    return tmp_path / "images"


def test_lines_of_hiertext_are_read(images, note, problems):
    one, other = HierText(file=note("h.jsonl", HIER), images=images).items(problems.append)
    lines = one.truth.text()
    assert lines.texts == ("OPEN DAILY",)
    corners = [(0.1, 0.1), (0.6, 0.1), (0.6, 0.3), (0.1, 0.3)]
    np.testing.assert_allclose(lines.polygons[0], corners)
    assert one.truth.complete == other.truth.complete == {"lines"}
    assert (one.id, other.truth.lines, problems) == ("abc", (), [])


def test_text_that_nobody_could_read_makes_a_picture_incomplete(images, note, problems):
    content = deepcopy(HIER)
    content["annotations"][0]["paragraphs"][0]["lines"].append(UNREAD)
    one, _ = HierText(file=note("h.jsonl", content), images=images).items(problems.append)
    assert (one.truth.text().texts, one.truth.complete) == (("OPEN DAILY",), frozenset())
    assert problems == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"text": 5}, "text must be a text, got 5"),
        ({"vertices": [[4, 3], [9, 3]]}, "at least 3 corners, got 2"),
        ({"vertices": [[4, 3], [90, 3], [4, 9]]}, "90, 3, outside the picture of 40x30"),
        ({"vertices": [[4, 3], [9], [4, 9]]}, "must be 2 numbers, got 1"),
        ({"vertices": None}, "vertices must be a list"),
    ],
)
def test_a_broken_line_costs_only_itself(images, note, problems, change, why):
    content = deepcopy(HIER)
    content["annotations"][0]["paragraphs"][0]["lines"].append({**LINE, **change})
    one, _ = HierText(file=note("h.jsonl", content), images=images).items(problems.append)
    assert one.truth.text().texts == ("OPEN DAILY",)
    assert [(p.file, p.id) for p in problems] == [("h.jsonl", "image abc, line")]
    assert why in problems[0].why


def test_a_picture_whose_notes_have_no_lines_is_reported(images, note, problems):
    content = deepcopy(HIER)
    content["annotations"][0]["paragraphs"] = [{"lines": "none"}]
    items = HierText(file=note("h.jsonl", content), images=images).items(problems.append)
    assert [item.id for item in items] == ["def"]
    assert "lines must be a list" in problems[0].why


def test_words_of_textocr_are_read_also_from_a_flat_folder(images, note, problems):
    (item,) = TextOcr(file=note("t.json", OCR), images=images).items(problems.append)
    assert item.truth.text().texts == ("EXIT",)
    assert item.truth.text().polygons[0][2] == pytest.approx((0.6, 0.3))
    assert (item.truth.complete, problems) == ({"lines"}, [])


def test_unreadable_and_broken_words_of_textocr(images, note, problems):
    content = deepcopy(OCR)
    word = content["anns"]["abc_1"]
    content["anns"] |= {
        "abc_2": {**word, "utf8_string": "."},
        "abc_3": {**word, "points": [1, 2, 3]},
        "abc_4": {**word, "image_id": "gone"},
        "abc_5": 12,
    }
    (item,) = TextOcr(file=note("t.json", content), images=images).items(problems.append)
    assert item.truth.text().texts == ("EXIT",)
    assert item.truth.complete == frozenset()
    assert sorted(p.id.split("annotation ")[1] for p in problems) == ["abc_3", "abc_4", "abc_5"]


def test_one_layout_in_place_of_the_other_is_said_to_the_person(images, note, problems):
    with pytest.raises(SetupError, match="it must have 'imgs', an object"):
        list(TextOcr(file=note("h.jsonl", HIER), images=images).items(problems.append))
