"""Skills: what they speak, how they are declared, found and run."""

from .pixels import Image
from .regions import Boxes, Masks, Region, TextLines, region_boxes, region_mask
from .values import Number, Points, Table, Tags, Text, Value, value_from_json, value_to_json

__all__ = [
    "Boxes",
    "Image",
    "Masks",
    "Number",
    "Points",
    "Region",
    "Table",
    "Tags",
    "Text",
    "TextLines",
    "Value",
    "region_boxes",
    "region_mask",
    "value_from_json",
    "value_to_json",
]
