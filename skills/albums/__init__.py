"""A person's own folder of pictures: kept as vectors on disk, searched by words or a picture."""

from .album import Album, Found, found_table
from .index import Index
from .update import Report, update

__all__ = ["Album", "Found", "Index", "Report", "found_table", "update"]
