"""From conversations to what an LMM reads: token ids, labels, pixels, frames and states."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from llava_plus.errors import SetupError
from llava_plus.messages import Conversation, ImagePart

from .layout import Layout
from .preparing import Pixels, Preparer, Side, digest
from .shown import Reads
from .template import Segment
from .templates import TEMPLATES
from .weight_files import read_json

__all__ = ["LMMProcessor", "Pixels", "Side", "digest"]

_FILE = "processor.json"


class LMMProcessor:
    """Writes conversations with a template, tokenizes them and prepares what they show.

    Args:
        tokenizer: A fast tokenizer that holds the template's special tokens.
        image_size: Pictures are squeezed to a square of this many pixels.
        image_mean: What to subtract from each channel, of values in 0..1.
        image_std: What to divide each channel by.
        tokens_per_image: How many placeholders a picture takes.
        template: The template's name.
        skills: Names of the built-in skills that the model was trained on; none for all of them.
        layout: How pictures become views and tokens, instead of ``image_size`` and
            ``tokens_per_image``; `LMM.layout` of the model.
        sides: What each tower wants, where towers want different pictures; instead of
            ``image_mean`` and ``image_std``.
        state_dim: Width of the state vectors that the model reads, if it reads any.
        tokens_per_state: How many placeholders a state vector takes.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        *,
        image_size: int = 64,
        image_mean: tuple[float, ...] = (0.5, 0.5, 0.5),
        image_std: tuple[float, ...] = (0.5, 0.5, 0.5),
        tokens_per_image: int = 4,
        template: str = "nano",
        skills: tuple[str, ...] = (),
        layout: Layout | None = None,
        sides: Sequence[Side] = (),
        state_dim: int | None = None,
        tokens_per_state: int = 1,
    ) -> None:
        if template not in TEMPLATES:
            raise ValueError(f"No template {template!r}. Known: {', '.join(sorted(TEMPLATES))}.")
        self.tokenizer = tokenizer
        self.layout = layout or Layout(tile=image_size, side=0, tokens=tokens_per_image)
        self.image_size = self.layout.tile
        own = Side(pixels=self.image_size, mean=tuple(image_mean), std=tuple(image_std))
        self.sides = tuple(sides) or (own,)
        self.image_mean, self.image_std = self.sides[0].mean, self.sides[0].std
        self.tokens_per_image = self.layout.view_tokens
        self.template = TEMPLATES[template]
        self.skills = tuple(skills)
        self.state_dim, self.tokens_per_state = state_dim, tokens_per_state
        vocabulary = tokenizer.get_vocab()
        missing = [name for name in self.template.specials if name not in vocabulary]
        if missing:
            raise ValueError(f"Template {template!r} needs {missing}, which the tokenizer lacks.")
        self._ids = {name: vocabulary[name] for name in self.template.specials}
        self.image_token_id = self._ids[self.template.image_token]
        self.video_token_id: int | None = vocabulary.get(self.template.video_token)
        self.state_token_id: int | None = vocabulary.get(self.template.state_token)
        self.end_token_id = self._ids[self.template.end_token]
        # Its own copy, which reads "<|end|>" in somebody's words as seven letters.
        self._words = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._words.encode_special_tokens = True
        self._preparer = Preparer(self.layout, self.sides)
        one_size = len(self.sides) == 1
        self._reads = Reads(
            template=self.template,
            layout=self.layout,
            videos=self.video_token_id is not None and self.layout.videos and one_size,
            state_dim=None if self.state_token_id is None else state_dim,
        )

    def encode(
        self,
        conversation: Conversation,
        add_generation_prompt: bool = False,
        *,
        with_pixels: bool = True,
    ) -> dict[str, Any]:
        """Turn a conversation into ids and labels (lists) and what is shown.

        That is "pixels" of all pictures (view, 3, size, size), a list of such where towers want
        different sizes; "videos", for each its frames (frame, 3, size, size); and "states"
        (state, dim). Labels are the ids where something is learned, -100 elsewhere. Without pixels,
        pictures and videos only take their placeholders.

        Raises:
            SetupError: Something is shown that the template does not write or that this model does
                not read, or that takes no tokens.
        """
        segments = self.template.render(conversation, add_generation_prompt=add_generation_prompt)
        self._reads.check(conversation, segments)
        alone = self.alone(conversation)
        ids: list[int] = []
        labels: list[int] = []
        for segment in segments:
            tokens = self._tokens(segment, alone)
            ids += tokens
            labels += tokens if segment.supervised else [-100] * len(tokens)
        shown: dict[str, Any] = {"pixels": self._pixels([], alone), "videos": []}
        if with_pixels:
            images = [one.image for one in segments if one.image is not None]
            shown["pixels"] = self._pixels(images, alone)
            videos = [one.video for one in segments if one.video is not None]
            shown["videos"] = [self._preparer.frames(video.frames) for video in videos]
        states = [one.state.values for one in segments if one.state is not None]
        shown["states"] = np.array(states, np.float32).reshape(len(states), self.state_dim or 0)
        return {"input_ids": ids, "labels": labels, **shown}

    def inputs(
        self, conversation: Conversation, add_generation_prompt: bool = True
    ) -> dict[str, Any]:
        """What a model's forward and generate take, as tensors of one conversation.

        That is ``input_ids`` and ``attention_mask``, and where there are pictures ``pixel_values``
        (image, view, 3, size, size) with ``image_sizes`` (image, 2) and ``batch_num_images``;
        without tiles, ``pixel_values`` are (image, 3, size, size), and where towers want different
        sizes, a list of such. Videos are ``pixel_values_videos`` (video, frame, 3, size, size), a
        list of them where they have different numbers of frames; states ``state_values``
        (state, dim).
        """
        import torch

        encoded = self.encode(conversation, add_generation_prompt)
        ids = torch.tensor([encoded["input_ids"]])
        ready: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if videos := [torch.from_numpy(one) for one in encoded["videos"]]:
            even = len({len(one) for one in videos}) == 1
            ready["pixel_values_videos"] = torch.stack(videos) if even else videos
        if len(encoded["states"]):
            ready["state_values"] = torch.from_numpy(encoded["states"])
        images = _images(conversation)
        if not images:
            return ready
        sizes = [_size(image) for image in images]
        if len(self.sides) > 1:
            ready["pixel_values"] = [torch.from_numpy(one) for one in encoded["pixels"]]
        else:
            pixels = torch.from_numpy(encoded["pixels"])
            if self.layout.mode == "anyres":
                alone = self.alone(conversation)
                counts = [self.layout.views(size, alone=alone) for size in sizes]
                pixels = torch.nn.utils.rnn.pad_sequence(
                    list(torch.split(pixels, counts)), batch_first=True
                )
            ready["pixel_values"] = pixels
        ready["image_sizes"] = torch.tensor(sizes)
        ready["batch_num_images"] = torch.tensor([len(images)])
        return ready

    def counts(self, conversation: Conversation) -> list[int]:
        """How many placeholders each picture of a conversation takes."""
        alone = self.alone(conversation)
        return [
            self.layout.count_tokens(_size(image), alone=alone) for image in _images(conversation)
        ]

    def views(self, image: ImagePart, *, alone: bool = True) -> Pixels:
        """A picture as its tower reads it (view, 3, size, size)."""
        if len(self.sides) > 1:
            raise ValueError("Towers want different sizes of this picture: use views_by_side.")
        return self.views_by_side(image, alone=alone)[0]

    def views_by_side(self, image: ImagePart, *, alone: bool = True) -> list[Pixels]:
        """A picture's views (view, 3, size, size), for each of ``sides``."""
        return self._preparer.views(image, alone=alone)

    def alone(self, conversation: Conversation) -> bool:
        """Whether a conversation's pictures are tiled as a lone one is."""
        return self.layout.tile_several or len(_images(conversation)) == 1

    def decode(self, ids: list[int]) -> str:
        """The words of some tokens, special ones left out."""
        text: str = self._words.decode(ids, skip_special_tokens=True)
        return text

    def pixels(self, image: ImagePart) -> Pixels:
        """A picture as (3, size, size), read once per content."""
        return self._preparer.square(image)

    def normalized(self, squares: NDArray[np.uint8]) -> Pixels:
        """Squares (image, size, size, 3) as a tower reads them: (image, 3, size, size)."""
        return self.sides[0].normalized(squares)

    def save_pretrained(self, path: str | Path) -> None:
        """Write the tokenizer's files and ``processor.json`` into a directory."""
        self.tokenizer.save_pretrained(str(path))
        facts: dict[str, Any] = {
            "image_size": self.image_size,
            "image_mean": self.image_mean,
            "image_std": self.image_std,
            "tokens_per_image": self.tokens_per_image,
            "template": self.template.name,
            "skills": self.skills,
        }
        if self.layout.side:
            facts["layout"] = self.layout.to_dict()
        if len(self.sides) > 1:
            facts["sides"] = [side.to_dict() for side in self.sides]
        if self.state_dim is not None:
            facts |= {"state_dim": self.state_dim, "tokens_per_state": self.tokens_per_state}
        (Path(path) / _FILE).write_text(json.dumps(facts, indent=2) + "\n")

    @classmethod
    def from_pretrained(cls, path: str | Path) -> "LMMProcessor":
        """Read what `save_pretrained` wrote."""
        file = Path(path) / _FILE
        if not file.is_file():
            raise SetupError(
                f"No {_FILE} in {path}: this is no directory of an LMM of this package."
                " Give one that LMMProcessor.save_pretrained wrote."
            )
        read_json(Path(path) / "tokenizer.json")  # which names it where it is broken
        tokenizer = PreTrainedTokenizerFast.from_pretrained(str(path))
        facts = read_json(file)
        try:
            layout = facts.pop("layout", None)
            sides = [Side.from_dict(side) for side in facts.pop("sides", [])]
            return cls(tokenizer, **facts, layout=layout and Layout.from_dict(layout), sides=sides)
        except (TypeError, ValueError, KeyError) as error:
            raise SetupError(
                f"{file} does not describe a processor: {error}. Copy the model again."
            ) from error

    def _tokens(self, segment: Segment, alone: bool) -> list[int]:
        if segment.image is not None:
            count = self.layout.count_tokens(_size(segment.image), alone=alone)
            return [self.image_token_id] * count
        if segment.video is not None and self.video_token_id is not None:
            return [self.video_token_id] * self.layout.count_video_tokens(len(segment.video.frames))
        if segment.state is not None and self.state_token_id is not None:
            return [self.state_token_id] * self.tokens_per_state
        if segment.token:
            return [self._ids[segment.token]]
        ids: list[int] = self._words.encode(segment.text, add_special_tokens=False).ids
        return ids

    def _pixels(self, images: Sequence[ImagePart], alone: bool) -> Pixels | list[Pixels]:
        """The views of some pictures, for each side."""
        views = [self.views_by_side(image, alone=alone) for image in images]
        found = [
            np.concatenate([one[number] for one in views])
            if views
            else np.zeros((0, 3, side.pixels, side.pixels), np.float32)
            for number, side in enumerate(self.sides)
        ]
        return found if len(found) > 1 else found[0]


def _images(conversation: Conversation) -> list[ImagePart]:
    return [part for turn in conversation for part in turn.parts if isinstance(part, ImagePart)]


def _size(image: ImagePart) -> tuple[int, int]:
    height, width = image.pixels.shape[:2]
    return height, width
