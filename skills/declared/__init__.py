"""The skills that only a model can do: what each takes and gives. Backends do them."""

from .making import edit, generate, inpaint, redraw
from .measuring import depth, pose
from .outlines import (
    segment_alike,
    segment_choices,
    segment_everything,
    segment_levels,
    segment_named,
    segment_scene,
)
from .saying import ask, caption, ground, tag
from .searching import open_found, search_images, show_found

__all__ = [
    "ask",
    "caption",
    "depth",
    "edit",
    "generate",
    "ground",
    "inpaint",
    "open_found",
    "pose",
    "redraw",
    "search_images",
    "segment_alike",
    "segment_choices",
    "segment_everything",
    "segment_levels",
    "segment_named",
    "segment_scene",
    "show_found",
    "tag",
]
