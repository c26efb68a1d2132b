import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data
from skimage.color import rgb2lab
from skimage.measure import blur_effect

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, SkillRegistry, load_image
from llava_plus.skills.builtin import describing
from llava_plus.skills.builtin.describing import describe
from llava_plus.skills.builtin.likeness import blurriness

EXAMPLES = Path(__file__).parents[2] / "ui" / "examples"
PLAINLY = "what the picture shows beyond it is not known here"


def example(name):
    return load_image(EXAMPLES / f"{name}.jpg")


def test_it_is_a_skill_that_a_registry_takes():
    spec = SkillRegistry.from_module(describing)["describe"]
    assert spec.signature() == "describe(image: Image, *, region: Region = None) -> Text"
    assert spec.examples
    assert all(parameter.description for parameter in spec.parameters)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "found", "read"),
    [
        ("astronaut", "512x512 pixels, square", "1 face, no code", None),
        ("grace_hopper", "512x600 pixels, portrait", "1 face, no code", "HOPPER"),
        ("notice", "640x480 pixels, landscape", "no face, 1 code", '"Saturday 10:00 - 16:00"'),
        ("chelsea", "451x300 pixels, landscape", "no face, no code", None),
        ("coffee", "600x400 pixels, landscape", "no face, no code", None),
        ("rocket", "640x427 pixels, landscape", "no face, no code", None),
    ],
)
def test_what_is_in_a_photograph_is_measured_and_nothing_invented(name, size, found, read):
    text = describe(example(name)).text
    assert size in text
    assert f"Found in it: {found}." in text
    assert ("No text was read" in text) == (read is None)
    assert read is None or read in text
    assert PLAINLY in text
    assert not re.search(r"\b(cat|cup|woman|rocket|astronaut|person|animal)\b", text)


@pytest.mark.slow
def test_light_and_sharpness_are_those_that_scikit_image_measures():
    image = example("rocket")
    text = describe(image).text
    lightness = rgb2lab(image.pixels)[..., 0]
    grey = cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)
    assert f"It is dark (mean lightness {lightness.mean():.0f} of 100)" in text
    assert f"(lightness spreads by {lightness.std():.0f})" in text
    assert f"sharp (blur {blur_effect(grey):.2f} of 1)" in text


@pytest.mark.parametrize("name", ["camera", "coins", "moon", "page", "brick", "grass", "text"])
def test_blurriness_is_what_scikit_image_measures(name):
    grey = getattr(data, name)()
    soft = cv2.GaussianBlur(grey, (0, 0), 2)
    assert blurriness(grey) == pytest.approx(blur_effect(grey), abs=2e-3)
    assert blurriness(soft) == pytest.approx(blur_effect(soft), abs=2e-3)
    assert blurriness(soft) > blurriness(grey) + 0.15


@pytest.mark.slow
def test_a_blurred_and_darkened_picture_is_called_so():
    pixels = example("coffee").pixels
    soft = cv2.GaussianBlur(pixels, (0, 0), 4) // 4
    text = describe(Image(soft)).text
    assert "It is very dark" in text
    assert "Its edges are blurred" in text


@pytest.mark.slow
def test_only_the_part_that_the_region_covers_is_described():
    notice = example("notice")
    top = describe(notice, region=Boxes(((0.0, 0.0, 1.0, 0.3),))).text
    assert "The picture is 640x480 pixels, landscape." in top
    assert "a part of 640x144 pixels was looked at" in top
    assert "no face, no code" in top
    assert "Harbour" in top
    assert "Saturday" not in top


@pytest.mark.slow
def test_odd_pictures_are_described(odd_pictures):
    for name in ("one pixel", "very wide", "transparent", "plain"):
        image = odd_pictures[name]
        text = describe(image).text
        assert f"{image.width}x{image.height} pixels" in text, name
        assert "no face, no code" in text, name
        assert PLAINLY in text, name
    plain = describe(odd_pictures["plain"]).text
    assert "one plain surface, so its sharpness cannot be told" in plain
    assert "Main colors: gray 100 %." in plain


@pytest.mark.slow
def test_a_page_full_of_text_still_ends_with_what_is_not_known():
    page = Image.from_array(np.tile(data.page(), (3, 2)))
    said = describe(page).describe()
    assert "Text read in it" in said
    assert PLAINLY in said
    assert len(said.split()) < 200


@pytest.mark.parametrize("region", [Boxes((), query="face"), Boxes(((0.5, 0.5, 0.5, 0.9),))])
def test_describing_nothing_is_refused(region):
    with pytest.raises(SkillError, match="describe: the region"):
        describe(Image(np.zeros((9, 9, 3), np.uint8)), region=region)
