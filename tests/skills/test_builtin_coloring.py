import matplotlib.colors
import numpy as np
import pytest
from PIL import Image as Pillow
from skimage.color import deltaE_cie76, rgb2lab

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, Masks, SkillRegistry
from llava_plus.skills.builtin import coloring, palette
from llava_plus.skills.builtin.coloring import colors

LEFT = Boxes(((0.0, 0.0, 0.5, 1.0),))


def flat(*shades):
    """Return a picture of upright stripes, 10 x 10 pixels each."""
    stripes = [np.full((10, 10, len(shade)), shade, np.uint8) for shade in shades]
    return Image(np.concatenate(stripes, axis=1))


def test_it_is_a_skill_that_a_registry_takes():
    spec = SkillRegistry.from_module(coloring)["colors"]
    assert (
        spec.signature()
        == "colors(image: Image, *, region: Region = None, count: int = 5) -> Table"
    )
    assert spec.examples
    assert all(parameter.description for parameter in spec.parameters)


def test_stripes_are_named_with_their_code_and_share():
    table = colors(flat((255, 255, 255), (255, 255, 255), (255, 0, 0), (0, 0, 128)))
    assert table.columns == ("color", "hex", "percent")
    assert table.rows == (
        ("white", "#ffffff", 50),
        ("dark blue", "#000080", 25),
        ("red", "#ff0000", 25),
    )
    assert table.describe() == (
        "3 rows of color, hex, percent: "
        "white, #ffffff, 50; dark blue, #000080, 25; red, #ff0000, 25"
    )


@pytest.mark.parametrize(
    ("css", "name"),
    [
        ("black", "black"),
        ("white", "white"),
        ("gray", "gray"),
        ("crimson", "red"),
        ("forestgreen", "green"),
        ("royalblue", "blue"),
        ("midnightblue", "dark blue"),
        ("khaki", "beige|yellow|gold"),
        ("chocolate", "orange|brown"),
        ("saddlebrown", "brown"),
        ("hotpink", "pink"),
        ("orchid", "purple|magenta|pink"),
        ("aqua", "turquoise"),
        ("deepskyblue", "sky blue|blue"),
        ("plum", "lavender|pink|purple"),
        ("darkgreen", "dark green"),
    ],
)
def test_well_known_colors_get_the_names_that_people_give(css, name):
    shade = tuple(round(255 * level) for level in matplotlib.colors.to_rgb(css))
    assert colors(flat(shade)).rows[0][0] in name.split("|")


def test_the_name_is_the_nearest_in_cielab_as_scikit_image_reckons():
    draw = np.random.default_rng(1).integers(0, 256, (60, 3)).astype(np.uint8)
    pairs = [(n, s) for n, shades in palette._SHADES.items() for s in shades.split()]
    known = rgb2lab(np.array([list(bytes.fromhex(s)) for _, s in pairs], np.uint8)[None])[0]
    for shade in draw:
        gaps = deltaE_cie76(rgb2lab(shade[None, None])[0], known)
        assert colors(flat(tuple(shade))).rows[0][0] == pairs[int(gaps.argmin())][0]


def test_percentages_are_those_of_counted_pixels(coffee):
    """Counted one by one with another library, the shares differ by rounding within a shade."""
    table = colors(coffee, count=20)
    pairs = [(n, s) for n, shades in palette._SHADES.items() for s in shades.split()]
    known = rgb2lab(np.array([list(bytes.fromhex(s)) for _, s in pairs], np.uint8)[None])[0]
    places = rgb2lab(coffee.pixels[::4, ::4]).reshape(-1, 3)
    best = ((places[:, None] - known) ** 2).sum(axis=2).argmin(axis=1)
    names = np.array([name for name, _ in pairs])[best]
    for name, _, percent in table.rows:
        assert percent == pytest.approx(100 * (names == name).mean(), abs=1.5), name


def test_the_main_color_is_what_a_quantizer_finds_too(astronaut, coffee, coins):
    """Pillow's median cut, asked for the same picture, has a color near each of ours."""
    for image in (astronaut, coffee, coins):
        few = image.to_pil().convert("RGB").quantize(24, Pillow.Quantize.MEDIANCUT)
        theirs = rgb2lab(np.array(few.getpalette()[: 24 * 3], np.uint8).reshape(1, -1, 3))[0]
        for _, code, percent in colors(image, count=3).rows:
            ours = rgb2lab(np.array(list(bytes.fromhex(code[1:])), np.uint8)[None, None])[0]
            assert percent > 5
            assert deltaE_cie76(ours, theirs).min() < 12


def test_only_the_region_counts(astronaut, her_face):
    picture = flat((255, 0, 0), (0, 0, 255))
    assert colors(picture, region=LEFT).rows == (("red", "#ff0000", 100),)
    right = np.zeros((1, 10, 20), bool)
    right[0, 3, 15] = True
    assert colors(picture, region=Masks.from_array(right)).rows == (("blue", "#0000ff", 100),)
    skin = colors(astronaut, region=her_face).rows[0][0]
    assert skin in ("peach", "tan", "brown", "salmon")


def test_a_chessboard_of_single_pixels_is_not_grey():
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert {row[0]: row[2] for row in colors(Image.from_array(board)).rows} == {
        "black": 50,
        "white": 50,
    }


def test_what_is_transparent_has_no_color():
    clear, red = (0, 255, 0, 0), (255, 0, 0, 255)
    assert colors(flat(clear, clear, red)).rows == (("red", "#ff0000", 100),)
    with pytest.raises(SkillError, match="transparent, so it has no colo"):
        colors(flat(clear))


def test_a_picture_of_millions_of_colors_is_counted_at_full_size():
    noise = np.random.default_rng(0).integers(0, 256, (3000, 4000, 3), np.uint8)
    noise[:, :2000] = (255, 165, 0)
    table = colors(Image(noise), count=3)
    assert table.rows[0][:2] == ("orange", "#ffa500")
    assert table.rows[0][2] == pytest.approx(51.5, abs=1.5)


def test_odd_pictures_have_colors(odd_pictures):
    for name, image in odd_pictures.items():
        rows = colors(image, count=20).rows
        assert 0 < sum(row[2] for row in rows) <= 100.5, name
    assert colors(odd_pictures["one pixel"]).rows == (("black", "#070707", 100),)


@pytest.mark.parametrize("region", [Boxes((), query="face"), Boxes(((0.5, 0.5, 0.5, 0.9),))])
def test_the_colors_of_nothing_are_refused(region):
    with pytest.raises(SkillError, match=r"colors: the region"):
        colors(flat((1, 2, 3)), region=region)
