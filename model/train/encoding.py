"""From a conversation to what a model learns from: tokens, labels and pictures, cut to a length."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from llava_plus.messages import Conversation, ImagePart
from llava_plus.model.pictures import views_of
from llava_plus.model.processing import LMMProcessor

from .sources import SampleError

Pixels = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """One conversation.

    Args:
        ids: Its tokens (position).
        labels: The same where something is learned, -100 elsewhere (position).
        pixels: Of each tower size, the views of its pictures in order (view, 3, side, side).
        sizes: Heights and widths of its pictures.
    """

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    pixels: tuple[Pixels, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()


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
        processor: Writes and tokenizes.
        longest: The most tokens.
        sides: Of each size that the towers read, the side in pixels, with the mean and the
            deviation of its pictures' channels.
    """

    def __init__(
        self, processor: LMMProcessor, longest: int, sides: "Sequence[Side] | None" = None
    ) -> None:
        self.processor = processor
        self.longest = longest
        own = Side(pixels=processor.image_size, mean=processor.image_mean, std=processor.image_std)
        self.sides = tuple(sides or (own,))

    def __call__(self, conversation: Conversation, where: str, *, with_pixels: bool) -> Encoded:
        images = [image for message in conversation for image in message.images]
        self._check_pictures(images, where)
        encoded = self.processor.encode(conversation, with_pixels=False)
        ids = np.array(encoded["input_ids"], np.int64)
        labels = np.array(encoded["labels"], np.int64)
        ids, labels = self._cut(ids, labels, where)
        if not (labels[1:] != -100).any():
            raise SampleError(
                f"{where}: nothing is learned within {self.longest} tokens; an answer must be"
                " there and begin before that."
            )
        sizes = tuple((image.pixels.shape[0], image.pixels.shape[1]) for image in images)
        pixels: tuple[Pixels, ...] = ()
        if images and with_pixels:
            pixels = tuple(self._views(images, side) for side in self.sides)
        return Encoded(ids=ids, labels=labels, pixels=pixels, sizes=sizes)

    def _check_pictures(self, images: Sequence[ImagePart], where: str) -> None:
        layout = self.processor.layout
        for number, image in enumerate(images, 1):
            height, width = image.pixels.shape[:2]
            if not (height and width) or (layout.unpad and 0 in layout.final_grid((height, width))):
                raise SampleError(
                    f"{where}: picture {number} of {width} x {height} pixels takes no tokens in"
                    f" layout {layout.mode!r}: it is too narrow. Leave it out or crop it."
                )

    def _cut(
        self, ids: NDArray[np.int64], labels: NDArray[np.int64], where: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if len(ids) <= self.longest:
            return ids, labels
        if (ids[self.longest :] == self.processor.image_token_id).any():
            raise SampleError(
                f"{where}: its pictures reach beyond {self.longest} tokens, and a picture is not"
                " cut. Give the stage a larger 'longest', or leave it out."
            )
        return ids[: self.longest], labels[: self.longest]

    def _views(self, images: Sequence[ImagePart], side: "Side") -> Pixels:
        layout = replace(self.processor.layout, tile=side.pixels) if self._several else None
        alone = self.processor.layout.tile_several or len(images) == 1
        views = [
            views_of(image.pixels, layout or self.processor.layout, side.mean, alone=alone)
            for image in images
        ]
        values = np.concatenate(views).astype(np.float32) / 255
        mean, std = np.array(side.mean, np.float32), np.array(side.std, np.float32)
        return np.ascontiguousarray(((values - mean) / std).transpose(0, 3, 1, 2))

    @property
    def _several(self) -> bool:
        return len(self.sides) > 1

    def blank(self) -> Encoded:
        """A black picture alone, with nothing to learn: for batches without pictures."""
        processor = self.processor
        size = (processor.image_size, processor.image_size)
        count = processor.layout.count_tokens(size)
        ids = np.full(count, processor.image_token_id, np.int64)
        black = ImagePart(pixels=np.zeros((*size, 3), np.uint8), digest="black")
        return Encoded(
            ids=ids,
            labels=np.full(count, -100, np.int64),
            pixels=tuple(self._views([black], side) for side in self.sides),
            sizes=(size,),
        )


class CaptionEncoder:
    """A picture with its caption in a Q-Former's own words, for BLIP-2's first stage.

    Args:
        processor: Prepares the pictures.
        tokenizer: Of the Q-Former's text (BERT's, with a token that begins generated text).
        longest: The most tokens of a caption.
    """

    def __init__(self, processor: LMMProcessor, tokenizer: Any, longest: int) -> None:
        self._pictures = ConversationEncoder(processor, longest)
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
        ids = self.tokenizer(text.strip(), truncation=True, max_length=self.longest)["input_ids"]
        found = np.array(ids, np.int64)
        pixels: tuple[Pixels, ...] = ()
        if with_pixels:
            pixels = (self._pictures._views(images, self._pictures.sides[0]),)
        height, width = images[0].pixels.shape[:2]
        return Encoded(ids=found, labels=found, pixels=pixels, sizes=((height, width),))


@dataclass(frozen=True, kw_only=True)
class Side:
    """How a tower wants its pictures: side in pixels, channels' mean and deviation in 0..1."""

    pixels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


Tick = Callable[[int], None]
