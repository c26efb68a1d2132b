import json
import pickle

import numpy as np
import pytest
from pycocotools import mask as coco

from llava_plus.errors import ImageError
from llava_plus.skills import (
    Boxes,
    Image,
    Masks,
    Number,
    Points,
    Table,
    Tags,
    Text,
    TextLines,
    load_image,
    region_boxes,
    region_mask,
    value_from_json,
    value_to_json,
)

GREY = Image.from_array(np.full((40, 60), 128, np.uint8))
LEFT = (0.0, 0.0, 0.5, 1.0)
RIGHT = (0.5, 0.25, 1.0, 0.75)
SQUARE = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5))


def corner_mask(height=40, width=60):
    mask = np.zeros((height, width), bool)
    mask[:10, :30] = True
    return mask


VALUES = [
    GREY,
    Boxes((LEFT, RIGHT), labels=("face", "code"), scores=(0.9, 0.4), query="things"),
    Masks.from_array(corner_mask()[None], labels=("face",), scores=(0.5,)),
    Points(((0.25, 0.5), (0.1, 0.2)), (True, False)),
    TextLines(("OPEN", "关门"), (SQUARE, SQUARE), labels=("a", "b")),
    Tags(("cat", "dog"), scores=(0.9, 0.1)),
    Text("a cat"),
    Number(3, "px"),
    Table(("width", "camera"), ((640, None), (1.5, "Canon"))),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.kind)
def test_every_value_goes_through_json_and_comes_back_equal(value):
    text = json.dumps(value_to_json(value))
    assert value_from_json(json.loads(text), {GREY.digest: GREY}.__getitem__) == value


def test_an_image_in_json_is_named_by_its_digest_and_keeps_its_facts():
    image = Image(GREY.pixels, meta={"format": "PNG"})
    data = value_to_json(image)
    assert data == {
        "kind": "image",
        "digest": GREY.digest,
        "width": 60,
        "height": 40,
        "meta": {"format": "PNG"},
    }
    assert value_from_json(data, lambda digest: GREY).meta == {"format": "PNG"}


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"kind": "boxen"}, "boxen"),
        ({}, "None"),
        ({"kind": "boxes", "xyxy": [[0, 0, 1, 1]], "colour": "red"}, "colour"),
        ({"kind": "masks", "rles": [{"size": [2, 2]}]}, "counts"),
        ({"kind": "masks", "rles": [{"size": [2, 2], "counts": "\n"}]}, "letter"),
        ({"kind": "masks", "rles": [{"size": [2, 2], "counts": "0"}]}, "add up"),
    ],
)
def test_json_that_is_no_value_says_why(data, named):
    with pytest.raises(ValueError, match=named):
        value_from_json(data, lambda digest: GREY)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (GREY, "60x40"),
        (Boxes(()), "0 boxes: nothing found"),
        (Boxes((LEFT,), labels=("face",)), "1 box: face"),
        (Boxes((LEFT, RIGHT), labels=("face", "face")), "2 boxes: face, face (left to right)"),
        (Boxes((RIGHT, LEFT), labels=("face", "code")), "2 boxes: face, code"),
        (Boxes((RIGHT,)), "1 box: [0.5, 0.25, 1, 0.75]"),
        (
            Masks.from_array(corner_mask()[None], labels=("face",)),
            "1 mask: face 12% of the picture",
        ),
        (
            TextLines(("OPEN", "24 HOURS"), (SQUARE, SQUARE)),
            '2 lines: "OPEN", "24 HOURS"',
        ),
        (TextLines(("x",), (SQUARE,), labels=("QR code",)), '1 line: "x" (QR code)'),
        (TextLines((), ()), "0 lines: nothing found"),
        (
            Points(((0.25, 0.5), (0.1, 0.2)), (True, False)),
            "2 points: [0.25, 0.5], [0.1, 0.2] (not this)",
        ),
        (Tags(("cat", "dog")), "2 tags: cat, dog"),
        (Text(""), "empty text"),
        (Number(3), "3"),
        (Number(2.34567, "mm"), "2.35 mm"),
        (Table(("width", "height"), ((640, 427),)), "width 640, height 427"),
        (Table(("name", "value"), (("width", 640), ("sharp", True))), "width 640, sharp yes"),
    ],
)
def test_a_planner_reads(value, words):
    assert value.describe() == words


@pytest.mark.parametrize(
    "value",
    [
        Text("word " * 5000),
        Text("字" * 5000),
        Boxes((LEFT,) * 500, labels=("a small red thing",) * 500),
        Boxes((LEFT,) * 500),
        TextLines(("long words of a page " * 40,) * 30, (SQUARE,) * 30),
        Tags(tuple(f"tag{i}" for i in range(3000))),
        Table(("n",), tuple((i,) for i in range(2000))),
    ],
    ids=lambda value: value.kind,
)
def test_what_a_planner_reads_stays_short_and_says_that_there_is_more(value):
    words = value.describe()
    assert len(words.split()) <= 200
    assert len(words) <= 1600
    assert "…" in words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (GREY, "the picture"),
        (Boxes((LEFT,) * 3, query="faces"), "3 faces"),
        (Boxes((LEFT,), query="faces"), "1 face"),
        (Boxes((), query="face"), "no face"),
        (Boxes((LEFT,) * 2, query="person"), "2 people"),
        (Boxes((LEFT,) * 2, query="text"), "2 pieces of text"),
        (Boxes((LEFT,) * 3, labels=("face", "code", "face")), "2 faces, 1 code"),
        (Boxes((LEFT,) * 2, labels=("cup", "fork"), query="cup and fork"), "1 cup, 1 fork"),
        (Boxes((LEFT,), labels=("cup",), query="cup and fork"), "1 cup"),
        (Boxes((), query="cup and fork"), "no cup and fork"),
        (Boxes((LEFT,) * 2), "2 boxes"),
        (Masks.from_array(corner_mask()[None]), "1 mask"),
        (TextLines((), ()), "no text"),
        (TextLines((), (), query="code"), "no code"),
        (TextLines(("OPEN", "24 HOURS"), (SQUARE,) * 2), '"OPEN", "24 HOURS"'),
        (TextLines(tuple("abcd"), (SQUARE,) * 4), '"a"\n"b"\n"c"\n"d"'),
        (Table(("width", "height"), ((640, 427),)), "width 640, height 427"),
        (Number(1e6), "1000000"),
    ],
)
def test_an_answer_to_a_person_says(value, words):
    assert value.cite() == words


def test_nobody_can_write_to_the_pixels_of_an_image():
    array = np.zeros((2, 2, 3), np.uint8)
    image = Image(array)
    array[0, 0] = 255
    assert not image.pixels.any()
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0] = 255
    with pytest.raises(ValueError, match="WRITEABLE"):
        image.pixels.setflags(write=True)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.kind)
def test_every_value_can_travel_between_processes(value):
    again = pickle.loads(pickle.dumps(value))
    assert again == value
    if isinstance(again, Image):
        with pytest.raises(ValueError, match="WRITEABLE"):
            again.pixels.setflags(write=True)


@pytest.mark.parametrize(
    "array",
    [np.zeros((2, 2, 3)), np.zeros((2, 2, 5), np.uint8), np.zeros((0, 2, 3), np.uint8), [[1]]],
)
def test_pixels_of_another_form_are_refused_and_named(array):
    with pytest.raises(ValueError, match="Image pixels must be"):
        Image(array)


def test_the_digest_tells_pixels_and_shapes_apart_but_not_facts():
    flat, tall = np.zeros((1, 4, 3), np.uint8), np.zeros((4, 1, 3), np.uint8)
    assert Image(flat).digest != Image(tall).digest
    assert Image(flat) == Image(flat.copy(), meta={"camera": "x"})
    assert len({Image(flat), Image(flat.copy()), Image(tall)}) == 2


def test_white_shows_through_what_is_transparent():
    pixels = np.array([[[10, 20, 30, 0], [10, 20, 30, 255], [0, 0, 0, 128]]], np.uint8)
    assert Image(pixels).rgb().tolist() == [[[255, 255, 255], [10, 20, 30], [127, 127, 127]]]


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_a_saved_image_can_be_loaded(tmp_path, suffix):
    clear = Image(np.full((4, 5, 4), 255, np.uint8))
    clear.save(tmp_path / f"a{suffix}")
    loaded = load_image(tmp_path / f"a{suffix}")
    assert (loaded.width, loaded.height) == (5, 4)


@pytest.mark.parametrize("name", ["a.xyz", "a", "none/a.png"])
def test_an_image_that_cannot_be_written_says_why(tmp_path, name):
    with pytest.raises(ImageError, match="Cannot write"):
        GREY.save(tmp_path / name)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Boxes(((0.5, 0, 0.1, 1),)),
        lambda: Boxes(((0, 0, 640, 480),)),
        lambda: Boxes(((0, 0, float("nan"), 1),)),
        lambda: Boxes((LEFT,), labels=("a", "b")),
        lambda: Boxes((LEFT,), scores=(0.1, 0.2)),
        lambda: TextLines(("a",), ()),
        lambda: Points(((0.5, 12),)),
        lambda: Points(((0.5, 0.5),), (True, False)),
        lambda: Tags(("a",), scores=(1, 2)),
        lambda: Table(("a",), ((1, 2),)),
        lambda: Number(float("inf")),
    ],
)
def test_a_value_that_makes_no_sense_cannot_be_built(build):
    with pytest.raises(ValueError, match=r"got|for"):
        build()


def test_places_a_little_outside_are_moved_to_the_edge():
    assert Boxes(((-0.01, 0, 1.02, 1),)).xyxy == ((0.0, 0.0, 1.0, 1.0),)


def test_taking_and_filtering_keep_labels_scores_and_query_together():
    boxes = Boxes((LEFT, RIGHT), labels=("a", "b"), scores=(0.9, 0.4), query="q")
    assert boxes.take([1]) == Boxes((RIGHT,), labels=("b",), scores=(0.4,), query="q")
    assert boxes.above(0.5) == boxes.take([0])
    assert Boxes((LEFT,)).above(0.5) == Boxes((LEFT,))
    assert boxes.take([]) == Boxes((), query="q")


@pytest.mark.parametrize("seed", range(8))
def test_masks_are_coded_as_coco_codes_them(seed):
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 90, 2)
    mask = random.random((height, width)) < random.choice([0, 0.02, 0.5, 0.98, 1])
    mask[: height // 2, : width // 3] = seed % 2
    theirs = coco.encode(np.asfortranarray(mask, np.uint8))
    masks = Masks.from_array(mask[None])
    assert masks.rles[0]["counts"] == theirs["counts"].decode()
    assert masks.rles[0]["size"] == theirs["size"]
    assert (masks.to_array()[0] == mask).all()
    left, top, wide, high = coco.toBbox(theirs)
    box = (left / width, top / height, (left + wide) / width, (top + high) / height)
    assert region_boxes(masks).xyxy[0] == pytest.approx(box)


@pytest.mark.parametrize(
    ("region", "share"),
    [
        (Boxes(()), 0),
        (Boxes((LEFT,)), 0.5),
        (Boxes((LEFT, (0.25, 0.0, 0.75, 1.0))), 0.75),
        (Boxes(((0.5, 0.5, 0.5, 0.5),)), 1 / 2400),
        (Masks(()), 0),
        (Masks.from_array(corner_mask()[None]), 0.125),
        (Masks.from_array(corner_mask(80, 120)[None]), 1 / 32),
        (TextLines(("a",), (SQUARE,)), 0.25),
    ],
)
def test_a_region_covers_the_union_of_its_parts(region, share):
    mask = region_mask(region, 60, 40)
    assert mask.shape == (40, 60)
    assert mask.mean() == pytest.approx(share, abs=0.02 if share else 0)


def test_the_box_around_lines_and_boxes():
    lines = TextLines(("a",), (SQUARE,), labels=("t",), scores=(0.5,), query="text")
    around = Boxes(((0, 0, 0.5, 0.5),), labels=("t",), scores=(0.5,), query="text")
    assert region_boxes(lines) == around
    assert region_boxes(around) is around


@pytest.mark.parametrize(
    "value",
    [value for value in VALUES if hasattr(value, "overlay")]
    + [Boxes((LEFT,), labels=("人脸",)), Boxes(((0.99, 0.99, 1, 1),), labels=("x",))],
    ids=lambda value: value.kind,
)
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("size", [(1, 1), (40, 60)])
def test_drawing_changes_a_copy_of_the_same_size(value, channels, size):
    image = Image(np.full((*size, channels), 128, np.uint8))
    drawn = value.overlay(image)
    assert drawn.pixels.shape == image.pixels.shape
    assert (image.pixels == 128).all()
    if size != (1, 1):
        assert drawn != image


def test_the_number_of_a_line_stands_before_it_and_hides_no_letter():
    plain = Image(np.full((200, 300, 3), 128, np.uint8))
    square = ((0.5, 0.5), (0.9, 0.5), (0.9, 0.7), (0.5, 0.7))
    changed = (TextLines(("word",), (square,)).overlay(plain).pixels != 128).any(axis=2)
    assert changed[:, 100:145].any()
    assert not changed[105:135, 155:265].any()
    at_the_edge = tuple((x - 0.5, y) for x, y in square)
    assert TextLines(("word",), (at_the_edge,)).overlay(plain) != plain
