"""From a conversation to what a model learns from: tokens, labels, what is shown, cut to size."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SetupError
from llava_plus.messages import Conversation, ImagePart, Message, Part, StatePart
from llava_plus.model.processing import LMMProcessor, Pixels

from .media import SampleError


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """One conversation.

    Args:
        ids: Its tokens (position).
        labels: The same where something is learned, -100 elsewhere (position).
        pixels: Of each tower size, the views of its pictures in order (view, 3, side, side).
        sizes: Heights and widths of its pictures.
        videos: The frames of each of its videos (frame, 3, side, side).
        states: Its state vectors (state, dim).
        frames: How many frames its videos have in all.
    """

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    pixels: tuple[Pixels, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    videos: tuple[Pixels, ...] = ()
    states: Pixels | None = None
    frames: int = 0


class Encoder(Protocol):
    """Encodes conversations; `longest` is the most tokens that come out."""

    longest: int

    def __call__(self, conversation: Conversation, where: str, *, with_pixels: bool) -> Encoded:
        """Encode one.

        Raises:
            SampleError: Nothing can be learned from it.
        """
        ...


class ConversationEncoder:
    """Next-token prediction: the template's words, cut at the end where they are too many.

    Args:
        processor: Writes, tokenizes and prepares what is shown.
        longest: The most tokens.
    """

    def __init__(self, processor: LMMProcessor, longest: int) -> None:
        self.processor = processor
        self.longest = longest

    def __call__(self, conversation: Conversation, where: str, *, with_pixels: bool) -> Encoded:
        try:
            found = self.processor.encode(conversation, with_pixels=with_pixels)
        except SetupError as error:
            raise SampleError(f"{where}: {error}") from error
        ids = np.array(found["input_ids"], np.int64)
        labels = np.array(found["labels"], np.int64)
        ids, labels = self._cut(ids, labels, where)
        if not (labels[1:] != -100).any():
            raise SampleError(
                f"{where}: nothing is learned within {self.longest} tokens; an answer must be"
                " there and begin before that."
            )
        images = [image for message in conversation for image in message.images]
        videos = [video for message in conversation for video in message.videos]
        return Encoded(
            ids=ids,
            labels=labels,
            pixels=_sides(found["pixels"]) if images and with_pixels else (),
            sizes=tuple((image.pixels.shape[0], image.pixels.shape[1]) for image in images),
            videos=tuple(found["videos"]),
            states=found["states"] if len(found["states"]) else None,
            frames=sum(len(video.frames) for video in videos),
        )

    def _cut(
        self, ids: NDArray[np.int64], labels: NDArray[np.int64], where: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if len(ids) <= self.longest:
            return ids, labels
        processor = self.processor
        holes = (processor.image_token_id, processor.video_token_id, processor.state_token_id)
        if np.isin(ids[self.longest :], [one for one in holes if one is not None]).any():
            raise SampleError(
                f"{where}: its pictures, videos or states reach beyond {self.longest} tokens, and"
                " such are not cut. Give the stage a larger 'longest' or, for videos, fewer"
                " 'frames', or leave it out."
            )
        return ids[: self.longest], labels[: self.longest]

    def blank(self, *, picture: bool, state: bool) -> Encoded:
        """A black picture, a state of zeros or both, with nothing to learn.

        For batches that show nothing of the kind.
        """
        processor = self.processor
        parts: list[Part] = []
        if picture:
            side = processor.image_size
            parts.append(ImagePart(pixels=np.zeros((side, side, 3), np.uint8), digest="black"))
        if state:
            parts.append(StatePart(values=np.zeros(processor.state_dim or 0, np.float32)))
        found = processor.encode([Message(role="user", parts=tuple(parts))])
        holes = [processor.image_token_id, processor.state_token_id]
        ids = np.array([one for one in found["input_ids"] if one in holes], np.int64)
        return Encoded(
            ids=ids,
            labels=np.full(len(ids), -100, np.int64),
            pixels=_sides(found["pixels"]) if picture else (),
            sizes=((processor.image_size, processor.image_size),) if picture else (),
            states=found["states"] if state else None,
        )


def _sides(pixels: Pixels | list[Pixels]) -> tuple[Pixels, ...]:
    return tuple(pixels) if isinstance(pixels, list) else (pixels,)


class CaptionEncoder:
    """A picture with its caption in a Q-Former's own words, for BLIP-2's first stage.

    Args:
        processor: Prepares the pictures.
        tokenizer: Of the Q-Former's text (BERT's, with a token that begins generated text).
        longest: The most tokens of a caption.
    """

    def __init__(self, processor: LMMProcessor, tokenizer: Any, longest: int) -> None:
        self.processor = processor
        self.tokenizer = tokenizer
        self.longest = longest

    def __call__(self, conversation: Conversation, where: str, *, with_pixels: bool) -> Encoded:
        images = [image for message in conversation for image in message.images]
        text = " ".join(message.text for message in conversation if message.role == "assistant")
        if len(images) != 1 or not text.strip():
            raise SampleError(
                f"{where}: a pair of one picture and a caption was wanted; here are {len(images)}"
                f" pictures and {len(text.split())} words."
            )
        height, width = images[0].pixels.shape[:2]
        if not (height and width):
            raise SampleError(f"{where}: its picture is of {width} x {height} pixels.")
        ids = self.tokenizer(text.strip(), truncation=True, max_length=self.longest)["input_ids"]
        found = np.array(ids, np.int64)
        pixels = (self.processor.views(images[0]),) if with_pixels else ()
        return Encoded(ids=found, labels=found, pixels=pixels, sizes=((height, width),))
