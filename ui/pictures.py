"""Pictures on their way to a browser: small copies in a folder of one visitor's own."""

import base64
import io
import secrets
import shutil
from pathlib import Path

from PIL import Image as Pillow

from llava_plus.skills import Image

SIDE = 1280  # of what the chat shows; downloads have every pixel
THUMBNAIL = 320


class Pictures:
    """Files of one visitor, under names that nobody else can guess."""

    def __init__(self, root: Path) -> None:
        self.folder = root / f"visit-{secrets.token_hex(16)}"

    def show(self, image: Image) -> str:
        """Write a copy that fits a screen, once, and return its path."""
        return self._copy(image, SIDE)

    def thumbnail(self, image: Image) -> str:
        """Write a small copy, once, and return its path."""
        return self._copy(image, THUMBNAIL)

    def full(self, image: Image, name: str) -> str:
        """Write every pixel under a name for downloading, and return the path."""
        path = self._place(f"{image.digest[:16]}/{name}.png")
        if not path.exists():
            image.save(path)
        return str(path)

    def text(self, name: str, content: str) -> str:
        """Write words under a name for downloading, and return the path."""
        path = self._place(name)
        path.write_text(content, encoding="utf-8")
        return str(path)

    def close(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _copy(self, image: Image, side: int) -> str:
        path = self._place(f"{image.digest[:32]}-{side}{_suffix(image)}")
        if not path.exists():
            path.write_bytes(_encoded(image, side))
        return str(path)

    def _place(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def data_url(image: Image, side: int = SIDE) -> str:
    """Return a copy that fits a screen as part of the page itself."""
    kind = "png" if _suffix(image) == ".png" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(_encoded(image, side)).decode()}"


def _encoded(image: Image, side: int) -> bytes:
    picture = image.to_pil()
    picture.thumbnail((side, side), Pillow.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if _suffix(image) == ".png":
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _suffix(image: Image) -> str:
    """Small and transparent pictures stay exact."""
    small = max(image.width, image.height) <= 256
    return ".png" if small or image.pixels.shape[2] == 4 else ".jpg"
