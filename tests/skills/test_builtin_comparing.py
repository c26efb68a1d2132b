import cv2
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from llava_plus.skills import Boxes, Image, SkillRegistry
from llava_plus.skills.builtin import comparing, crop
from llava_plus.skills.builtin.comparing import compare


def facts(one, other):
    return dict(compare(one, other).rows)


def grey(image):
    return cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)


def test_it_is_a_skill_that_a_registry_takes():
    spec = SkillRegistry.from_module(comparing)["compare"]
    assert spec.signature() == "compare(image: Image, other: Image) -> Table"
    assert spec.examples
    assert all(parameter.description for parameter in spec.parameters)


def test_a_picture_is_identical_to_itself(astronaut):
    assert compare(astronaut, Image(astronaut.pixels)).describe() == (
        "same size yes, identical yes, compared at 512x512, difference percent 0, similarity 1, "
        "changed percent 0, changed box none"
    )


def test_similarity_is_what_scikit_image_reckons(astronaut, coffee):
    for image in (astronaut, coffee):
        soft = Image(cv2.GaussianBlur(image.pixels, (0, 0), 1.5))
        expected = structural_similarity(
            *(grey(image), grey(soft)),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
        )
        found = facts(image, soft)
        assert found["similarity"] == pytest.approx(expected, abs=2e-4)
        steps = np.abs(image.pixels.astype(int) - soft.pixels)
        assert found["difference percent"] == pytest.approx(steps.mean() / 2.55, rel=0.01)
        assert found["changed percent"] == pytest.approx(
            100 * (steps.max(axis=2) >= 25).mean(), rel=0.01
        )
        assert found["identical"] is False


def test_a_painted_patch_is_found_and_its_box_can_be_cropped(astronaut):
    pixels = astronaut.pixels.copy()
    pixels[128:192, 256:384] = 255 - pixels[128:192, 256:384]
    found = facts(astronaut, Image(pixels))
    assert found["changed box"] == "[0.5, 0.25, 0.75, 0.375]"
    assert 0 < found["changed percent"] <= 100 * 64 * 128 / 512**2
    box = [float(number) for number in found["changed box"][1:-1].split(",")]
    assert crop(Image(pixels), Boxes((tuple(box),))).describe() == "128x64"


def test_saving_as_jpeg_is_a_small_change(astronaut):
    _, data = cv2.imencode(".jpg", astronaut.pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])
    found = facts(astronaut, Image(cv2.imdecode(data, cv2.IMREAD_COLOR)))
    assert found["identical"] is False
    assert found["similarity"] > 0.95
    assert found["changed percent"] < 2


def test_two_sizes_of_one_picture_are_compared_at_the_smaller(astronaut):
    half = Image(cv2.resize(astronaut.pixels, (256, 256), interpolation=cv2.INTER_AREA))
    found = facts(astronaut, half)
    assert (found["same size"], found["identical"]) == (False, False)
    assert found["compared at"] == "256x256"
    assert found["similarity"] == pytest.approx(1, abs=0.01)


def test_different_shapes_are_not_compared_and_say_so(astronaut, coffee):
    said = compare(astronaut, coffee).describe()
    assert "compared at not compared" not in said
    assert "same size no, identical no" in said
    assert "512x512 and 600x400" in said
    assert "similarity unknown" in said


def test_a_picture_moved_by_some_pixels_is_not_aligned(astronaut):
    moved = Image(np.roll(astronaut.pixels, 8, axis=1))
    assert facts(astronaut, moved)["similarity"] < 0.6


def test_transparency_counts_for_identity_alone():
    solid = np.dstack([np.full((20, 20, 3), 255, np.uint8), np.full((20, 20), 255, np.uint8)])
    clear = solid.copy()
    clear[..., 3] = 0
    found = facts(Image(solid), Image(clear))
    assert (found["identical"], found["difference percent"], found["similarity"]) == (False, 0, 1)
    assert facts(Image(solid), Image(solid[..., :3]))["identical"] is False


def test_black_and_white_differ_as_much_as_can_be():
    found = facts(
        Image(np.zeros((30, 30, 3), np.uint8)), Image(np.full((30, 30, 3), 255, np.uint8))
    )
    assert found["difference percent"] == 100
    assert found["changed box"] == "[0, 0, 1, 1]"
    assert found["similarity"] == pytest.approx(6.5025 / (255**2 + 6.5025), abs=1e-4)


def test_odd_pictures_are_compared(odd_pictures):
    for name, image in odd_pictures.items():
        opposite = Image(np.dstack([255 - image.rgb()]))
        found = facts(image, opposite)
        assert found["same size"] is True, name
        assert (found["similarity"] is None) == (min(image.width, image.height) < 11), name
    tiny = facts(odd_pictures["one pixel"], odd_pictures["plain"])
    assert tiny["compared at"] == "1x1"
    assert tiny["difference percent"] == pytest.approx(100 * 121 / 255, rel=0.01)


def test_large_pictures_are_compared_pixel_by_pixel():
    pixels = np.full((3000, 4000, 3), 90, np.uint8)
    changed = pixels.copy()
    changed[1500, 1000] = 255
    found = facts(Image(pixels), Image(changed))
    assert found["changed percent"] == pytest.approx(100 / 12e6, rel=0.01)
    assert found["changed box"] == "[0.25, 0.5, 0.251, 0.501]"
