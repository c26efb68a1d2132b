"""The picture itself: pixels that nobody can write to, and Pillow's many modes turned into two."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from llava_plus.errors import ImageError


@dataclass(frozen=True, eq=False)
class Image:
    """A picture: RGB or RGBA pixels that nobody can write to, and what its file said about it.

    Two images are equal when their pixels are; ``meta`` does not count.
    """

    pixels: NDArray[np.uint8] = field(repr=False)  # (height, width, 3 or 4)
    _: KW_ONLY
    meta: Mapping[str, str] = field(default_factory=dict)
    kind: ClassVar[str] = "image"

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", _unwritable(self.pixels))
        object.__setattr__(self, "meta", MappingProxyType(dict(self.meta)))

    @classmethod
    def from_array(cls, array: NDArray[Any]) -> Image:
        """Take (height, width), (height, width, 3) or (height, width, 4) uint8."""
        return cls(np.repeat(array[..., None], 3, axis=2) if array.ndim == 2 else array)

    @classmethod
    def from_pil(cls, picture: Pillow.Image) -> Image:
        """Take a Pillow image of any mode, as it lies (``load_image`` also turns it upright)."""
        return cls(np.asarray(_two_modes(picture)))

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @cached_property
    def digest(self) -> str:
        """Name of the content: sha256 of shape and pixels."""
        shape = "x".join(map(str, self.pixels.shape))
        return hashlib.sha256(shape.encode() + b":" + self.pixels.tobytes()).hexdigest()

    def rgb(self) -> NDArray[np.uint8]:
        """Return (height, width, 3); white shows through what is transparent."""
        if self.pixels.shape[2] == 3:
            return self.pixels
        alpha = self.pixels[..., 3:].astype(np.uint16)  # (height, width, 1)
        mixed = (self.pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
        return mixed.astype(np.uint8)

    def to_pil(self) -> Pillow.Image:
        return Pillow.fromarray(self.pixels)

    def save(self, path: str | Path) -> None:
        """Write a file in the format that the suffix names; JPEG gets white for transparent."""
        path = Path(path)
        writers = Pillow.registered_extensions()
        kind = writers.get(path.suffix.lower(), "")
        if kind not in Pillow.SAVE:
            raise ImageError(f"Cannot write {path.name!r}: end the name in .png, .jpg or .webp.")
        pixels = self.pixels if kind in ("PNG", "WEBP", "TIFF") else self.rgb()
        try:
            Pillow.fromarray(pixels).save(path, kind)
        except OSError as error:
            raise ImageError(f"Cannot write {path.name!r}: {error.strerror or error}.") from error

    def with_meta(self, meta: Mapping[str, str]) -> Image:
        """Return the picture with what its file said about it."""
        return self if dict(self.meta) == dict(meta) else Image(self.pixels, meta=meta)

    def describe(self) -> str:
        return f"{self.width}x{self.height}"

    def cite(self) -> str:
        return "the picture"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Callable[..., Image], tuple[Any, ...]]:
        return _restored, (self.pixels, dict(self.meta))  # as it travels between processes


class StoredImage(Image):
    """A picture that is kept somewhere; its pixels are read when somebody first looks at them.

    Args:
        digest: Its name; whoever keeps it vouches that the pixels have it.
        size: Width and height.
        read: Returns the pixels, (height, width, 3 or 4).
        meta: What its file said about it.
    """

    def __init__(
        self,
        digest: str,
        size: tuple[int, int],
        read: Callable[[], NDArray[np.uint8]],
        *,
        meta: Mapping[str, str] | None = None,
    ) -> None:
        facts = {"digest": digest, "_size": size, "_read": read}
        self.__dict__.update(facts, meta=MappingProxyType(dict(meta or {})))

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:  # type: ignore[override]
        return _unwritable(self._read())  # type: ignore[attr-defined]

    @property
    def width(self) -> int:
        return int(self._size[0])  # type: ignore[attr-defined]

    @property
    def height(self) -> int:
        return int(self._size[1])  # type: ignore[attr-defined]

    def with_meta(self, meta: Mapping[str, str]) -> Image:
        """Return the picture with other facts, its pixels still unread."""
        return StoredImage(self.digest, (self.width, self.height), lambda: self.pixels, meta=meta)


def _restored(pixels: NDArray[np.uint8], meta: dict[str, str]) -> Image:
    return Image(pixels, meta=meta)


def _unwritable(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Copy pixels into memory that numpy refuses to make writable again."""
    given = (
        f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
    )
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        raise ValueError(f"Image pixels must be a uint8 array, got {given}.")
    if array.ndim != 3 or array.shape[2] not in (3, 4) or not array.size:
        raise ValueError(f"Image pixels must be (height, width, 3 or 4), got {given}.")
    return np.frombuffer(array.tobytes(), np.uint8).reshape(array.shape)


def _two_modes(picture: Pillow.Image) -> Pillow.Image:
    """Convert to RGB, or to RGBA where something is transparent."""
    if picture.mode.startswith(("I", "F")):
        return _eight_bit(picture).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    darkest, _ = picture.getchannel("A").getextrema()
    return picture.convert("RGB") if darkest == 255 else picture


def _eight_bit(picture: Pillow.Image) -> Pillow.Image:
    """Scale deep grey to 0..255: by the mode's own range where it has one, else by the values."""
    values = np.nan_to_num(np.asarray(picture).astype(np.float64), posinf=0, neginf=0)
    low, high = min(float(values.min()), 0.0), float(values.max())
    if picture.mode.startswith("I") and low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0 if high > 255 or ";16" in picture.mode else 255.0
    elif picture.mode == "F" and low >= 0 and high <= 255:
        high = 1.0 if high <= 1 else 255.0
    scaled = (values - low) * (255 / max(high - low, 1e-9))
    return Pillow.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
