import cv2
import numpy as np
import pytest

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, Masks, TextLines
from llava_plus.skills.builtin import adjust, crop, image_info, rotate

HALF = Boxes(((0.0, 0.0, 0.5, 1.0),))


def counting(height=40, width=60, channels=3):
    """Return a picture in which every pixel differs from its neighbours."""
    y, x = np.mgrid[:height, :width]
    pixels = np.dstack([x * 4, y * 5, (x + y) * 2, np.full_like(x, 200)])[..., :channels]
    return Image(pixels.astype(np.uint8))


def grey(image):
    return cv2.cvtColor(image.rgb(), cv2.COLOR_RGB2GRAY).astype(float)


def test_crop_cuts_exactly_the_pixels_of_a_box():
    image = counting()
    cut = crop(image, Boxes(((0.25, 0.5, 0.75, 1.0),)))
    assert (cut.pixels == image.pixels[20:40, 15:45]).all()


@pytest.mark.parametrize(
    ("region", "size"),
    [
        (Boxes(((0.1, 0.1, 0.2, 0.2), (0.8, 0.8, 0.9, 0.9))), (48, 32)),
        (
            Masks.from_array(np.pad(np.ones((1, 10, 20), bool), ((0, 0), (5, 25), (10, 30)))),
            (20, 10),
        ),
        (TextLines(("x",), (((0.1, 0.1), (0.5, 0.2), (0.5, 0.4), (0.1, 0.3)),)), (24, 12)),
        (Boxes(((0.9, 0.9, 1.6, 1.6),)), (6, 4)),
        (Boxes(((0.5, 0.5, 0.501, 0.501),)), (1, 1)),
    ],
)
def test_crop_keeps_the_box_around_everything(region, size):
    cut = crop(counting(), region)
    assert (cut.width, cut.height) == size


def test_crop_margin_is_a_share_of_the_box_and_ends_at_the_picture():
    image = counting()
    assert crop(image, Boxes(((0.4, 0.4, 0.6, 0.6),)), margin=0.5).describe() == "24x16"
    assert crop(image, Boxes(((0.0, 0.0, 0.5, 0.5),)), margin=1.0) == image


def test_crop_keeps_transparency():
    assert crop(counting(channels=4), HALF).pixels.shape == (40, 30, 4)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"degrees": 90}, lambda p: np.rot90(p, -1)),
        ({"degrees": -90}, lambda p: np.rot90(p)),
        ({"degrees": 180}, lambda p: p[::-1, ::-1]),
        ({"degrees": 450}, lambda p: np.rot90(p, -1)),
        ({"flip": "horizontal"}, lambda p: p[:, ::-1]),
        ({"flip": "vertical"}, lambda p: p[::-1]),
        ({"degrees": 90, "flip": "horizontal"}, lambda p: np.rot90(p, -1)[:, ::-1]),
    ],
)
@pytest.mark.parametrize("channels", [3, 4])
def test_quarter_turns_and_mirroring_lose_nothing(how, expected, channels):
    image = counting(channels=channels)
    assert (rotate(image, **how).pixels == expected(image.pixels)).all()


def test_clockwise_is_clockwise():
    image = Image(np.zeros((10, 20, 3), np.uint8))
    pixels = image.pixels.copy()
    pixels[0, 0] = 255  # top left goes to the top right
    assert rotate(Image(pixels), degrees=90).pixels[0, -1].min() == 255
    wide = np.zeros((101, 201, 3), np.uint8)
    wide[45:56, 150:] = (255, 0, 0)  # an arrow to the right sinks
    turned = rotate(Image(wide), degrees=30).pixels
    y, x = np.nonzero((turned[..., 0] > 200) & (turned[..., 1] < 50))
    assert y.mean() > turned.shape[0] / 2 + 20
    assert x.mean() > turned.shape[1] / 2


def test_other_angles_cut_nothing_off_and_fill_with_white():
    image = Image(np.full((80, 120, 3), 50, np.uint8))
    turned = rotate(image, degrees=30)
    assert (turned.width, turned.height) == (144, 129)
    assert tuple(turned.pixels[0, 0]) == (255, 255, 255)
    assert (turned.pixels == 50).all(axis=2).sum() == pytest.approx(80 * 120, rel=0.07)


def test_other_angles_leave_clear_corners_on_clear_pictures():
    turned = rotate(counting(channels=4), degrees=30)
    assert turned.pixels[0, 0, 3] == 0
    assert turned.pixels[turned.height // 2, turned.width // 2, 3] == 200


def test_a_turned_picture_stays_within_the_size_of_pictures(odd_pictures):
    turned = rotate(odd_pictures["very wide"], degrees=1)
    assert max(turned.width, turned.height) <= 8192


def test_there_and_back_is_the_same_picture(astronaut):
    turned = rotate(rotate(astronaut, degrees=17), degrees=-17)
    top, left = (turned.height - 512) // 2, (turned.width - 512) // 2
    back = turned.pixels[top : top + 512, left : left + 512].astype(int)
    inner = slice(20, -20)
    gap = np.abs(back - astronaut.pixels)[inner, inner]
    assert gap.mean() < 6


@pytest.mark.parametrize("degrees", [0, 360, -720])
def test_no_turn_at_all_is_refused_with_a_way_out(degrees):
    with pytest.raises(SkillError, match="degrees such as 90, or flip='horizontal'"):
        rotate(counting(), degrees=degrees)


@pytest.mark.parametrize("degrees", [float("nan"), float("inf")])
def test_an_angle_that_is_no_number_is_refused(degrees):
    with pytest.raises(SkillError, match="must be a number"):
        rotate(counting(), degrees=degrees)


def test_brightness_moves_the_mean_and_burns_nothing_out(astronaut):
    means = [
        grey(adjust(astronaut, brightness=b)).mean() for b in (-1, -0.6, -0.3, 0.15, 0.3, 0.6, 1)
    ]
    middle = grey(astronaut).mean()
    assert means == sorted(means)
    assert means[2] < middle < means[3]
    lighter = adjust(astronaut, brightness=0.6).pixels
    assert (lighter == 255).mean() <= (astronaut.pixels == 255).mean() + 0.05


def test_white_paper_can_be_darkened():
    paper = Image(np.full((9, 9, 3), 255, np.uint8))
    assert adjust(paper, brightness=-0.3).pixels.max() < 220


def test_contrast_spreads_and_flattens_about_the_same_mean(astronaut):
    spreads = [grey(adjust(astronaut, contrast=c)).std() for c in (-0.6, -0.3, 0.3, 0.6)]
    assert spreads[1] < grey(astronaut).std() < spreads[2]
    assert spreads == sorted(spreads)
    assert grey(adjust(astronaut, contrast=-0.6)).mean() == pytest.approx(
        grey(astronaut).mean(), abs=2
    )


def test_saturation_and_grayscale(astronaut):
    def color(image):
        return np.ptp(image.pixels.astype(int), axis=2).mean()

    assert color(adjust(astronaut, saturation=-0.3)) < color(astronaut)
    assert color(adjust(astronaut, saturation=0.3)) > color(astronaut)
    assert color(adjust(astronaut, saturation=-1)) == 0
    assert adjust(astronaut, grayscale=True) == adjust(astronaut, saturation=-1)


def test_sharpness_sharpens_and_softens(astronaut):
    def edges(image):
        return np.abs(cv2.Laplacian(grey(image), cv2.CV_64F)).mean()

    assert edges(adjust(astronaut, sharpness=-0.6)) < 0.8 * edges(astronaut)
    assert edges(adjust(astronaut, sharpness=0.6)) > 1.2 * edges(astronaut)


def test_only_the_region_or_only_its_outside_changes(astronaut):
    inside = adjust(astronaut, brightness=0.3, contrast=0.3, region=HALF)
    outside = adjust(astronaut, grayscale=True, region=HALF, outside=True)
    assert (inside.pixels[:, 256:] == astronaut.pixels[:, 256:]).all()
    assert (inside.pixels[:, :256] != astronaut.pixels[:, :256]).mean() > 0.8
    assert (outside.pixels[:, :256] == astronaut.pixels[:, :256]).all()
    assert np.ptp(outside.pixels[:, 256:].astype(int), axis=2).max() == 0


def test_transparency_is_not_adjusted():
    image = counting(channels=4)
    assert (adjust(image, brightness=0.5).pixels[..., 3] == 200).all()


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({}, "nothing to change"),
        ({"brightness": 0.3, "outside": True}, "needs a region"),
        ({"brightness": 0.3, "region": Boxes((), query="dog")}, "no dog was found"),
        ({"contrast": 0.1, "region": Boxes(((0, 0, 1, 1),)), "outside": True}, "leaves nothing"),
    ],
)
def test_an_adjustment_of_nothing_is_refused(how, says):
    with pytest.raises(SkillError, match=says):
        adjust(counting(), **how)


@pytest.mark.parametrize("region", [Boxes((), query="face"), Boxes(((0.5, 0.5, 0.5, 0.9),))])
def test_a_crop_to_nothing_is_refused(region):
    with pytest.raises(SkillError, match=r"crop: the region .*(give a box|right > left)"):
        crop(counting(), region)


def test_info_says_what_the_file_said(hopper):
    facts = dict(image_info(hopper).rows)
    assert (facts["width"], facts["height"], facts["megapixels"]) == (512, 600, 0.31)
    assert (facts["orientation"], facts["format"], facts["camera"]) == (
        "portrait",
        "JPEG",
        "not stored",
    )
    image = Image(
        np.zeros((3000, 4000, 4), np.uint8), meta={"camera": "Box", "taken": "2020-01-02"}
    )
    said = image_info(image).cite()
    assert "width 4000, height 3000, megapixels 12, orientation landscape, transparent yes" in said
    assert "camera Box, taken 2020-01-02" in said


def test_odd_pictures_can_be_edited_and_stay_as_they_were(odd_pictures):
    for name, image in odd_pictures.items():
        before = image.pixels.copy()
        same = adjust(
            image, brightness=0.2, contrast=0.2, saturation=0.2, sharpness=0.2, region=HALF
        )
        assert same.pixels.shape == before.shape, name
        assert crop(image, HALF).height == image.height, name
        assert rotate(image, degrees=45).width >= 1, name
        assert len(image_info(image)) == 8, name
        assert (image.pixels == before).all(), name
