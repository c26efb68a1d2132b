import numpy as np
import pytest

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, Masks, SkillRegistry, TextLines
from llava_plus.skills.builtin import measuring
from llava_plus.skills.builtin.measuring import count, measure

BLANK = Image(np.zeros((300, 400, 3), np.uint8))
FACES = Boxes(((0.1, 0.1, 0.2, 0.3), (0.7, 0.7, 0.9, 0.9)), labels=("face",) * 2, query="face")
NOTE = TextLines(
    ("Total 12", "tea 3", "Totals of May", "合计 12"),
    tuple(((0.1, y), (0.5, y), (0.5, y + 0.1), (0.1, y + 0.1)) for y in (0.1, 0.3, 0.5, 0.7)),
    query="text",
)


def facts(table, row=0):
    return dict(zip(table.columns, table.rows[row], strict=True))


def test_both_are_skills_that_a_registry_takes():
    registry = SkillRegistry.from_module(measuring)
    assert registry["count"].signature() == "count(region: Region, *, label: str = None) -> Number"
    assert [spec.name for spec in registry] == ["count", "measure"]
    assert all(spec.examples and spec.backend == "builtin" for spec in registry)
    assert all(parameter.description for spec in registry for parameter in spec.parameters)


@pytest.mark.parametrize(
    ("region", "label", "says"),
    [
        (FACES, None, "2 faces"),
        (FACES.take([0]), None, "1 face"),
        (Boxes((), query="face"), None, "0 faces"),
        (Boxes(()), None, "0 boxes"),
        (Boxes(((0, 0, 1, 1),)), None, "1 box"),
        (Masks.from_array(np.ones((3, 2, 2), bool)), None, "3 masks"),
        (NOTE, None, "4 lines"),
        (FACES, "faces", "2 faces"),
        (FACES, "Face", "2 Faces"),
        (Boxes((), query="face"), "faces", "0 faces"),
        (Boxes(((0, 0, 1, 1),) * 3, labels=("cat", "dog", "cat")), "cats", "2 cats"),
        (Boxes(((0, 0, 1, 1),), labels=("cat",), query="cat . dog"), "dog", "0 dogs"),
        (NOTE, "total", '2 lines with "total"'),
        (NOTE, "合计", '1 line with "合计"'),
        (NOTE, "tota", '0 lines with "tota"'),
    ],
)
def test_count_says_how_many_of_what(region, label, says):
    assert count(region, label=label).describe() == says


@pytest.mark.parametrize(
    ("region", "label", "says"),
    [
        (FACES, "dog", "nobody looked for 'dog' here, there is 2 faces"),
        (Boxes((), query="face"), "dog", "there is no face"),
        (Boxes(((0, 0, 1, 1),)), "dog", "there is 1 box"),
        (FACES, "  ", "label must be a word"),
    ],
)
def test_what_nobody_looked_for_is_not_counted_as_zero(region, label, says):
    with pytest.raises(SkillError, match=says):
        count(region, label=label)


def test_a_box_is_measured_to_the_pixel():
    table = measure(BLANK, FACES)
    assert table.rows[0] == ("face 1", 40, 60, 2400, 2.0, "top left")
    assert table.rows[1] == ("face 2", 80, 60, 4800, 4.0, "bottom right")
    assert table.describe() == (
        "2 rows of thing, width, height, area, percent, position: "
        "face 1, 40, 60, 2400, 2, top left; face 2, 80, 60, 4800, 4, bottom right"
    )


def test_the_area_of_a_shape_is_its_own_and_not_its_box(coins):
    disc = np.hypot(*(np.mgrid[:300, :400] - np.array([[[150]], [[200]]]))) <= 60
    row = facts(measure(BLANK, Masks.from_array(disc[None])))
    assert (row["width"], row["height"], row["position"]) == (121, 121, "center")
    assert row["area"] == disc.sum()
    assert row["area"] == pytest.approx(np.pi * 60**2, rel=0.01)
    slanted = TextLines(("x",), (((0.0, 0.0), (0.5, 0.5), (0.5, 1.0), (0.0, 0.5)),))
    assert facts(measure(BLANK, slanted))["percent"] == 25


def test_a_face_on_a_photograph_is_measured_as_by_hand(astronaut, her_face):
    row = facts(measure(astronaut, her_face))
    assert row["thing"] == "face"
    assert (row["width"], row["height"]) == (pytest.approx(90, abs=1), pytest.approx(117, abs=1))
    assert row["position"] == "top"


@pytest.mark.parametrize(
    ("other", "gap", "middles", "direction"),
    [
        ((0.5, 0.1, 0.6, 0.3), 120, 160, "right"),
        ((0.1, 0.5, 0.2, 0.7), 60, 120, "below"),
        ((0.5, 0.5, 0.6, 0.7), 134, 200, "below right"),
        ((0.15, 0.1, 0.3, 0.3), 0, 30, "right"),
        ((0.1, 0.1, 0.2, 0.3), 0, 0, "same place"),
        ((0.0, 0.0, 0.04, 0.04), 30, 75, "above left"),
    ],
)
def test_distances_are_from_edge_to_edge_and_between_middles(other, gap, middles, direction):
    row = facts(measure(BLANK, FACES.take([0]), to=Boxes((other,))))
    assert (row["distance"], row["direction"]) == (gap, direction)
    assert row["center distance"] == middles


def test_the_nearest_of_several_counts():
    near = Boxes(((0.9, 0.1, 1.0, 0.3), (0.3, 0.1, 0.4, 0.3)))
    assert facts(measure(BLANK, FACES.take([0]), to=near))["distance"] == 40


def test_distances_between_shapes_are_right_to_a_thousandth_of_the_side():
    shapes = np.zeros((2, 3000, 4000), bool)
    shapes[0, 1000:1100, 500:600] = True
    shapes[1, 1000:1100, 2600:2700] = True
    one, other = (Masks.from_array(shape[None]) for shape in shapes)
    large = Image(np.zeros((3000, 4000, 3), np.uint8))
    row = facts(measure(large, one, to=other))
    assert row["distance"] == pytest.approx(2000, abs=8)
    assert row["center distance"] == 2100
    assert facts(measure(large, one, to=one))["distance"] == 0


def test_odd_pictures_and_regions_are_measured(odd_pictures):
    for name, image in odd_pictures.items():
        row = facts(measure(image, Boxes(((0.5, 0.5, 0.5001, 0.5001),)), to=FACES))
        assert row["width"] >= 1, name
        assert row["area"] >= 1, name
        assert measure(image, Boxes(((0, 0, 1, 1),))).rows[0][1:5] == (
            *(image.width, image.height, image.width * image.height),
            100,
        )


def test_hundreds_of_boxes_are_all_in_the_table_and_said_briefly():
    table = measure(BLANK, Boxes(((0.1, 0.1, 0.2, 0.2),) * 500, labels=("coin",) * 500))
    assert len(table) == 500
    assert table.describe().startswith("500 rows of thing, width")
    assert "more" in table.describe()[-20:]
    assert len(table.describe().split()) < 200


@pytest.mark.parametrize(
    "region", [Boxes((), query="dog"), Boxes(((0.5, 0.5, 0.5, 0.9),)), TextLines((), ())]
)
def test_measuring_nothing_is_refused_on_either_side(region):
    with pytest.raises(SkillError, match="measure: the region"):
        measure(BLANK, region)
    with pytest.raises(SkillError, match="measure: the region"):
        measure(BLANK, FACES, to=region)
