"""The pictures that the gallery begins with: photographs that come with packages, and drawn ones.

Those under ``ui/examples/`` are made by ``ui/examples/make.py``, the others here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import zxingcpp
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from skimage import data

SIDE = 384  # pixels of the longer side
PAPER = (250, 249, 244)
LABEL = (
    ("QRCode", "https://library.example/parcel/7", (20, 20), 4),
    ("DataMatrix", "PARCEL 7", (196, 20), 6),
    ("EAN13", "4006381333931", (20, 168), 1),
    ("Code128", "LP-2026-0007", (196, 168), 1),
)


@dataclass(frozen=True, kw_only=True)
class Input:
    """A picture, where it comes from, and how it is made where it is not there yet."""

    path: str  # from the repository's root
    shows: str
    origin: str
    rights: str
    make: Callable[[], Pillow.Image] | None = None


def of_skimage(name: str, side: int = SIDE) -> Callable[[], Pillow.Image]:
    """Return how to get one of scikit-image's pictures, at most so many pixels large."""

    def make() -> Pillow.Image:
        picture = Pillow.fromarray(getattr(data, name)()).convert("RGB")
        picture.thumbnail((side, side), Pillow.Resampling.LANCZOS)
        return picture

    return make


def leaning() -> Pillow.Image:
    """Lay the page askew on a desk."""
    page = Pillow.fromarray(data.page()).convert("RGB")
    desk = Pillow.new("RGB", (page.width + 40, page.height + 100), (96, 82, 70))
    desk.paste(page, (20, 50))
    desk = desk.rotate(-6, Pillow.Resampling.BICUBIC, fillcolor=(96, 82, 70))
    desk.thumbnail((SIDE, SIDE), Pillow.Resampling.LANCZOS)
    return desk


def noisy() -> Pillow.Image:
    """Put the grain of a dark night on the cat."""
    cat = Pillow.fromarray(data.chelsea())
    cat.thumbnail((320, 320), Pillow.Resampling.LANCZOS)
    grain = np.random.default_rng(0).normal(0, 22, (cat.height, cat.width, 3))
    return Pillow.fromarray(np.clip(np.asarray(cat) + grain, 0, 255).astype(np.uint8))


def codes() -> Pillow.Image:
    """Draw the label of a parcel with four kinds of code, a little askew."""
    label = Pillow.new("RGB", (380, 270), PAPER)
    brush = ImageDraw.Draw(label)
    for kind, content, place, scale in LABEL:
        code = zxingcpp.create_barcode(content, getattr(zxingcpp.BarcodeFormat, kind))
        drawn = Pillow.fromarray(np.asarray(zxingcpp.write_barcode_to_image(code, scale=scale)))
        label.paste(drawn.convert("RGB"), place)
        left, top = place[0] + 6, place[1] - 16
        brush.text((left, top), kind, fill=(40, 40, 45), font=ImageFont.load_default(12))
    box = Pillow.new("RGB", (440, 330), (176, 137, 96))
    box.paste(label, (30, 30))
    return box.rotate(4, Pillow.Resampling.BICUBIC, fillcolor=(176, 137, 96))


_FREE = "Public domain, no known copyright restrictions"
_DRAWN = "Licence of this repository"
_PAGE = "BSD-3-Clause, [the scikit-image team](gallery/LICENSE-scikit-image.txt)"
_EXAMPLES = "ui/examples/make.py"

INPUTS = (
    Input(
        path="ui/examples/astronaut.jpg",
        shows="Eileen Collins, astronaut",
        origin="NASA Great Images, through `skimage.data.astronaut`",
        rights=_FREE,
    ),
    Input(
        path="ui/examples/chelsea.jpg",
        shows="Chelsea, a cat",
        origin="Stefan van der Walt, through `skimage.data.chelsea`",
        rights="CC0",
    ),
    Input(
        path="ui/examples/coffee.jpg",
        shows="A cup of coffee",
        origin="Rachel Michetti, courtesy of Pikolo Espresso Bar, through `skimage.data.coffee`",
        rights="CC0",
    ),
    Input(
        path="ui/examples/grace_hopper.jpg",
        shows="Grace Hopper, computer scientist",
        origin="US Navy portrait, among matplotlib's sample data",
        rights="Public domain, a work of the US federal government",
    ),
    Input(
        path="ui/examples/rocket.jpg",
        shows="A Falcon 9 with DSCOVR before its launch",
        origin="SpaceX Photos, through `skimage.data.rocket`",
        rights="Released into the public domain by SpaceX",
    ),
    Input(
        path="ui/examples/notice.jpg",
        shows="A notice with text and a QR code",
        origin=f"Drawn by `{_EXAMPLES}`",
        rights=_DRAWN,
    ),
    Input(
        path="docs/gallery/cameraman.jpg",
        shows="A man behind a camera",
        origin="Lav Varshney, through `skimage.data.camera`",
        rights="CC0",
        make=of_skimage("camera", 512),  # smaller, its tripod is too thin to be cut out
    ),
    Input(
        path="docs/gallery/coins.jpg",
        shows="Greek coins from Pompeii",
        origin="Brooklyn Museum Collection, through `skimage.data.coins`",
        rights="No known copyright restrictions",
        make=of_skimage("coins"),
    ),
    Input(
        path="docs/gallery/sky.jpg",
        shows="The Hubble eXtreme Deep Field",
        origin="NASA, through `skimage.data.hubble_deep_field`",
        rights="Public domain",
        make=of_skimage("hubble_deep_field"),
    ),
    Input(
        path="docs/gallery/page.jpg",
        shows="A scanned page of a manual",
        origin="`skimage.data.page`",
        rights=_PAGE,
        make=of_skimage("page"),
    ),
    Input(
        path="docs/gallery/leaning.jpg",
        shows="The same page, turned by 6 degrees",
        origin="`skimage.data.page`",
        rights=_PAGE,
        make=leaning,
    ),
    Input(
        path="docs/gallery/noisy.jpg",
        shows="Chelsea with noise of 22 grey levels added",
        origin="Stefan van der Walt, through `skimage.data.chelsea`",
        rights="CC0",
        make=noisy,
    ),
    Input(
        path="docs/gallery/codes.jpg",
        shows="The label of a parcel with four codes",
        origin="Drawn by `docs/gallery_inputs.py`",
        rights=_DRAWN,
        make=codes,
    ),
)
