"""The skills that work at once, with nothing downloaded."""

from .backgrounds import remove_background, replace_background
from .calculating import calculate
from .coloring import colors
from .combining import combine
from .comparing import compare
from .describing import describe
from .editing import adjust, crop, image_info, rotate
from .finding import detect
from .hiding import blur, erase, pixelate
from .improving import denoise, enhance
from .leveling import straighten
from .marking import add_text, draw
from .measuring import count, measure
from .outlining import segment
from .plotting import plot
from .reading import ocr, read_codes
from .selecting import select
from .sizing import flip, resize
from .styling import stylize

__all__ = [
    "add_text",
    "adjust",
    "blur",
    "calculate",
    "colors",
    "combine",
    "compare",
    "count",
    "crop",
    "denoise",
    "describe",
    "detect",
    "draw",
    "enhance",
    "erase",
    "flip",
    "image_info",
    "measure",
    "ocr",
    "pixelate",
    "plot",
    "read_codes",
    "remove_background",
    "replace_background",
    "resize",
    "rotate",
    "segment",
    "select",
    "straighten",
    "stylize",
]
