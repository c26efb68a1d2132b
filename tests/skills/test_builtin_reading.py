import threading

import cv2
import numpy as np
import pytest
import zxingcpp
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from skimage import data

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, region_boxes
from llava_plus.skills.builtin import ocr, read_codes


def page(width, height, *texts, light=255):
    picture = Pillow.new("RGB", (width, height), (light,) * 3)
    brush = ImageDraw.Draw(picture)
    for x, y, size, text in texts:
        brush.text((x, y), text, (20, 20, 20), ImageFont.load_default(size))
    return picture


def columns():
    left = [(40, 90 + 40 * i, 22, f"left column line number {i}") for i in range(4)]
    right = [(480, 90 + 40 * i, 22, f"right column line number {i}") for i in range(4)]
    return page(900, 400, (250, 20, 36, "A Title For Both"), *left, *right)


COLUMNS = (
    "A Title For Both",
    *(f"left column line number {i}" for i in range(4)),
    *(f"right column line number {i}" for i in range(4)),
)


def code(text, kind, side, *, invert=False, canvas=(600, 800), at=(250, 300), degrees=0.0):
    """Return a picture with a code, and the box around it in pixels."""
    made = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
    drawn = np.array(made.to_image(scale=5))
    height = round(side * drawn.shape[0] / drawn.shape[1])
    drawn = cv2.resize(drawn, (side, height), interpolation=cv2.INTER_AREA)
    grey = np.full(canvas, 255, np.uint8)
    top, left = at
    grey[top : top + height, left : left + side] = drawn
    grey = 255 - grey if invert else grey
    middle = (left + side / 2, top + height / 2)
    turn = cv2.getRotationMatrix2D(middle, degrees, 1)
    edge = 0 if invert else 255
    grey = cv2.warpAffine(grey, turn, canvas[::-1], flags=cv2.INTER_CUBIC, borderValue=edge)
    return Image.from_array(grey), (left, top, left + side, top + height)


def test_lines_are_read_with_their_places():
    lines = ocr(Image.from_pil(page(600, 300, (50, 40, 36, "OPEN"), (300, 200, 30, "24 HOURS"))))
    assert lines.texts == ("OPEN", "24 HOURS")
    (x0, y0, x1, y1), (a0, b0, *_) = region_boxes(lines).xyxy
    assert x0 < 0.12 < 0.2 < x1 < 0.35
    assert y0 < 0.2 < y1 < 0.35
    assert 0.45 < a0 < 0.55
    assert 0.6 < b0 < 0.75
    assert all(score > 0.9 for score in lines.scores)


@pytest.mark.slow
def test_columns_are_read_one_after_the_other():
    assert ocr(Image.from_pil(columns())).texts == COLUMNS


@pytest.mark.slow
def test_a_tilted_page_is_read_in_the_same_order():
    turned = columns().rotate(8, Pillow.Resampling.BICUBIC, expand=True, fillcolor="white")
    assert ocr(Image.from_pil(turned)).texts == COLUMNS


def test_a_bill_is_read_row_by_row():
    goods = [("Coffee", "3.50"), ("Apple cake", "4.00"), ("TOTAL", "7.50")]
    items = [(30, 90 + 40 * i, 24, name) for i, (name, _) in enumerate(goods)]
    items += [(300, 90 + 40 * i, 24, price) for i, (_, price) in enumerate(goods)]
    texts = ocr(Image.from_pil(page(400, 260, (100, 20, 30, "CORNER SHOP"), *items))).texts
    assert texts == ("CORNER SHOP", "Coffee", "3.50", "Apple cake", "4.00", "TOTAL", "7.50")


def test_tiny_letters_are_read():
    assert ocr(Image.from_pil(page(300, 60, (10, 20, 12, "small print matters")))).texts == (
        "small print matters",
    )


def test_writing_in_one_corner_of_a_small_picture_is_read_where_it_is():
    lines = ocr(Image.from_pil(page(320, 240, (236, 216, 14, "by the door"))))
    assert lines.texts == ("by the door",)
    assert region_boxes(lines).xyxy[0] == pytest.approx((0.74, 0.91, 0.97, 0.98), abs=0.03)


@pytest.mark.slow
def test_a_picture_of_twelve_megapixels_is_read_and_places_are_right():
    lines = ocr(Image.from_pil(page(4000, 3000, (2800, 2500, 80, "corner of a large sheet"))))
    assert lines.texts == ("corner of a large sheet",)
    assert lines.polygons[0][0] == pytest.approx((0.7, 0.84), abs=0.02)


def test_only_the_region_is_read_and_places_are_of_the_whole_picture():
    picture = Image.from_pil(page(600, 300, (50, 40, 36, "OPEN"), (300, 200, 30, "24 HOURS")))
    lines = ocr(picture, region=Boxes(((0.4, 0.5, 1, 1),)))
    assert lines.texts == ("24 HOURS",)
    assert region_boxes(lines).xyxy[0] == pytest.approx((0.5, 0.69, 0.74, 0.8), abs=0.04)


@pytest.mark.slow
def test_a_real_page_is_read():
    lines = ocr(Image.from_array(data.page()))
    assert lines.texts[0] == "Region-based segmentation"
    assert "background. These markers are pixels that we can label" in lines.texts


def test_a_name_plate_on_a_photograph_is_read(hopper):
    plate = ocr(hopper, region=Boxes(((0.1, 0.7, 0.4, 0.95),)))
    assert any("HOPPER" in text for text in plate.texts)


@pytest.mark.slow
def test_no_text_is_no_line_rather_than_an_error(odd_pictures, coffee):
    for name in ("one pixel", "one row", "transparent"):
        assert len(ocr(odd_pictures[name])) == 0, name
    assert ocr(coffee).cite() == "no text"


@pytest.mark.slow
def test_reading_from_several_threads_gives_the_same():
    picture = Image.from_pil(page(300, 100, (20, 30, 30, "PARALLEL")))
    texts = []
    threads = [threading.Thread(target=lambda: texts.append(ocr(picture).texts)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == [("PARALLEL",)] * 2


@pytest.mark.parametrize(
    ("kind", "text", "side", "label"),
    [
        ("QRCode", "https://example.org/a?b=1", 60, "QR Code"),
        ("QRCode", "https://example.org/a?b=1", 300, "QR Code"),
        ("EAN13", "4006381333931", 300, "EAN-13"),
        ("Code128", "HELLO-128", 400, "Code 128"),
        ("DataMatrix", "matrix", 60, "Data Matrix"),
        ("Aztec", "aztec", 120, "Aztec"),
        ("PDF417", "pdf417 text", 320, "PDF417"),
    ],
)
@pytest.mark.parametrize("degrees", [0, 90, 180])
def test_codes_are_read_in_every_direction(kind, text, side, label, degrees):
    if (kind, degrees) == ("PDF417", 180):
        side = 400
    found = read_codes(code(text, kind, side, degrees=degrees)[0])
    assert (found.texts, len(found)) == ((text,), 1)
    assert label.replace(" ", "").replace("-", "") in found.labels[0].replace(" ", "").replace(
        "-", ""
    )


@pytest.mark.parametrize("degrees", [20, 33, 45, 62])
def test_tilted_bar_codes_are_read_where_they_are(degrees):
    image, (x0, y0, x1, y1) = code("4006381333931", "EAN13", 340, degrees=degrees)
    found = read_codes(image)
    middle = np.mean(found.polygons[0], axis=0) * [image.width, image.height]
    assert found.texts == ("4006381333931",)
    assert np.hypot(*(middle - [(x0 + x1) / 2, (y0 + y1) / 2])) < 60


def test_light_codes_on_dark_ground_are_read():
    image, _ = code("light on dark", "QRCode", 200, invert=True)
    assert read_codes(image).texts == ("light on dark",)


def test_several_codes_come_left_to_right_once_each():
    left, _ = code("left", "QRCode", 150, at=(100, 60))
    right, _ = code("4006381333931", "EAN13", 300, at=(300, 400))
    both = Image(np.minimum(left.pixels, right.pixels))
    assert read_codes(both).texts == ("left", "4006381333931")
    assert read_codes(both, region=Boxes(((0.4, 0.4, 1, 1),))).texts == ("4006381333931",)


def test_the_place_of_a_code_is_the_code():
    image, (x0, y0, x1, y1) = code("place", "QRCode", 200)
    corners = np.array(read_codes(image).polygons[0]) * [image.width, image.height]
    # the code itself is four modules inside its quiet zone
    assert np.all(np.abs(corners.min(axis=0) - [x0, y0]) < 32)
    assert np.all(np.abs(corners.max(axis=0) - [x1, y1]) < 32)


def test_no_code_is_no_line(odd_pictures, coffee):
    for name, image in {**odd_pictures, "coffee": coffee}.items():
        assert len(read_codes(image)) == 0, name
    assert read_codes(coffee).cite() == "no code"


@pytest.mark.parametrize("read", [ocr, read_codes])
def test_an_empty_region_is_refused(coffee, read):
    with pytest.raises(SkillError, match="region is empty, no face was found"):
        read(coffee, region=Boxes((), query="face"))
