"""The skills that only a model can do: what each takes and gives. Backends do them."""

from .outlines import (
    segment_alike,
    segment_choices,
    segment_everything,
    segment_levels,
    segment_named,
    segment_scene,
)
from .saying import ask, caption
from .searching import open_found, search_images, show_found

__all__ = [
    "ask",
    "caption",
    "open_found",
    "search_images",
    "segment_alike",
    "segment_choices",
    "segment_everything",
    "segment_levels",
    "segment_named",
    "segment_scene",
    "show_found",
]
