"""The skills that only a model can do: what each takes and gives. Backends do them."""

from .measuring import depth, pose
from .saying import ask, caption, tag

__all__ = ["ask", "caption", "depth", "pose", "tag"]
