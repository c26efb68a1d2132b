"""The skills that only a model can do: what each takes and gives. Backends do them."""

from .making import edit, generate, inpaint, redraw
from .saying import ask, caption

__all__ = ["ask", "caption", "edit", "generate", "inpaint", "redraw"]
