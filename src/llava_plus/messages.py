"""Conversations as planners and models read them: roles, text and pictures, nothing of skills."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Role = Literal["system", "user", "assistant", "observation"]


@dataclass(frozen=True, kw_only=True)
class TextPart:
    """Words of a message."""

    text: str


@dataclass(frozen=True, kw_only=True)
class ImagePart:
    """A picture inside a message."""

    pixels: NDArray[np.uint8] = field(repr=False)  # (height, width, 3) RGB
    digest: str = ""  # names the content; equal digests may share cached features


@dataclass(frozen=True, kw_only=True)
class Message:
    """One utterance; ``supervised`` says whether a trainer learns its words."""

    role: Role
    parts: tuple[TextPart | ImagePart, ...]
    supervised: bool = False

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        return tuple(part for part in self.parts if isinstance(part, ImagePart))


Conversation = Sequence[Message]
