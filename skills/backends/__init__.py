"""Models that do skills: what each needs, whether it is there, and which of them answers a call."""

from .backend import Backend
from .choosing import AUTO, VARIABLE, skill_backends, with_backends
from .pulling import pull
from .searching import index_album, with_album
from .shelf import Shelf
from .status import Status, status_of
from .table import BACKENDS, named

__all__ = [
    "AUTO",
    "BACKENDS",
    "VARIABLE",
    "Backend",
    "Shelf",
    "Status",
    "index_album",
    "named",
    "pull",
    "skill_backends",
    "status_of",
    "with_album",
    "with_backends",
]
