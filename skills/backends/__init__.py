"""Models that do skills: what each needs, whether it is there, and which of them answers a call."""

from .backend import Backend
from .choosing import AUTO, VARIABLE, skill_backends, with_backends
from .pulling import pull
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
    "named",
    "pull",
    "skill_backends",
    "status_of",
    "with_backends",
]
