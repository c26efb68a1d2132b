"""Conversations as planners and models read them: roles, text and what is shown, not skills."""

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
class VideoPart:
    """Frames of a video inside a message, in order; planners do not show any."""

    frames: NDArray[np.uint8] = field(repr=False)  # (frame, height, width, 3) RGB


@dataclass(frozen=True, kw_only=True)
class StatePart:
    """A vector of what is known of a thing (pose, size, color …); planners do not show any."""

    values: NDArray[np.float32] = field(repr=False)  # (dim)


Part = TextPart | ImagePart | VideoPart | StatePart


@dataclass(frozen=True, kw_only=True)
class Message:
    """One utterance; ``supervised`` says whether a trainer learns its words."""

    role: Role
    parts: tuple[Part, ...]
    supervised: bool = False

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        return tuple(part for part in self.parts if isinstance(part, ImagePart))

    @property
    def words_and_pictures(self) -> tuple[TextPart | ImagePart, ...]:
        """Its parts, for planners, which show nothing else."""
        other = [part for part in self.parts if not isinstance(part, TextPart | ImagePart)]
        if other:
            raise TypeError(f"A planner shows words and pictures, not a {type(other[0]).__name__}.")
        return tuple(part for part in self.parts if isinstance(part, TextPart | ImagePart))

    @property
    def videos(self) -> tuple[VideoPart, ...]:
        return tuple(part for part in self.parts if isinstance(part, VideoPart))


Conversation = Sequence[Message]
