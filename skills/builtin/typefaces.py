"""Which typeface can write a text, and how its lines are broken and set."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont, features

from llava_plus.errors import SkillError

Font = ImageFont.FreeTypeFont

SMALLEST = 8  # pixels: smaller letters cannot be read
# Looked for by name in the system's folders of fonts, the plain and wide-ranging ones first.
_NAMES = (
    "DejaVuSans-Bold.ttf", "Arial Bold.ttf", "arialbd.ttf", "LiberationSans-Bold.ttf",
    "NotoSans-Bold.ttf", "DejaVuSans.ttf", "NotoSans-Regular.ttf",
    "NotoSansCJK-Bold.ttc", "NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf",
    "SourceHanSansSC-Regular.otf", "wqy-microhei.ttc", "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc",
    "STHeiti Medium.ttc", "msyhbd.ttc", "msyh.ttc",
    "simhei.ttf", "simsun.ttc", "malgun.ttf", "Arial Unicode.ttf", "NotoSansArabic-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf", "NotoSansThai-Regular.ttf", "NotoEmoji-Regular.ttf",
)  # fmt: skip
_NOWHERE = "\U0010fffe"  # no font has a letter here, so its picture is that of a missing one


def writable(text: str) -> str:
    """Leave out what no font has: control signs, halves of letters, letters not assigned."""
    text = text.replace("\t", " ").replace("\r\n", "\n")
    unwritten = ("Cc", "Cs", "Co", "Cn")
    return "".join(c for c in text if c == "\n" or unicodedata.category(c) not in unwritten)


def font_for(skill: str, text: str) -> str:
    """Return the name of a font that has every letter of the text, "" for the bundled one."""
    letters = "".join(sorted({letter for letter in text if _shows(letter)}))
    if not features.check("raqm") and any(
        unicodedata.bidirectional(letter) in ("R", "AL") for letter in letters
    ):
        raise SkillError(
            f"{skill}: text that runs from right to left needs Pillow with Raqm, which is not "
            "here. Write it in another script."
        )
    names = ("", *_NAMES)
    lacking = {name: _lacking(name, letters) for name in names if _at(name, 32) is not None}
    best = min(lacking, key=lambda name: (len(lacking[name]), names.index(name)))
    if lacking[best]:
        raise SkillError(
            f"{skill}: no font here can write {lacking[best][:20]!r}. Leave that out, or ask for "
            "a font such as Noto Sans CJK to be installed."
        )
    return best


def font_at(name: str, size: int) -> Font:
    """Return a font that ``font_for`` named, with letters so many pixels high."""
    font = _at(name, size)
    assert font is not None
    return font


def broken(text: str, font: Font, width: float) -> str:
    """Break a text into lines no wider than so many pixels where words or Chinese signs end."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in re.findall(
            r"\s+|[\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]|[^\s\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]+",
            paragraph,
        ):
            if line.strip() and font.getlength((line + piece).rstrip()) > width:
                lines.append(line.rstrip())
                line = ""
            line += piece if line else piece.lstrip()
        lines.append(line.rstrip())
    return "\n".join(lines)


def extent(text: str, font: Font, stroke: int, align: str) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a set text whose first line starts at 0, 0."""
    brush = ImageDraw.Draw(Pillow.new("L", (1, 1)))
    return brush.multiline_textbbox((0, 0), text, font, stroke_width=stroke, align=align)


@lru_cache(256)
def _at(name: str, size: int) -> Font | None:
    try:
        font = ImageFont.truetype(name, size) if name else ImageFont.load_default(size)
    except OSError:
        return None
    return font if isinstance(font, ImageFont.FreeTypeFont) else None


def _lacking(name: str, letters: str) -> str:
    """Return the letters that a font shows as its box for missing ones."""
    font = font_at(name, 32)
    missing = _drawn(font, _NOWHERE)
    return "".join(letter for letter in letters if _drawn(font, letter) == missing)


def _drawn(font: Font, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)


def _shows(letter: str) -> bool:
    """Whether a letter leaves ink by itself."""
    return not letter.isspace() and unicodedata.category(letter)[0] not in "CM"
