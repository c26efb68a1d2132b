"""Pictures to make traces on: scenes drawn here with exact ground truth, and photographs.

A drawn scene names every object by fiat: the brown blob of a scene *is* a kangaroo when the ground
truth says so. Signs carry real letters and codes are real codes, so reading is exercised for real.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFilter, ImageFont

from llava_plus.skills import Boxes, Image, load_image

Box = tuple[float, float, float, float]

SIGNS = (
    "OPEN", "SALE 50%", "NO PARKING", "EXIT", "COFFEE", "TOTAL 12.40", "ROOM 204", "PUSH", "TAXI",
    "BAKERY", "MENU", "WELCOME", "Invoice 8841", "KEEP OUT", "Platform 9", "FRAGILE",
    "Tel. 555 0142", "CLOSED", "Milk 1.29", "Class of 1998", "FRESH FISH", "LIBRARY",
    "GATE B12", "Do not disturb",
)  # fmt: skip
CODES = ("https://example.org/menu", "WIFI:S:guest;P:welcome;;", "4006381333931", "ticket 77-120")
# Public domain or CC0; every file comes with scikit-image or matplotlib.
PHOTOGRAPHS = {
    "astronaut": {"face"}, "chelsea": set(), "coffee": set(), "rocket": set(), "page": {"text"},
    "camera": set(), "coins": set(), "hubble_deep_field": set(), "text": set(),
    "grace_hopper": {"face"},
}  # fmt: skip
FACES = {"astronaut": (0.24, 0.02, 0.66, 0.5), "grace_hopper": (0.2, 0.08, 0.75, 0.62)}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture, where its unnamed objects are, and where it comes from."""

    name: str
    image: Image = field(repr=False)
    objects: tuple[Box, ...] = ()
    holds: frozenset[str] = frozenset()  # which of "face", "text" and "code" are in it
    licence: str = "CC0-1.0"
    origin: str = "drawn by llava_plus.data_gen"


def drawn_pictures(count: int, *, seed: int, side: int = 160) -> Iterator[Picture]:
    """Scenes of objects on a ground; some carry a sign, some a code, some portraits.

    Portraits are cut from the photographs; without those no scene has a face.
    """
    portraits = [_portrait(picture) for picture in photographs(side=512) if picture.name in FACES]
    for index in range(count):
        yield _scene(random.Random(f"{seed}:{index}"), index, side, portraits)


def photographs(*, side: int = 224) -> Iterator[Picture]:
    """The photographs of scikit-image and matplotlib, scaled down; none where neither is there."""
    for name, path in _photograph_files():
        image = load_image(path).to_pil().convert("RGB")
        image.thumbnail((side, side) if name != "page" else (320, 320))
        yield Picture(
            name=name,
            image=Image.from_pil(image),
            objects=((0.2, 0.2, 0.6, 0.7), (0.55, 0.4, 0.9, 0.9)),
            holds=frozenset(PHOTOGRAPHS[name]),
            licence="public domain or CC0",
            origin=path.name,
        )


def sign_picture(words: str, *, seed: int) -> Picture:
    """A scene whose sign says the words, between other lines."""
    rng = random.Random(f"{seed}:{words}")
    canvas = _ground(rng, 320, 240)
    lines = [words[:26], *rng.sample(SIGNS, rng.choice((1, 2)))]
    rng.shuffle(lines)
    _sign(ImageDraw.Draw(canvas), rng, lines, 240)
    return Picture(
        name=f"sign_{words}",
        image=Image.from_pil(canvas),
        objects=((0.05, 0.7, 0.3, 0.95), (0.6, 0.7, 0.9, 0.95)),
        holds=frozenset({"text"}),
    )


def ground_truth(picture: Picture, label: str) -> Boxes:
    """The objects of a picture under the name that somebody asked for."""
    return Boxes(picture.objects, labels=(label,) * len(picture.objects), query=label)


def _photograph_files() -> Iterator[tuple[str, Path]]:
    if found := find_spec("skimage"):
        folder = Path(str(found.origin)).parent / "data"
        for name in PHOTOGRAPHS:
            for path in sorted(folder.glob(f"{name}.*")):
                yield name, path
    if found := find_spec("matplotlib"):
        path = Path(str(found.origin)).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"
        if path.exists():
            yield "grace_hopper", path


def _portrait(picture: Picture) -> Pillow.Image:
    x0, y0, x1, y1 = FACES[picture.name]
    width, height = picture.image.width, picture.image.height
    box = (int(x0 * width), int(y0 * height), int(x1 * width), int(y1 * height))
    return picture.image.to_pil().convert("RGB").crop(box)


def _scene(rng: random.Random, index: int, side: int, portraits: list[Pillow.Image]) -> Picture:
    width, height = rng.choice([(side, side * 3 // 4), (side * 3 // 4, side), (side, side)])
    canvas = _ground(rng, width, height)
    draw = ImageDraw.Draw(canvas)
    objects: list[Box] = []
    for _ in range(rng.choice([1, 1, 2, 2, 3, 3, 4, 5])):
        box = _free_place(rng, objects)
        if box is None:
            break
        _blob(draw, rng, box, width, height)
        objects.append(box)
    holds = {rng.choices(["face", "text", "code", ""], [0.35, 0.3, 0.12, 0.23])[0]} - {""}
    if "face" in holds and portraits:
        _faces(canvas, rng, portraits)
    elif "text" in holds:
        _sign(draw, rng, rng.sample(SIGNS, rng.choice([1, 1, 2, 3])), width, height)
    elif "code" in holds:
        _code(canvas, rng)
    if not holds and rng.random() < 0.5:
        canvas = canvas.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    noise = np.random.default_rng(rng.getrandbits(32)).normal(
        0, rng.uniform(0, 5), (height, width, 1)
    )
    pixels = np.clip(np.asarray(canvas) + noise, 0, 255).astype(np.uint8)
    return Picture(
        name=f"scene_{index:05d}",
        image=Image.from_array(pixels),
        objects=tuple(objects),
        holds=frozenset(holds if portraits else holds - {"face"}),
    )


def _ground(rng: random.Random, width: int, height: int) -> Pillow.Image:
    light = rng.choice([0.25, 0.6, 0.8, 1.0, 1.0])
    top, bottom = (np.array([rng.randint(30, 255) * light for _ in range(3)]) for _ in range(2))
    if rng.random() < 0.12:  # a picture without color
        top[:], bottom[:] = top.mean(), bottom.mean()
    share = np.linspace(0, 1, height)[:, None, None]
    pixels = np.broadcast_to(top * (1 - share) + bottom * share, (height, width, 3))
    return Pillow.fromarray(pixels.astype(np.uint8))


def _free_place(rng: random.Random, taken: list[Box]) -> Box | None:
    for _ in range(20):
        w, h = rng.uniform(0.12, 0.35), rng.uniform(0.12, 0.4)
        x, y = rng.uniform(0.02, 0.98 - w), rng.uniform(0.02, 0.98 - h)
        if all(x > b[2] or x + w < b[0] or y > b[3] or y + h < b[1] for b in taken):
            return (round(x, 3), round(y, 3), round(x + w, 3), round(y + h, 3))
    return None


def _blob(draw: ImageDraw.ImageDraw, rng: random.Random, box: Box, width: int, height: int) -> None:
    x0, y0, x1, y1 = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    color = tuple(rng.randint(0, 255) for _ in range(3))
    shape = rng.choice(["ellipse", "rectangle", "polygon"])
    if shape == "ellipse":
        draw.ellipse((x0, y0, x1, y1), fill=color)
    elif shape == "rectangle":
        draw.rectangle((x0, y0, x1, y1), fill=color)
    else:
        middle = rng.uniform(x0, x1)
        draw.polygon([(middle, y0), (x1, rng.uniform(y0, y1)), (x1, y1), (x0, y1)], fill=color)
    inner = tuple(255 - value for value in color)
    draw.ellipse(
        (x0 + (x1 - x0) * 0.3, y0 + (y1 - y0) * 0.3, x0 + (x1 - x0) * 0.5, y0 + (y1 - y0) * 0.5),
        fill=inner,
    )


def _faces(canvas: Pillow.Image, rng: random.Random, portraits: list[Pillow.Image]) -> None:
    count = rng.choice((1, 1, 2, 2, 3))
    for place in range(count):
        portrait = rng.choice(portraits).copy()
        side = int(min(canvas.width / count, canvas.height) * rng.uniform(0.75, 0.98))
        portrait.thumbnail((side, side))
        if rng.random() < 0.5:
            portrait = portrait.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT)
        x = int(place * canvas.width / count)
        canvas.paste(portrait, (x, rng.randrange(max(1, canvas.height - portrait.height))))


def _sign(
    draw: ImageDraw.ImageDraw, rng: random.Random, words: list[str], width: int, height: int = 240
) -> None:
    size = max(14, width // 12)
    font = ImageFont.load_default(size)
    x, y = rng.uniform(0.02, 0.2) * width, rng.uniform(0.05, 0.5) * height
    wide = max(draw.textlength(word, font=font) for word in words)
    draw.rectangle(
        (x - 6, y - 6, x + wide + 6, y + len(words) * size * 1.4 + 4), fill="white", outline="black"
    )
    for row, word in enumerate(words):
        draw.text((x, y + row * size * 1.4), word, fill="black", font=font)


def _code(canvas: Pillow.Image, rng: random.Random) -> None:
    import zxingcpp

    barcode = zxingcpp.create_barcode(rng.choice(CODES), zxingcpp.BarcodeFormat.QRCode)
    code = Pillow.fromarray(np.array(barcode.to_image(scale=2)))
    side = int(min(canvas.size) * 0.45)
    code = code.convert("RGB").resize((side, side), Pillow.Resampling.NEAREST)
    canvas.paste(code, (rng.randrange(canvas.width - side), rng.randrange(canvas.height - side)))
