"""Flat things with writing on them: signs, letters, receipts and labels with codes."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from llava_plus.skills import Table
from llava_plus.skills.builtin.typefaces import broken, font_at, font_for

from . import vocabulary
from .geometry import rectangle
from .stage import FINE, Figures, Floats, Layer, Mark

Ink = tuple[int, int, int]
Place = tuple[float, float, float, float]

_DARK: Ink = (28, 28, 32)
_SIGNS: tuple[tuple[Ink, Ink], ...] = (  # ground and letters
    ((250, 250, 246), _DARK), ((24, 82, 160), (250, 250, 250)),
    ((186, 24, 30), (252, 250, 248)), ((18, 110, 62), (248, 250, 248)),
    ((250, 208, 40), (20, 20, 20)), ((40, 42, 48), (245, 240, 225)),
    ((238, 226, 200), (90, 40, 20)), ((90, 50, 110), (250, 240, 250)),
)  # fmt: skip


@dataclass(kw_only=True)
class Sheet:
    """A sheet to write on that remembers what was written where; sizes in fine pixels."""

    width: int
    height: int
    ground: Ink
    round_: int = 0
    lines: list[Mark] = field(default_factory=list)
    codes: list[Mark] = field(default_factory=list)
    figures: list[Figures] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.picture = Pillow.new("RGB", (self.width, self.height), self.ground)
        self.brush = ImageDraw.Draw(self.picture)

    def write(
        self,
        text: str,
        x: float,
        y: float,
        size: int,
        ink: Ink = _DARK,
        *,
        bold: bool = False,
        narrow: float = 1.0,
        anchor: str = "l",
    ) -> Place:
        """Write a line and return the box of its ink.

        Args:
            text: What to write.
            x: Its left end, middle or right end, as ``anchor`` says.
            y: The top of its tallest letters.
            size: Of the letters.
            ink: Their colour.
            bold: Whether strokes are thickened.
            narrow: Width of the letters, 1 as the typeface has them.
            anchor: "l", "m" or "r".
        """
        mask = letters(text, size, bold=bold, narrow=narrow)
        left = round(x - {"l": 0.0, "m": 0.5, "r": 1.0}[anchor] * mask.width)
        box = mask.getbbox()
        assert box is not None
        self.picture.paste(ink, (left, round(y)), mask)
        place = (left + box[0], round(y) + box[1], left + box[2], round(y) + box[3])
        self.lines.append(Mark(text=text, corners=rectangle(*place)))
        return place

    def layer(self, label: str, *, color: str = "") -> Layer:
        """Return the sheet as a layer."""
        pixels = np.ones((self.height, self.width, 4), np.float32)
        pixels[..., :3] = np.asarray(self.picture, np.float32) / 255
        if self.round_:
            pixels *= _rounded(self.width, self.height, self.round_)[..., None]
        return Layer(
            pixels=pixels,
            label=label,
            color=color,
            lines=tuple(self.lines),
            codes=tuple(self.codes),
            figures=tuple(self.figures),
        )


def letters(text: str, size: int, *, bold: bool = False, narrow: float = 1.0) -> Pillow.Image:
    """Return a mask of a line of text, in the typeface that has its letters."""
    font = font_at(_face(text), size)
    stroke = max(1, size // 26) if bold else 0
    wide = int(font.getlength(text)) + 2 * stroke + 4
    mask = Pillow.new("L", (wide, int(size * 1.35) + 2 * stroke))
    brush = ImageDraw.Draw(mask)
    brush.text((stroke + 1, stroke), text, fill=255, font=font, stroke_width=stroke)
    if narrow == 1.0:
        return mask
    return mask.resize((max(1, round(wide * narrow)), mask.height), Pillow.Resampling.BICUBIC)


def _face(text: str) -> str:
    """Return the typeface for a text: the bundled one, for all that it has."""
    return _found(string.printable.strip() if text.isascii() else text)


@cache
def _found(text: str) -> str:
    return font_for("scenes", text)


def sign(rng: random.Random, width: int) -> Layer:
    """Paint a sign of so many fine pixels across."""
    texts = vocabulary.sign_lines(rng)
    ground, ink = rng.choice(_SIGNS)
    bold, narrow = rng.random() < 0.6, rng.choice((1.0, 1.0, 0.85, 1.12))
    edge = width // 14
    sizes = [_fitting(text, width - 3 * edge, width // 4, bold, narrow) for text in texts]
    sizes = [sizes[0], *(min(size, int(0.6 * sizes[0]) + 8) for size in sizes[1:])]
    height = int(sum(size * 1.35 for size in sizes)) + 2 * edge
    sheet = Sheet(width=width, height=height, ground=ground, round_=rng.choice((0, edge // 2)))
    frame = (edge // 3, edge // 3, width - edge // 3, height - edge // 3)
    if rng.random() < 0.7:
        sheet.brush.rounded_rectangle(frame, edge // 3, outline=ink, width=max(2, edge // 7))
    y = edge * 0.9
    for text, size in zip(texts, sizes, strict=True):
        sheet.write(text, width / 2, y, size, ink, bold=bold, narrow=narrow, anchor="m")
        y += size * 1.35
    return sheet.layer("sign")


def letter(rng: random.Random, width: int) -> Layer:
    """Paint a printed page: a heading and some lines."""
    size = rng.randint(13, 19) * FINE
    edge = width // 10
    heading = f"{rng.choice(vocabulary.ADJECTIVES)} {rng.choice(vocabulary.NOUNS)}".capitalize()
    texts = [vocabulary.sentence(rng) for _ in range(rng.randint(4, 9))]
    broken = [part for text in texts for part in _lines(text, width - 2 * edge, size)]
    facts = [f"Date: {vocabulary.date(rng)}", f"To: {rng.choice(vocabulary.NAMES)}"]
    height = int(2 * edge + size * (3.2 + 1.5 * (len(broken) + len(facts))))
    sheet = Sheet(width=width, height=height, ground=(250, 249, 244))
    sheet.write(heading, edge, edge, int(size * 1.5), bold=True)
    y = edge + size * 2.6
    for text in facts + broken:
        sheet.write(text, edge, y, size)
        y += size * 1.5
    return sheet.layer("letter", color="white")


def receipt(rng: random.Random, width: int) -> Layer:
    """Paint a receipt: goods, prices and their sum, with the table of them."""
    size = rng.randint(14, 18) * FINE
    edge = width // 12
    goods = rng.sample(vocabulary.GOODS, rng.randint(3, 7))
    cents = [rng.randint(49, 1999) for _ in goods]
    rows = [*zip(goods, cents, strict=True), ("TOTAL", sum(cents))]
    height = int(2 * edge + size * (3.4 + 1.6 * len(rows)))
    sheet = Sheet(width=width, height=height, ground=(247, 247, 243))
    title = rng.choice(vocabulary.SHOPS)
    sheet.write(title, width / 2, edge, int(size * 1.2), bold=True, anchor="m")
    y = edge + size * 2.2
    for name, price in rows:
        if name == "TOTAL":
            sheet.brush.line((edge, y, width - edge, y), fill=_DARK, width=3)
            y += size * 0.5
        sheet.write(name, edge, y, size, bold=name == "TOTAL")
        sheet.write(f"{price / 100:.2f}", width - edge, y, size, bold=name == "TOTAL", anchor="r")
        y += size * 1.6
    table = Table(("name", "value"), tuple((name, price / 100) for name, price in rows))
    corners = rectangle(0, 0, width, height)
    sheet.figures.append(Figures(kind="receipt", title=title, corners=corners, table=table))
    return sheet.layer("receipt", color="white")


def code_label(rng: random.Random, width: int) -> Layer:
    """Paint a label with a code and a line that says what it is for."""
    kind = rng.choice(("QRCode", "QRCode", "QRCode", "DataMatrix", "EAN13", "Code128"))
    text = {
        "EAN13": vocabulary.ean(rng),
        "Code128": f"LOT {rng.randint(1000, 9999)}-{rng.randint(10, 99)}",
    }.get(kind) or vocabulary.code_text(rng)
    code = code_picture(text, kind)
    edge = width // 9
    across = width - 2 * edge
    high = across if code.width == code.height else across // 2
    code = code.resize((across, high), Pillow.Resampling.NEAREST)
    words = rng.choice(("SCAN ME", "Your ticket", "Menu", "Free WiFi", "Item", "Track it here"))
    size = min(_fitting(words, across, width // 7, True, 1.0), width // 8)
    sheet = Sheet(width=width, height=high + 2 * edge + int(size * 1.5), ground=(253, 253, 250))
    sheet.picture.paste(code.convert("RGB"), (edge, edge))
    corners = rectangle(edge, edge, edge + across, edge + high)
    sheet.codes.append(Mark(text=text, corners=corners, format=kind))
    sheet.write(words, width / 2, high + edge * 1.5, size, bold=True, anchor="m")
    return sheet.layer("label", color="white")


def code_picture(text: str, kind: str) -> Pillow.Image:
    """Return a code of one pixel per module, without the light around it."""
    import zxingcpp

    made = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
    return Pillow.fromarray(np.array(made.to_image(add_quiet_zones=False, add_hrt=False)))


def _fitting(text: str, width: int, largest: int, bold: bool, narrow: float) -> int:
    """Return the size of letters at which a text is as wide as there is room."""
    wide = letters(text, 64, bold=bold, narrow=narrow).width
    return max(10 * FINE, min(largest, int(64 * width / wide)))


def _lines(text: str, width: int, size: int) -> list[str]:
    return broken(text, font_at(_face(text), size), width).split("\n")


def _rounded(width: int, height: int, radius: int) -> Floats:
    mask = Pillow.new("L", (width, height))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width - 1, height - 1), radius, fill=255)
    return np.asarray(np.asarray(mask, np.float32) / 255, np.float32)
