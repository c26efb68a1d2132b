"""The one door through which pictures come in, whatever they are and whoever sends them."""

import io
import re
import threading
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL.ExifTags import IFD, Base

from llava_plus.errors import ImageError

from .pixels import Image

Source = str | Path | bytes | BinaryIO | Pillow.Image | NDArray[Any] | Image

MAX_PIXELS = 64_000_000  # decoded; more is refused from the header
MAX_SIDE = 8192  # longer pictures are scaled down
MAX_BYTES = 256 * 1024 * 1024  # of the file

# Readers that run no other program and hold no scripts. JPEG covers the phones' MPO.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
IMAGE_SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)
_ADVICE = "Give a PNG, JPEG or WebP file."

_UPRIGHT = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
# What a file that is no readable picture begins with, and what to say of it.
_STRANGERS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\s*<(\?xml|!--|!DOCTYPE svg|svg\b).*?<?svg\b", re.S), "an SVG drawing"),
    (re.compile(rb"....ftyp(heic|heix|hevc|heim|heis|mif1|msf1)", re.S), "a HEIC photograph"),
    (re.compile(rb"%PDF"), "a PDF document"),
    (re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"), "a PostScript drawing"),
    (re.compile(rb"....ftyp|\x1aE\xdf\xa3", re.S), "a video"),
    (re.compile(rb"\s*<(!doctype html|html)", re.I), "a web page"),
)
_QUIET = threading.Lock()  # warnings.catch_warnings changes the whole process


def load_image(source: Source) -> Image:
    """Read a picture: upright, RGB or RGBA, of bearable size; URLs are not fetched.

    What the file says of itself (format, camera, date) and what was done to it stands in ``meta``.
    Of an animation it is the first frame; colour profiles are not applied.

    Args:
        source: A path, the bytes of a file, an open file, or a picture already decoded.
    """
    if isinstance(source, Image):
        return source
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of what is refused or mended here
        if isinstance(source, np.ndarray):
            return _decoded(_from_array(source), "the array")
        if isinstance(source, Pillow.Image):
            return _decoded(source, "the picture")
        data, name = _read(source)
        with _opened(data, name) as picture:
            return _decoded(picture, name)


def _opened(data: bytes, name: str) -> Pillow.Image:
    """Read the header only."""
    if not data:
        raise ImageError(f"Cannot read {name}: it is empty. {_ADVICE}")
    try:
        return Pillow.open(io.BytesIO(data), formats=FORMATS)
    except Pillow.DecompressionBombError as error:
        raise ImageError(f"Cannot read {name}: {_too_large(error)}") from error
    except Exception as error:  # decoders raise whatever a damaged file makes them raise
        raise ImageError(f"Cannot read {name}: {_stranger(data)}. {_ADVICE}") from error


def _from_array(array: NDArray[Any]) -> Pillow.Image:
    try:
        return Image.from_array(array).to_pil()
    except ValueError as error:
        raise ImageError(f"Cannot read the array: {error}") from error


def _read(source: str | Path | bytes | BinaryIO) -> tuple[bytes, str]:
    """Return the bytes of a file and how to call it."""
    if isinstance(source, bytes | bytearray | memoryview):
        return _bounded(bytes(source), "the picture"), "the picture"
    if isinstance(source, str | Path):
        return _read_path(source)
    if not hasattr(source, "read"):
        raise ImageError(
            f"Cannot read a picture from {type(source).__name__}: "
            "give a path, bytes, an open file, a Pillow image or an array."
        )
    data = source.read(MAX_BYTES + 1)
    if not isinstance(data, bytes):
        raise ImageError("Cannot read the picture: the file is open as text. Open it with 'rb'.")
    return _bounded(data, "the picture"), "the picture"


def _read_path(source: str | Path) -> tuple[bytes, str]:
    text = str(source).strip() if isinstance(source, str) else str(source)
    scheme = re.match(r"([a-z][a-z0-9+.-]+):(//|.*,)", text, re.I)
    if scheme:
        raise ImageError(
            f"Cannot read {text[:60]!r}: {scheme[1]} addresses are not fetched. "
            "Save the picture and give its path."
        )
    name = repr(Path(text).name[-80:] or text)
    try:
        path = Path(text).expanduser()
        if path.is_dir():
            raise ImageError(f"Cannot read {name}: it is a folder. Name one picture in it.")
        if path.exists() and not path.is_file():
            raise ImageError(f"Cannot read {name}: it is a device, not a file. {_ADVICE}")
        with path.open("rb") as file:
            return _bounded(file.read(MAX_BYTES + 1), name), name
    except FileNotFoundError as error:
        raise ImageError(f"Cannot read {name}: there is no such file. Check the path.") from error
    except (OSError, ValueError, RuntimeError) as error:  # no rights, NUL in the name, no home
        why = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"Cannot read {name}: {why}. Check the path.") from error


def _bounded(data: bytes, name: str) -> bytes:
    if len(data) > MAX_BYTES:
        limit = f"{MAX_BYTES // 1024**2} MiB"
        raise ImageError(f"Cannot read {name}: it is over {limit}. Give a smaller file.")
    return data


def _decoded(picture: Pillow.Image, name: str) -> Image:
    """Decode what the header allows, turn it upright, bring it to two modes and to size."""
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise ImageError(f"Cannot read {name}: {_too_large(f'{width}x{height}')}")
    if width * height == 0:
        raise ImageError(f"Cannot read {name}: it is {width}x{height}, without a pixel. {_ADVICE}")
    try:
        picture.load()
        exif = _exif(picture)
        meta = _facts(picture.format, exif)
        turn = _UPRIGHT.get(exif.get(Base.Orientation, 1))
        image = Image.from_pil(picture if turn is None else picture.transpose(turn))
    except Exception as error:  # decoders raise whatever a damaged file makes them raise
        raise ImageError(
            f"Cannot read {name}: it is damaged or cut short ({_short(error)}). "
            "Copy or download it again."
        ) from error
    return _scaled(image, meta)


def _scaled(image: Image, meta: dict[str, str]) -> Image:
    longest = max(image.width, image.height)
    if longest <= MAX_SIDE:
        return Image(image.pixels, meta=meta)
    width, height = (max(1, round(n * MAX_SIDE / longest)) for n in (image.width, image.height))
    meta["scaled"] = f"from {image.width}x{image.height} to {width}x{height}"
    smaller = image.to_pil().resize((width, height), Pillow.Resampling.LANCZOS, reducing_gap=2)
    return Image(np.asarray(smaller), meta=meta)


def _exif(picture: Pillow.Image) -> dict[int, Any]:
    """Return what the camera noted; damaged notes count as none, the picture is worth more."""
    notes: dict[int, Any] = {}
    with suppress(Exception):
        exif = picture.getexif()
        notes |= dict(exif)
        notes |= dict(exif.get_ifd(IFD.Exif))
    return notes


def _facts(kind: str | None, exif: Mapping[int, Any]) -> dict[str, str]:
    """Return the facts that may be shown: no place, no owner, no serial number."""
    facts = {"format": kind or ""}
    camera = [_printable(exif.get(tag, "")) for tag in (Base.Make, Base.Model)]
    facts["camera"] = camera[1] if camera[1].startswith(camera[0]) else " ".join(camera).strip()
    taken = _printable(exif.get(Base.DateTimeOriginal, exif.get(Base.DateTime, "")))
    date = re.fullmatch(r"(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)", taken)
    facts["taken"] = f"{date[1]}-{date[2]}-{date[3]} {date[4]}" if date else ""
    return {name: fact for name, fact in facts.items() if fact}


def _printable(note: object) -> str:
    """Return a camera's word without what could break out of a line of a prompt."""
    text = note if isinstance(note, str) else ""
    return re.sub(r"[^\w .,:+()/-]", "", text).strip()[:60]


def _stranger(data: bytes) -> str:
    """Say what a file is that no reader knows."""
    for pattern, name in _STRANGERS:
        if pattern.match(data[:4096]):
            return f"it is {name}, which is not supported"
    with suppress(UnicodeDecodeError):
        data[:1024].decode("utf-8")
        if b"\0" not in data[:1024]:
            return "it is text, not a picture"
    return "it is not a picture of a known format, or its beginning is damaged"


def _too_large(size: object) -> str:
    numbers = re.search(r"\d+ pixels|\d+x\d+", str(size))
    given = numbers[0] if numbers else "too large"
    limit = MAX_PIXELS // 1_000_000
    return f"it is {given}, at most {limit} megapixels are read. Scale it down first."


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:100] or type(error).__name__
