from typing import Annotated, Literal

import numpy as np
import pytest
from pydantic import Field

from llava_plus.skills import Boxes, Image, Number, Points, Region, SkillSpec, Text, Value, skill


@skill(examples=["blur the faces"], aliases=["smudge"], time_limit=5)
def blur(
    image: Image,
    region: Region | None = None,
    *,
    strength: Annotated[float, Field(ge=0, le=1)] = 0.5,
    outside: bool = False,
    side: Literal["left", "right"] | None = None,
) -> Image:
    """Blur a region of the image,
    for instance faces.

    Second paragraph.

    Args:
        image: The picture
            to look at.
        region (Region): Where.
        colour: Of no parameter.

    Returns:
        side: A picture.
    """
    return image


SPEC: SkillSpec = blur.__skill__


def test_the_function_stays_what_it_was():
    image = Image(np.zeros((2, 2, 3), np.uint8))
    assert blur(image) is image
    assert SPEC.function is blur
    assert blur.__name__ == "blur"


def test_a_spec_holds_what_planners_and_people_need():
    assert SPEC.name == "blur"
    assert SPEC.description == "Blur a region of the image, for instance faces."
    assert "Second paragraph." in SPEC.doc
    assert [p.name for p in SPEC.parameters] == ["image", "region", "strength", "outside", "side"]
    assert [p.required for p in SPEC.parameters] == [True, False, False, False, False]
    assert SPEC.parameter("region").kinds == ("boxes", "masks", "lines")
    assert SPEC.returns == ("image",)
    assert SPEC.examples == ("blur the faces",)
    assert SPEC.aliases == ("smudge",)
    assert SPEC.time_limit == 5
    assert SPEC.isolation == "inline"
    assert SPEC.backend == __name__


def test_a_signature_is_one_line():
    assert SPEC.signature() == (
        "blur(image: Image, region: Region = None, *, strength: float = 0.5, "
        "outside: bool = False, side: 'left' | 'right' = None) -> Image"
    )


def test_parameters_are_described_by_the_docstring():
    described = {p.name: p.description for p in SPEC.parameters}
    assert described["image"] == "The picture to look at."
    assert described["region"] == "Where."
    assert described["side"] == ""


def test_the_json_schema_says_what_a_call_may_hold():
    schema = SPEC.json_schema()
    assert schema["required"] == ["image"]
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert properties["image"]["pattern"] == "^(img)_[1-9][0-9]*$"
    assert [choice["type"] for choice in properties["region"]["anyOf"]] == [
        "string",
        "array",
        "array",
    ]
    assert properties["strength"] == {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5}
    assert properties["side"]["anyOf"][0]["enum"] == ["left", "right"]


def returning(**annotations):
    """A function with the docstring, parameters and return type given."""

    def find(image, thing):
        """Find a thing."""

    find.__annotations__ = {"image": Image, "thing": str, "return": Text} | annotations
    return find


def test_a_skill_can_have_another_name_than_its_function():
    assert skill(name="look_up")(returning()).__skill__.name == "look_up"


@pytest.mark.parametrize(
    ("annotation", "shown"),
    [
        (Region, "Region"),
        (Region | Points, "Region | Points"),
        (Boxes | Points, "Boxes | Points"),
        (Annotated[Boxes | None, Field(description="where")], "Boxes"),
        (Value, "Value"),
        (str | None, "str"),
        (list[int], "list[int]"),
        (tuple[float, ...], "tuple[float, ...]"),
        (int | str, "int | str"),
    ],
)
def test_a_type_is_shown_as(annotation, shown):
    function = returning(thing=annotation)
    assert skill(function).__skill__.parameter("thing").wanted == shown


def test_the_version_changes_with_the_source_and_only_then():
    def one(image: Image) -> Number:
        """Count."""
        return Number(1)

    def two(image: Image) -> Number:
        """Count."""
        return Number(2)

    assert skill(one).__skill__.version == skill(one).__skill__.version
    assert skill(one).__skill__.version != skill(two).__skill__.version
