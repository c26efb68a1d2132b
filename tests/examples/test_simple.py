"""The examples without a model, each on real photographs and on what breaks careless code."""

import asyncio

import numpy as np
import pytest

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Call, Image


def call(runtime, skill, **args):
    return asyncio.run(runtime.run(Call(id="c", skill=skill, args=args)))


ODD = {
    "one pixel": np.full((1, 1, 3), 7, np.uint8),
    "one row": np.full((1, 300, 3), 7, np.uint8),
    "transparent": np.full((50, 60, 4), 90, np.uint8),
}


@pytest.mark.parametrize("pixels", ODD.values(), ids=ODD)
@pytest.mark.parametrize(
    ("file", "name", "more"),
    [
        ("instant_photo.py", "instant_photo", {}),
        ("check_exposure.py", "check_exposure", {}),
        ("find_color.py", "find_color", {"color": "red"}),
        ("before_after.py", "before_after", {}),
    ],
)
def test_odd_pictures_break_nothing(example, file, name, more, pixels):
    image = Image(pixels)
    pictures = (image, image) if name == "before_after" else (image,)
    assert example(file)[name](*pictures, **more).describe()


def test_the_instant_photo_holds_the_picture_unchanged(example, photo):
    coffee = photo("coffee")
    framed = example("instant_photo.py")["instant_photo"](coffee, border=0.1)
    edge = round(0.1 * min(coffee.width, coffee.height))
    assert (framed.width, framed.height) == (coffee.width + 2 * edge, coffee.height + 5 * edge)
    inner = framed.pixels[edge : edge + coffee.height, edge : edge + coffee.width]
    assert np.array_equal(inner, coffee.rgb())
    assert (framed.pixels[-1] == (248, 246, 240)).all()


def test_exposure_tells_a_dark_photograph_from_a_burnt_one(example, photo):
    check = example("check_exposure.py")["check_exposure"]
    coffee = photo("coffee")

    def shares(pixels):
        return dict(check(Image(pixels.astype(np.uint8))).rows)

    plain = shares(coffee.rgb())
    assert sum(plain.values()) == pytest.approx(100, abs=0.3)
    assert plain["burnt out"] < 5
    assert shares(coffee.rgb() // 20)["dark"] + shares(coffee.rgb() // 20)["black"] == 100
    assert shares(np.minimum(coffee.rgb() * 4.0, 255))["burnt out"] > plain["burnt out"] + 20


def test_exposure_can_be_measured_in_a_region_and_plotted(runtime, photo):
    work = runtime("check_exposure.py", photo("rocket"))
    everywhere = call(work, "check_exposure", image="img_1")
    corner = call(work, "check_exposure", image="img_1", region=[0, 0, 0.2, 0.2])
    assert (everywhere.handle, corner.handle) == ("table_1", "table_2"), everywhere.text
    assert everywhere.text != corner.text
    assert call(work, "plot", table="table_1").kind == "image"


def test_the_orange_suit_is_found_and_cropped(runtime, photo):
    astronaut = photo("astronaut")
    work = runtime("find_color.py", astronaut)
    found = call(work, "find_color", image="img_1", color="orange", least=2)
    suit = work.artifacts[found.handle].value
    masks = suit.to_array()
    assert 0.1 < masks[0].mean() < 0.5
    assert masks[0].sum() == max(mask.sum() for mask in masks)
    hue = np.asarray(Image(astronaut.pixels).to_pil().convert("HSV"))[..., 0][masks[0]]
    assert 8 <= np.median(hue) * 360 / 256 <= 44
    cropped = call(work, "crop", image="img_1", region=found.handle)
    assert cropped.ok, cropped.text
    assert call(work, "count", region=found.handle).text.startswith(f"{len(suit)} ")


def test_a_color_that_is_not_there_is_an_answer(example, photo):
    find = example("find_color.py")["find_color"]
    nothing = find(Image(np.full((40, 40, 3), 128, np.uint8)), "green")
    assert len(nothing) == 0
    assert nothing.cite() == "no green part"


def test_red_lies_on_both_ends_of_the_circle(example):
    find = example("find_color.py")["find_color"]
    for color in ((255, 0, 30), (255, 20, 0)):
        masks = find(Image(np.full((40, 40, 3), color, np.uint8)), "red")
        assert masks.to_array().all()


def test_at_most_twenty_parts_of_a_color_are_kept(example):
    dots = np.zeros((300, 300, 3), np.uint8)
    dots[::20, ::20] = (0, 255, 0)
    assert len(example("find_color.py")["find_color"](Image(dots), "green", least=0)) == 20


@pytest.mark.parametrize(("direction", "axis"), [("across", 1), ("down", 0)])
def test_before_and_after_meet_at_the_line(example, photo, direction, axis):
    before = photo("coffee")
    after = Image.from_array(255 - before.rgb())
    joined = example("before_after.py")["before_after"](
        before, after, at=0.4, direction=direction, line=0
    )
    edge = round(0.4 * before.rgb().shape[axis])
    first, second = np.split(joined.pixels, [edge], axis)
    assert np.array_equal(first, np.split(before.rgb(), [edge], axis)[0])
    assert np.array_equal(second, np.split(after.rgb(), [edge], axis)[1])


def test_a_smaller_copy_is_brought_to_size(example, photo):
    before = photo("coffee")
    small = Image(np.ascontiguousarray(before.rgb()[::2, ::2]))
    joined = example("before_after.py")["before_after"](before, small, at=0)
    assert (joined.width, joined.height) == (before.width, before.height)
    assert np.abs(joined.pixels[:, 10:].astype(int) - before.rgb()[:, 10:]).mean() < 12


def test_pictures_of_other_shapes_are_refused_with_what_to_do(runtime, example, photo):
    coffee = photo("coffee")
    square = Image(np.ascontiguousarray(coffee.rgb()[:300, :300]))
    with pytest.raises(SkillError, match=r"600x400 and 300x300\. Crop or resize one of them"):
        example("before_after.py")["before_after"](coffee, square)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"at": 1.5}, "at cannot be 1.5: input should be less than or equal to 1, or leave it out"),
        ({"line": 2.5}, "line cannot be 2.5: input should be a valid integer"),
        ({"direction": "up"}, "direction cannot be \"up\": input should be 'across' or 'down'"),
    ],
)
def test_ranges_are_checked_before_the_skill_runs(runtime, photo, args, words):
    work = runtime("before_after.py", photo("coffee"))
    observation = call(work, "before_after", image="img_1", other="img_1", **args)
    assert observation.error == "skill"
    assert words in observation.text


def test_an_empty_region_measures_everywhere(example, photo):
    check = example("check_exposure.py")["check_exposure"]
    assert check(photo("coffee"), Boxes(())) == check(photo("coffee"))
