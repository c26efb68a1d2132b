"""What a model reads besides words, and what is wrong with what it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llava_plus.errors import SetupError
from llava_plus.messages import Conversation, ImagePart, StatePart, VideoPart

from .layout import Layout, Size
from .template import Segment, Shown, Template

_NAMES = {ImagePart: "pictures", VideoPart: "videos", StatePart: "states"}


@dataclass(frozen=True, kw_only=True)
class Reads:
    """What a model reads.

    Args:
        template: How its conversations are written.
        layout: How its pictures lie.
        videos: Whether its tokenizer has a token for videos, and one tower size reads them.
        state_dim: Width of its state vectors, if it reads any and its tokenizer has their token.
    """

    template: Template
    layout: Layout
    videos: bool
    state_dim: int | None

    def check(self, conversation: Conversation, segments: Sequence[Segment]) -> None:
        """Whether all that a conversation shows was written, and takes tokens.

        Raises:
            SetupError: Something was not, or does not; which one is said.
        """
        for kind, name in _NAMES.items():
            given = sum(isinstance(p, kind) for message in conversation for p in message.parts)
            if (written := sum(isinstance(one.shown, kind) for one in segments)) != given:
                raise SetupError(
                    f"Template {self.template.name!r} writes {written} of {given} {name}: it leaves"
                    " them out of some turns. Show them in a person's turn, or use another one."
                )
        numbers = dict.fromkeys(_NAMES, 0)
        for segment in segments:
            if (shown := segment.shown) is None:
                continue
            numbers[type(shown)] += 1
            if problem := self._problem(shown, numbers[type(shown)]):
                raise SetupError(problem)

    def _problem(self, shown: Shown, number: int) -> str:
        if isinstance(shown, ImagePart):
            return self._of_picture((shown.pixels.shape[0], shown.pixels.shape[1]), number)
        if isinstance(shown, VideoPart):
            return self._of_video(shown, number)
        return self._of_state(shown, number)

    def _of_picture(self, size: Size, number: int) -> str:
        if 0 not in size and not (self.layout.unpad and 0 in self.layout.final_grid(size)):
            return ""
        return (
            f"Picture {number} of {size[1]} x {size[0]} pixels takes no tokens in layout"
            f" {self.layout.mode!r}: it is too narrow. Leave it out or crop it."
        )

    def _of_video(self, video: VideoPart, number: int) -> str:
        if not self.videos:
            return (
                f"Video {number}: this model reads no videos, or its tokenizer has no"
                f" {self.template.video_token}. Give some frames as pictures."
            )
        shape = video.frames.shape
        if len(shape) == 4 and 0 not in shape:
            return ""
        return f"Video {number} takes no tokens: its frames are {shape}. Give it one frame or more."

    def _of_state(self, state: StatePart, number: int) -> str:
        if self.state_dim is None:
            return (
                f"State {number}: this model reads no states, or its tokenizer has no"
                f" {self.template.state_token}. Say it in words."
            )
        if state.values.shape != (self.state_dim,):
            got = " x ".join(map(str, state.values.shape)) or "one number"
            return (
                f"State {number} is a vector of {got}; this model reads {self.state_dim} numbers."
            )
        if not np.isfinite(state.values).all():
            return f"State {number} holds what is no finite number: {state.values.tolist()}."
        return ""
