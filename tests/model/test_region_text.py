"""Boxes in words: golden strings of each system, round trips, and what is no box."""

import random

import pytest

from llava_plus.model.region_text import (
    SYNTAXES,
    Grounded,
    convert_regions,
    onto_square,
    read_regions,
    write_regions,
)

BOX = (0.125, 0.25, 0.5, 0.75)
OTHER = (0.0, 0.0, 1.0, 0.999)
GOLDEN = {
    "kosmos": "A <phrase>red cat</phrase><object><patch_index_0260><patch_index_0751>"
    "</delimiter_of_multi_objects/><patch_index_0000><patch_index_1023></object> here.",
    "qwen-vl": "A <ref>red cat</ref><box>(125,250),(500,750)</box><box>(0,0),(999,999)</box> here.",
    "minigpt-v2": "A <p>red cat</p> {<12><25><50><75>}<delim>{<0><0><100><99>} here.",
    "cogvlm": "A red cat [[125,250,500,750;000,000,999,999]] here.",
    "llava": "A red cat [0.12, 0.25, 0.50, 0.75], [0.00, 0.00, 1.00, 1.00] here.",
    "shikra": "A red cat [0.125,0.250,0.500,0.750;0.000,0.000,1.000,0.999] here.",
}
STEP = {"kosmos": 1 / 32, "minigpt-v2": 0.01, "llava": 0.01}
PIECES = ["A ", Grounded(phrase="red cat", boxes=(BOX, OTHER)), " here."]


@pytest.mark.parametrize("name", SYNTAXES)
def test_each_system_writes_its_own_words(name):
    assert write_regions(PIECES, name) == GOLDEN[name]


@pytest.mark.parametrize("name", SYNTAXES)
def test_what_was_written_is_read_again(name):
    before, found, after = read_regions(GOLDEN[name], name)
    marked = name in ("kosmos", "qwen-vl", "minigpt-v2")
    assert (before, found.phrase) == (("A ", "red cat") if marked else ("A red cat ", ""))
    assert after == " here."
    for got, wanted in zip(found.boxes, (BOX, OTHER), strict=True):
        assert got == pytest.approx(wanted, abs=STEP.get(name, 0.001) + 1e-9)


@pytest.mark.parametrize("name", SYNTAXES)
def test_words_written_twice_stay_the_same(name):
    draw = random.Random(name)
    for _ in range(200):
        left, right = sorted((draw.random(), draw.random()))
        top, bottom = sorted((draw.random(), draw.random()))
        text = write_regions([Grounded(boxes=((left, top, right, bottom),))], name)
        assert convert_regions(text, name, name) == text


def test_kosmos_cells_are_those_of_transformers():
    from transformers.models.kosmos2.processing_kosmos2 import (
        coordinate_to_patch_index,
        patch_index_to_coordinate,
    )

    draw = random.Random(0)
    for _ in range(300):
        left, right = sorted(round(draw.random(), 3) for _ in range(2))
        top, bottom = sorted(round(draw.random(), 3) for _ in range(2))
        if right - left < 0.01 or bottom - top < 0.01:
            continue
        first, last = coordinate_to_patch_index((left, top, right, bottom), 32)
        text = write_regions([Grounded(boxes=((left, top, right, bottom),))], "kosmos")
        assert text == f"<object><patch_index_{first:04d}><patch_index_{last:04d}></object>"
        wanted = patch_index_to_coordinate(first, last, 32)
        assert read_regions(text, "kosmos")[0].boxes[0] == pytest.approx(wanted)


def test_one_system_is_read_and_another_written():
    text = convert_regions(GOLDEN["qwen-vl"], "qwen-vl", "minigpt-v2")
    assert text == "A <p>red cat</p> {<12><25><50><75>}<delim>{<0><0><99><99>} here."
    plain = convert_regions("It is at [0.10, 0.20, 0.30, 0.40].", "llava", "cogvlm")
    assert plain == "It is at [[100,200,300,400]]."


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("llava", "see [1, 2, 3] and [0.5, 0.5, 0.1, 0.9] and [3, 4, 5, 6]"),
        ("qwen-vl", "<box>(9,9),(1,1)</box> <box>(1,2)</box>"),
        ("cogvlm", "[[1,2,3,4]] [[999,000,000,999]]"),
        ("kosmos", "<object><patch_index_0700><patch_index_0001></object>"),
        ("minigpt-v2", "{<1><2><3>} {<101><1><102><3>}"),
        ("shikra", ""),
    ],
)
def test_what_is_no_box_stays_words(name, text):
    assert read_regions(text, name) == ([text] if text else [])


def test_boxes_and_systems_that_cannot_be_are_named():
    with pytest.raises(ValueError, match=r"in 0\.\.1, got"):
        write_regions([Grounded(boxes=((0.5, 0.0, 0.4, 1.0),))], "llava")
    with pytest.raises(ValueError, match=r"No region syntax .owl.\. Known: cogvlm, kosmos"):
        read_regions("", "owl")


def test_boxes_move_onto_the_padded_square_and_back():
    wide = onto_square((0.0, 0.0, 1.0, 1.0), (50, 100))
    assert wide == (0.0, 0.25, 1.0, 0.75)
    assert onto_square(wide, (50, 100), back=True) == (0.0, 0.0, 1.0, 1.0)
    tall = onto_square((0.5, 0.5, 1.0, 1.0), (200, 100))
    assert tall == (0.5, 0.5, 0.75, 1.0)
