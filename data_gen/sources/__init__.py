"""Where pictures come from, and what is known of each."""

from .coco import Coco
from .fetching import Fetcher
from .folders import Folder
from .genome import VisualGenome
from .hub import Columns, HubDataset
from .item import (
    Caption,
    Chart,
    Item,
    Joint,
    OpenSource,
    Problem,
    Relation,
    Report,
    Shelf,
    Source,
    Thing,
    Truth,
    Writing,
)
from .lettered import HierText, TextOcr
from .scenes import DrawnScenes
from .urls import UrlList

__all__ = [
    "Caption",
    "Chart",
    "Coco",
    "Columns",
    "DrawnScenes",
    "Fetcher",
    "Folder",
    "HierText",
    "HubDataset",
    "Item",
    "Joint",
    "OpenSource",
    "Problem",
    "Relation",
    "Report",
    "Shelf",
    "Source",
    "TextOcr",
    "Thing",
    "Truth",
    "UrlList",
    "VisualGenome",
    "Writing",
]
