"""What planners read and write: `json` is ours, `plus` is LLaVA-Plus's."""

from . import json, plus
from .stream import StreamReader

__all__ = ["StreamReader", "json", "plus"]
