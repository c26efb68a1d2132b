"""What planners read and write: ours, LLaVA-Plus's, and models' own tool calling."""

from . import json, native, plus
from .stream import StreamReader

__all__ = ["StreamReader", "json", "native", "plus"]
