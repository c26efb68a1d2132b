"""The page and the command line. The page itself, ``llava_plus.ui.app``, imports gradio."""

from .labels import LANGUAGES
from .late import LatePlanner
from .lobby import Lobby
from .progress import advance
from .render import ChatMessage, render_turn
from .state import Visit

__all__ = ["LANGUAGES", "ChatMessage", "LatePlanner", "Lobby", "Visit", "advance", "render_turn"]
