"""Pictures as they travel inside a request."""

import base64
import io
import threading
from collections import OrderedDict
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from llava_plus.messages import ImagePart

Format = Literal["jpeg", "png"]
QUALITY = 90  # of JPEG
KEPT = 64  # encoded pictures, so that a session does not encode each again in every step


class DataUrls:
    """Makes the part of a chat message that carries a picture; the same picture, the same bytes.

    Args:
        longest_side: Larger pictures are scaled down to it, in pixels.
        format: "jpeg" is smaller, "png" keeps every pixel.
    """

    def __init__(self, *, longest_side: int, format: Format) -> None:
        self.longest_side = longest_side
        self.format: Format = format
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, part: ImagePart) -> dict[str, Any]:
        return {"type": "image_url", "image_url": {"url": self._url(part)}}

    def _url(self, part: ImagePart) -> str:
        with self._lock:
            url = self._kept.pop(part.digest, None) or self._encode(part.pixels)
            self._kept[part.digest] = url  # the last one used comes last
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return url

    def _encode(self, pixels: NDArray[np.uint8]) -> str:
        """Encode (height, width, 3) RGB."""
        picture = Pillow.fromarray(pixels)
        shrink = self.longest_side / max(picture.size)
        if shrink < 1:
            width, height = (max(1, round(side * shrink)) for side in picture.size)
            picture = picture.resize((width, height), Pillow.Resampling.LANCZOS, reducing_gap=2)
        file = io.BytesIO()
        picture.save(file, self.format, quality=QUALITY)
        return f"data:image/{self.format};base64,{base64.b64encode(file.getvalue()).decode()}"
