from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import Field

from llava_plus.errors import SetupError
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


def lacking_a_doc(image: Image) -> Image:
    return image


def lacking_a_return(image: Image):
    """Look."""


def taking_anything(image: Image, **options: float) -> Image:
    """Look."""
    return image


def taking_many(*images: Image) -> Image:
    """Look."""
    return images[0]


def bare(image: Image, strength) -> Image:
    """Look."""
    return image


def bad_default(image: Image, strength: Annotated[float, Field(le=1)] = 3) -> Image:
    """Look."""
    return image


def default_box(image: Image, region: Boxes = Boxes(())) -> Image:  # noqa: B008
    """Look."""
    return image


def unknown_type(image: "Picture") -> Image:  # noqa: F821
    """Look."""
    return image


async def waiting(image: Image) -> Image:
    """Look."""
    return image


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (bare, "parameter 'strength' lacks a type"),
        (returning(thing=Any), "parameter 'thing' lacks a type"),
        (returning(thing=np.ndarray), "parameter 'thing' has a type that a planner cannot write"),
        (returning(thing=object()), "cannot be read|planner cannot write"),
        (returning(thing=Image | str), "parameter 'thing' mixes values and plain types"),
        (returning(thing=list[Image]), "parameter 'thing' has a type that a planner cannot write"),
        (bad_default, "parameter 'strength': default 3: .*less than or equal to 1"),
        (default_box, "parameter 'region' can only have None as its default"),
        (taking_anything, "options: float"),
        (taking_many, "images"),
        (unknown_type, "Picture"),
        (lacking_a_doc, "docstring"),
        (lacking_a_return, "say what it returns"),
        (
            returning(**{"return": str}),
            "say what it returns, as in '-> Image'. One of: Image, Boxes",
        ),
        (returning(**{"return": Image | None}), "say what it returns"),
        (returning(**{"return": Image | str}), "say what it returns"),
        (waiting, "'def' instead of 'async def'"),
    ],
)
def test_a_wrong_declaration_names_what_is_wrong_and_where(function, words):
    with pytest.raises(SetupError, match=words) as caught:
        skill(function)
    assert str(caught.value).startswith("test_spec.py:")
    assert function.__name__ in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "Blur It"}, "small letters"),
        ({"name": "2d"}, "small letters"),
        ({"time_limit": 0}, "time_limit"),
        ({"time_limit": float("nan")}, "time_limit"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(SetupError, match=words):
        skill(**options)(returning())


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
