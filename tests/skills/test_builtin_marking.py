import numpy as np
import pytest
from PIL import ImageFont

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, Masks, Points, TextLines
from llava_plus.skills.builtin import ocr
from llava_plus.skills.builtin.marking import add_text, draw

SHAPES = ("box", "outline", "circle", "arrow", "highlight")
BOX = Boxes(((0.25, 0.25, 0.5, 0.75),))
GREY = Image(np.full((200, 300, 3), 128, np.uint8))


def changed(new, old):
    """Return (height, width): where two pictures differ."""
    return (new.pixels[..., :3] != old.pixels[..., :3]).any(axis=2)


def frame(mask):
    """Return left, top, right and bottom of what is marked, in 0..1."""
    y, x = np.nonzero(mask)
    height, width = mask.shape
    return x.min() / width, y.min() / height, (x.max() + 1) / width, (y.max() + 1) / height


def has_chinese_font():
    try:
        ImageFont.truetype("NotoSansCJK-Regular.ttc", 20)
    except OSError:
        return False
    return True


def test_a_box_is_drawn_around_the_region_in_its_colour_and_nothing_inside():
    new = draw(GREY, BOX, color="lime")
    where = changed(new, GREY)
    assert frame(where) == pytest.approx((0.25, 0.25, 0.5, 0.75), abs=0.02)
    assert (new.pixels[where] == (0, 255, 0)).all(axis=1).mean() > 0.9
    assert not where[80:120, 100:130].any()


def test_thickness_is_of_the_lines():
    inks = [changed(draw(GREY, BOX, thickness=t), GREY).sum() for t in (1, 2, 4)]
    assert inks[0] * 1.5 < inks[1] < inks[2] / 1.5


def test_an_outline_follows_the_mask_and_a_highlight_covers_just_it(astronaut):
    y, x = np.mgrid[:512, :512]
    disc = (x - 200) ** 2 + (y - 250) ** 2 < 90**2
    masks = Masks.from_array(disc[None])
    rim = changed(draw(astronaut, masks, shape="outline"), astronaut)
    far = np.abs(np.hypot(x - 200, y - 250) - 90)
    assert far[rim].max() < 5
    assert rim[(far < 1)].mean() > 0.9
    lit = changed(draw(astronaut, masks, shape="highlight", color="yellow"), astronaut)
    assert not lit[~disc].any()
    assert lit[disc].mean() > 0.9


def test_a_circle_goes_around_the_whole_box():
    where = changed(draw(GREY, BOX, shape="circle"), GREY)
    assert not where[60:140, 85:140].any()
    left, top, right, bottom = frame(where)
    assert left < 0.25 < 0.5 < right
    assert top < 0.25 < 0.75 < bottom


@pytest.mark.parametrize("place", [(0.1, 0.1), (0.9, 0.2), (0.5, 0.9), (0.0, 1.0)])
def test_an_arrow_ends_at_the_point(place):
    where = changed(draw(GREY, Points((place,)), shape="arrow"), GREY)
    y, x = np.nonzero(where)
    at = np.array(place) * (299, 199)
    assert np.hypot(x - at[0], y - at[1]).min() < 6
    assert where.sum() > 100


def test_every_part_and_point_gets_a_mark():
    two = Boxes(((0.05, 0.1, 0.2, 0.4), (0.7, 0.5, 0.9, 0.9)))
    for region in (two, Points(((0.1, 0.2), (0.8, 0.7)))):
        where = changed(draw(GREY, region), GREY)
        assert where[:, :100].any()
        assert where[:, 200:].any()
        assert not where[:, 100:200].any()


def test_ink_shows_on_what_is_transparent_and_the_rest_stays_transparent():
    clear = Image(np.zeros((200, 300, 4), np.uint8))
    new = draw(clear, BOX, color="#ff8800").pixels
    assert (new[50, 75:150] == (255, 136, 0, 255)).all()
    assert (new[80:120, 100:130] == 0).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["one pixel", "one row", "very wide", "transparent"])
def test_odd_pictures_are_marked_too(odd_pictures, name, shape):
    image = odd_pictures[name]
    lines = TextLines(("x",), (((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)),))
    for region in (BOX, lines, Points(((1.0, 1.0),))):
        assert draw(image, region, shape=shape).pixels.shape == image.pixels.shape


@pytest.mark.parametrize(
    "how",
    [
        {"region": Boxes(())},
        {"region": Points(())},
        {"region": Boxes(((0.5, 0.5, 0.5, 0.5),))},
        {"region": BOX, "color": "blurple"},
        {"region": BOX, "color": "x" * 10_000},
        {"region": BOX, "thickness": float("nan")},
        {"region": BOX, "thickness": 0},
    ],
)
def test_what_cannot_be_drawn_is_said(how):
    with pytest.raises(SkillError, match=r"^draw: .+\."):
        draw(GREY, **how)


@pytest.mark.parametrize(
    ("place", "x", "y"),
    [("top left", 0, 0), ("top", 1, 0), ("center", 1, 1), ("bottom", 1, 2), ("bottom right", 2, 2)],
)
def test_words_stand_at_their_place_and_inside_the_picture(place, x, y):
    left, top, right, bottom = frame(changed(add_text(GREY, "Hello", place=place), GREY))
    assert left > 0
    assert right < 1
    assert top > 0
    assert bottom < 1
    middle = ((left + right) / 2, (top + bottom) / 2)
    assert [int(m * 3) for m in middle] == [x, y]


def test_what_was_written_can_be_read(coffee):
    read = " ".join(ocr(add_text(coffee, "FRESH COFFEE 1998", place="bottom", size=1.3)).texts)
    assert "FRESHCOFFEE1998" in "".join(filter(str.isalnum, read))


def test_letters_have_a_rim_that_tells_them_from_any_ground():
    white = Image(np.full((200, 300, 3), 255, np.uint8))
    assert changed(add_text(white, "Hi"), white).any()
    assert not changed(add_text(white, "Hi", outline=False), white).any()


def test_long_text_is_broken_and_set_smaller_until_it_fits_into_the_region():
    text = "a rather long sentence that has no room in one line " * 3
    where = changed(add_text(GREY, text[:52], region=BOX, place="center"), GREY)
    left, top, right, bottom = frame(where)
    assert (left, top) >= (0.25, 0.25)
    assert right <= 0.5
    assert bottom <= 0.75
    big, small = (changed(add_text(GREY, t), GREY).any(axis=1).sum() for t in ("Hi", text))
    assert small > 1.5 * big


@pytest.mark.skipif(not has_chinese_font(), reason="no Chinese font is installed")
def test_chinese_is_written_in_chinese_letters():
    page = Image(np.full((300, 800, 3), 255, np.uint8))
    new = add_text(page, "今天天气很好", size=3, color="black", place="center")
    assert "今天天气很好" in "".join(ocr(new).texts)


@pytest.mark.parametrize("text", ["🦄🛸", "مرحبا", "ﬀ ☃ ✓", "a\x00b\ud83dc\u200d", "Ünïcödé"])
def test_unusual_letters_are_written_or_named(text):
    try:
        new = add_text(GREY, text)
    except SkillError as error:
        new, said = GREY, str(error)
    else:
        said = ""
    assert bool(said) != (changed(new, GREY).sum() > 50)
    assert not said or "no font here" in said or "right to left" in said


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"text": "   \n "}, "nothing to write"),
        ({"text": "\x00\x07"}, "nothing to write"),
        ({"text": "word " * 2000}, "Shorten it"),
        ({"text": "x" * 1900}, "do not fit"),
        ({"text": "Hi", "size": float("nan")}, "size"),
        ({"text": "Hi", "color": ""}, "colour"),
        ({"text": "Hi", "region": Boxes(())}, "region is empty"),
    ],
)
def test_what_cannot_be_written_is_said(how, why):
    with pytest.raises(SkillError, match=rf"^add_text: .*{why}"):
        add_text(GREY, **how)


def test_a_picture_of_one_pixel_has_no_room(odd_pictures):
    with pytest.raises(SkillError, match="do not fit into 1x1"):
        add_text(odd_pictures["one pixel"], "Hi")


def test_words_on_a_transparent_picture_can_be_seen():
    new = add_text(Image(np.zeros((200, 300, 4), np.uint8)), "Hello").pixels
    assert (new[..., 3] == 255).sum() > 200
    assert (new[:50, :, 3] == 0).all()
