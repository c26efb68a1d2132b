"""Mistakes in declaring a skill: each sentence says what came, what was wanted, what to do."""

import functools
import types
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

import numpy as np
import PIL.Image
import pytest
from pydantic import Field

from llava_plus.errors import SetupError
from llava_plus.skills import Boxes, Image, Number, Region, SkillRegistry, Text, skill

VALUES = "Image, Boxes, Masks, Points, TextLines, Tags, Text, Number, Table"
PLAIN = "Take a value such as Image or Boxes, or str, int, float, bool, Literal or a list"
PICTURE = (
    "Write Image, from llava_plus.skills: image.rgb() is its array, "
    "image.to_pil() the Pillow picture"
)


def returning(**annotations):
    """A function with the docstring, parameters and return type given."""

    def find(image, thing):
        """Find a thing."""

    find.__annotations__ = {"image": Image, "thing": str, "return": Text} | annotations
    return find


def refused(thing, **options):
    """Return what is said of it."""
    with pytest.raises(SetupError) as caught:
        (skill(**options) if options else skill)(thing)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def without_doc(image: Image) -> Image:
    return image


def with_empty_doc(image: Image) -> Image:
    """ """
    return image


def beginning_with_args(image: Image) -> Image:
    """Args:
    image: A picture.
    """
    return image


def without_return(image: Image):
    """Look."""


def bare(image: Image, strength=0.5) -> Image:
    """Look."""
    return image


def bare_picture(img) -> Image:
    """Look."""
    return img


def bare_region(image: Image, box) -> Image:
    """Look."""
    return image


def bare_letters(image: Image, words="none") -> Image:
    """Look."""
    return image


def any_number(*images: Image) -> Image:
    """Look."""
    return images[0]


def any_options(image: Image, **options: float) -> Image:
    """Look."""
    return image


def before_slash(image: Image, /) -> Image:
    """Look."""
    return image


def above_range(image: Image, strength: Annotated[float, Field(le=1)] = 3) -> Image:
    """Look."""
    return image


def wrong_default(image: Image, strength: float = "0.5") -> Image:
    """Look."""
    return image


def none_default(image: Image, strength: float = None) -> Image:  # noqa: RUF013
    """Look."""
    return image


def box_default(image: Image, box: Boxes = Boxes(())) -> Image:  # noqa: B008
    """Look."""
    return image


def region_default(image: Image, region: Region = Boxes(())) -> Image:  # noqa: B008
    """Look."""
    return image


def not_imported(image: "Picture") -> Image:  # noqa: F821
    """Look."""
    return image


async def waiting(image: Image) -> Image:
    """Look."""
    return image


def yielding(image: Image) -> Iterator[Image]:
    """Look."""
    yield image


class Holder:
    def method(self, image: Image) -> Image:
        """Look."""
        return image

    @staticmethod
    def loose(image: Image) -> Image:
        """Look."""
        return image


METHOD = (
    "it is a method of Holder. Move it out of the class, or write @skill above the class, "
    "which then has '__call__' and may have 'load'"
)
MISTAKES = [
    (
        without_doc,
        "it needs a docstring, which is what the planner reads: in its first line what it does, "
        'as in """Blur a region of the picture."""',
    ),
    (
        with_empty_doc,
        "it needs a docstring, which is what the planner reads: in its first line what it does, "
        'as in """Blur a region of the picture."""',
    ),
    (beginning_with_args, "its docstring must begin with what it does, not with 'Args:'"),
    # parameters
    (bare, "parameter 'strength' lacks a type. Write 'strength: float'"),
    (bare_picture, "parameter 'img' lacks a type. Write 'img: Image'"),
    (bare_region, "parameter 'box' lacks a type. Write 'box: Region'"),
    (bare_letters, "parameter 'words' lacks a type. Write 'words: str'"),
    (
        any_number,
        "*images takes any number of arguments, which a planner "
        "cannot name. Write each as a parameter of its own, such as 'second: Image | None = None'",
    ),
    (
        any_options,
        "**options takes any number of arguments, which a planner cannot name. "
        "Write each as a parameter of its own, such as 'second: Image | None = None'",
    ),
    (before_slash, "parameter 'image' stands before '/', but calls name what they give. Remove t"),
    (returning(thing=Any), f"parameter 'thing' is Any, so nothing could check it. {PLAIN}"),
    (
        returning(thing=np.ndarray),
        f"parameter 'thing' has a type that a planner cannot write (numpy.ndarray). {PICTURE}",
    ),
    (
        returning(thing=PIL.Image),
        f"parameter 'thing' has a type that a planner cannot write (the module PIL.Image). "
        f"{PICTURE}",
    ),
    (
        returning(thing=list[Image]),
        "parameter 'thing' has a type that a planner cannot write (list[Image]). "
        "Each value is a parameter of its own, such as 'first: Image, second: Image'",
    ),
    (
        returning(thing=types.SimpleNamespace),
        f"parameter 'thing' has a type that a planner cannot write (types.SimpleNamespace). "
        f"{PLAIN}",
    ),
    (
        returning(thing=Image | str),
        "parameter 'thing' mixes values and plain types (Image | str). "
        "Make two parameters of it, which may be None",
    ),
    (not_imported, "its types cannot be read: name 'Picture' is not defined. Import what they"),
    # defaults
    (
        above_range,
        "parameter 'strength': default 3: input should be less than or equal to 1. "
        "Change the default, or the type",
    ),
    (
        wrong_default,
        "parameter 'strength': default '0.5': input should be a valid number. "
        "Change the default, or the type",
    ),
    (
        none_default,
        "parameter 'strength' is None if left out, but its type says that it never is. "
        "Write 'strength: float | None = None'",
    ),
    (
        box_default,
        "parameter 'box' can only have None as its default. "
        "Write 'box: Boxes | None = None' and make the default in the function",
    ),
    (region_default, "Write 'region: Region | None = None' and make the default in the function"),
    # what comes out
    (
        without_return,
        f"it lacks a return type. Say what it returns, as in '-> Image'. One of: {VALUES}",
    ),
    (
        returning(**{"return": None}),
        f"it returns nothing. Return a value, as in '-> Image'. One of: {VALUES}",
    ),
    (
        returning(**{"return": Image | None}),
        "it may return None, which is no value. Raise SkillError where there is no result, "
        "and write '-> Image'",
    ),
    (returning(**{"return": str}), "it returns str, which is no value. Wrap it: '-> Text'"),
    (returning(**{"return": int}), "it returns int, which is no value. Wrap it: '-> Number'"),
    (
        returning(**{"return": list[str]}),
        "it returns list[str], which is no value. Wrap it: '-> Table'",
    ),
    (
        returning(**{"return": np.ndarray}),
        "it returns numpy.ndarray, which is no value. Wrap it: '-> Image'",
    ),
    (
        returning(**{"return": tuple[Image, Number]}),
        "A skill returns one value: make two skills of it",
    ),
    (returning(**{"return": object}), f"which is no value. Return one of: {VALUES}"),
    # not a plain function
    (waiting, "write 'def' instead of 'async def', it runs in a thread"),
    (yielding, "it yields, but a skill gives one value. Write 'return'"),
    (Holder.method, METHOD),
    (vars(Holder)["loose"], METHOD),
    (lambda image: image, "a lambda has no types and no docstring. Write it with 'def'"),
]


@pytest.mark.parametrize(("function", "words"), MISTAKES, ids=[words[:30] for _, words in MISTAKES])
def test_a_wrong_declaration_says_what_to_do_and_where(function, words):
    told = refused(function)
    assert words in told
    assert told.startswith(f"test_declaration.py:{_line(function)}: skill '{function.__name__}': ")
    assert told.endswith(".")


def _line(function):
    return getattr(function, "__wrapped__", function).__code__.co_firstlineno


@pytest.mark.parametrize(
    "thing", ["blur", 3, None.__class__, len, functools.partial(without_doc), types, Holder()]
)
def test_what_is_no_function_is_no_skill(thing):
    told = refused(thing)
    assert "wanted a function" in told or "lacks '__call__'" in told


def test_options_have_names():
    assert refused("blur") == (
        "@skill got 'blur', wanted a function. Write it above a 'def'; its options have names, "
        "as in @skill(name='find_edges')."
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "Blur It"}, "skill 'Blur It': a name is small letters, digits and _, such as"),
        ({"name": "2d"}, "a name is small letters, digits and _, such as 'find_edges'"),
        ({"time_limit": 0}, "time_limit is in seconds, above 0, got 0"),
        ({"time_limit": float("nan")}, "time_limit is in seconds, above 0, got nan"),
        ({"time_limit": "30"}, "time_limit is in seconds, above 0, got '30'"),
        ({"memory_limit": -1}, "memory_limit is in MiB, above 0, got -1"),
        ({"memory_limit": None}, "memory_limit is in MiB, above 0, got None"),
        ({"isolation": "process"}, "isolation is 'worker' or 'inline', got 'process'"),
        ({"examples": "blur it"}, "examples is a list of strings, as in ['one'], got 'blur it'"),
        ({"aliases": "smudge"}, "aliases is a list of strings, as in ['one'], got 'smudge'"),
        ({"aliases": [""]}, "aliases is a list of strings, as in ['one'], got ['']"),
        ({"examples": [1]}, "examples is a list of strings, as in ['one'], got [1]"),
    ],
)
def test_wrong_options_are_refused(options, words):
    assert words in refused(returning(), **options)


def test_a_name_of_a_built_in_skill_is_told_apart_from_another():
    def described(image: Image) -> Text:
        """Say what it is."""
        return Text("")

    mine = SkillRegistry([skill(name="count")(described)])
    registry = SkillRegistry([skill(name="count")(returning())])
    with pytest.raises(SetupError) as caught:
        registry.merge(mine)
    lines = sorted(function.__code__.co_firstlineno for function in (described, returning()))
    assert str(caught.value) == (
        f"There are two skills 'count': that in test_declaration.py:{lines[0]} and that in "
        f"test_declaration.py:{lines[1]}. Give one another name, as in "
        "@skill(name='my_count'), or use with_prefix."
    )


def test_two_functions_of_one_name_in_a_file_are_both_named(tmp_path):
    file = tmp_path / "mine.py"
    once = '@skill\ndef look(image: Image) -> Image:\n    """Look."""\n    return image\n\n'
    file.write_text("from llava_plus.skills import Image, skill\n" + once + once)
    with pytest.raises(SetupError) as caught:
        SkillRegistry.from_file(file)
    assert str(caught.value).startswith(f"{file}:")
    assert "the skill 'look' in line 8 replaces that in line 3. Give one of the two" in str(
        caught.value
    )


def test_a_default_stands_in_the_schema_as_json():
    @skill
    def on(image: Image, day: date = date(2020, 1, 2)) -> Text:
        """Look at a day."""
        return Text("")

    assert on.__skill__.json_schema()["properties"]["day"]["default"] == "2020-01-02"
    assert on.__skill__.parameter("day").default == date(2020, 1, 2)
