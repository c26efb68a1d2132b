"""The skills that work at once, with nothing downloaded."""

from .editing import adjust, crop, image_info, rotate
from .finding import detect
from .hiding import blur, erase, pixelate
from .outlining import segment
from .reading import ocr, read_codes
from .selecting import select

__all__ = [
    "adjust",
    "blur",
    "crop",
    "detect",
    "erase",
    "image_info",
    "ocr",
    "pixelate",
    "read_codes",
    "rotate",
    "segment",
    "select",
]
