"""LLaVA-Plus's names for scenes, sizes, examples and retrieval, before small skills of ours."""

import asyncio

import numpy as np
import pytest

from llava_plus.agent.dialects.plus import output
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Call,
    Image,
    Masks,
    Points,
    Region,
    Runtime,
    SkillRegistry,
    Table,
    default_registry,
    region_mask,
    skill,
    with_original_names,
)


@skill
def segment_scene(image: Image) -> Masks:
    """Take all for sky."""
    return Masks.from_array(np.ones((1, image.height, image.width), bool), labels=("sky",))


@skill
def segment_levels(image: Image, points: Points) -> Masks:
    """Outline the pixel of a point, and all."""
    masks = np.zeros((2, image.height, image.width), bool)
    ((x, y),) = points.xy
    masks[0, int(y * image.height), int(x * image.width)] = masks[1] = True
    return Masks.from_array(masks)


@skill
def segment_alike(image: Image, reference: Image, region: Region) -> Masks:
    """Outline the region, as wide as the reference has columns."""
    mask = region_mask(region, image.width, image.height)
    return Masks.from_array(mask[None], query=f"{reference.width} wide")


@skill(cache=False)
def search_images(text: str = "", *, image: Image | None = None, most: int = 10) -> Table:
    """Find the same two."""
    rows = ((4, "trip/beach at noon.jpg", 0.91234), (2, "b.tar.png", 0.5))[:most]
    return Table(("picture", "file", "likeness"), rows)


OURS = SkillRegistry([segment_scene, segment_levels, segment_alike, search_images])


def ask(name, params, skills=OURS):
    """Call an API on a picture of 20 x 10, with one of 30 x 30 and a box beside it."""
    artifacts = Artifacts()
    for size in ((10, 20), (30, 30)):
        artifacts.add(Image(np.full((*size, 3), 200, np.uint8)))
    artifacts.add(Boxes(((0.0, 0.0, 0.5, 1.0),)))
    call = Call(id="c", skill=name, args={"image": "img_1", **params})
    seen = asyncio.run(Runtime(with_original_names(skills), artifacts).run(call))
    return seen, artifacts[seen.handle].value if seen.handle else None


def test_a_scene_is_divided_and_the_planner_reads_that_it_is():
    seen, masks = ask("openseed", {})
    assert (seen.backend, masks.labels) == ("segment_scene", ("sky",))
    assert output("openseed", masks) == {"message": "The controlnet has processed the image."}


@pytest.mark.parametrize(
    "params",
    [
        {"point": [0.5, 0.3]},
        {"point": [[0.5, 0.3]]},
        {"boxes": [[0.4, 0.2, 0.6, 0.4]]},
        {"boxes": [0.4, 0.2, 0.6, 0.4]},
    ],
)
@pytest.mark.parametrize("name", ["semantic-sam", "semantic_sam"])
def test_sizes_around_a_point_or_the_middle_of_a_box(name, params):
    seen, masks = ask(name, params)
    assert seen.backend == "segment_levels"
    assert np.argwhere(masks.to_array()[0]).tolist() == [[3, 10]]
    assert len(masks) == 2
    assert output(name, masks) == {"message": f"The {name} has processed the image."}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "give either point or boxes"),
        ({"point": [0.5, 0.5], "boxes": [[0, 0, 1, 1]]}, "give either point or boxes"),
        ({"point": "img_1"}, "point wants 2 numbers from 0 to 1, such as [[0.5, 0.3]], got img_1"),
        ({"point": [0.5]}, "point wants 2 numbers"),
        ({"point": [[0.1, 0.2], [0.3, 0.4]]}, "point wants 2 numbers"),
        ({"point": [300, 20]}, "places are fractions of the picture, 0 to 1"),
        ({"boxes": [[0.6, 0, 0.1, 1]]}, "a box is [left, top, right, bottom]"),
        ({"boxes": []}, "boxes wants 4 numbers"),
    ],
)
def test_a_place_that_is_none_is_refused(params, said):
    seen, _ = ask("semantic-sam", params)
    assert seen.error == "skill"
    assert said in seen.text


def test_what_a_reference_marks_is_looked_for():
    seen, masks = ask("seem", {"refimg": "img_2", "refmask": "boxes_1"})
    assert (seen.backend, masks.query) == ("segment_alike", "30 wide")
    assert masks.to_array().sum() == 100
    assert "message" in output("seem", masks)
    assert "refimg is missing" in ask("seem", {})[0].text


@pytest.mark.parametrize("name", ["clip", "retrieval"])
def test_similar_pictures_are_told_as_captions_with_similarity(name):
    seen, table = ask(name, {})
    assert seen.backend == "search_images"
    assert output(name, table) == {
        "retrieval_results": [
            {"caption": "beach at noon", "similarity": 0.91},
            {"caption": "b.tar", "similarity": 0.5},
        ]
    }


@pytest.mark.parametrize(
    ("name", "params", "command"),
    [
        ("openseed", {}, "pull mask2former"),
        ("semantic-sam", {"point": [0.5, 0.32]}, "pull sam"),
        ("seem", {"refimg": "img_2", "refmask": "boxes_1"}, "pull sam"),
        ("retrieval", {}, "pull siglip"),
    ],
)
def test_without_a_model_it_is_said_how_to_get_one(name, params, command):
    seen, value = ask(name, params, default_registry())
    assert (seen.ok, value) == (False, None)
    assert f"Run: llava-plus skills {command}" in seen.text
