"""From conversations to what an LMM reads: token ids, labels and pixels."""

import hashlib
import json
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from llava_plus.errors import SetupError
from llava_plus.messages import Conversation, ImagePart

from .layout import Layout
from .pictures import squared, views_of
from .templates import TEMPLATES, Segment
from .weight_files import read_json

Pixels = NDArray[np.float32]
_FILE = "processor.json"
_KEPT = 256  # pictures whose pixels stay ready


class LMMProcessor:
    """Writes conversations with a template, tokenizes them and prepares their pictures.

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
    ) -> None:
        if template not in TEMPLATES:
            raise ValueError(f"No template {template!r}. Known: {', '.join(sorted(TEMPLATES))}.")
        self.tokenizer = tokenizer
        self.layout = layout or Layout(tile=image_size, side=0, tokens=tokens_per_image)
        self.image_size = self.layout.tile
        self.image_mean = tuple(image_mean)
        self.image_std = tuple(image_std)
        self.tokens_per_image = self.layout.view_tokens
        self.template = TEMPLATES[template]
        self.skills = tuple(skills)
        vocabulary = tokenizer.get_vocab()
        missing = [name for name in self.template.specials if name not in vocabulary]
        if missing:
            raise ValueError(f"Template {template!r} needs {missing}, which the tokenizer lacks.")
        self._ids = {name: vocabulary[name] for name in self.template.specials}
        self.image_token_id = self._ids[self.template.image_token]
        self.end_token_id = self._ids[self.template.end_token]
        # Its own copy, which reads "<|end|>" in somebody's words as seven letters.
        self._words = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._words.encode_special_tokens = True
        self._ready: OrderedDict[str, Pixels] = OrderedDict()
        self._lock = Lock()

    def encode(
        self,
        conversation: Conversation,
        add_generation_prompt: bool = False,
        *,
        with_pixels: bool = True,
    ) -> dict[str, Any]:
        """Turn a conversation into ids and labels (lists) and pixels (view, 3, size, size).

        Labels are the ids where something is learned, -100 elsewhere. Without pixels, pictures only
        take their placeholders.
        """
        alone = self.alone(conversation)
        ids: list[int] = []
        labels: list[int] = []
        pixels: list[Pixels] = []
        for segment in self.template.render(
            conversation, add_generation_prompt=add_generation_prompt
        ):
            tokens = self._tokens(segment, alone)
            ids += tokens
            labels += tokens if segment.supervised else [-100] * len(tokens)
            if segment.image is not None and with_pixels:
                pixels += self._views(segment.image, alone)
        empty = np.zeros((0, 3, self.image_size, self.image_size), np.float32)
        return {
            "input_ids": ids,
            "labels": labels,
            "pixels": np.stack(pixels) if pixels else empty,
        }

    def inputs(
        self, conversation: Conversation, add_generation_prompt: bool = True
    ) -> dict[str, Any]:
        """What a model's forward and generate take, as tensors of one conversation.

        That is ``input_ids`` and ``attention_mask``, and where there are pictures ``pixel_values``
        (image, view, 3, size, size) with ``image_sizes`` (image, 2) and ``batch_num_images``;
        without tiles, ``pixel_values`` are (image, 3, size, size).
        """
        import torch

        encoded = self.encode(conversation, add_generation_prompt)
        ids = torch.tensor([encoded["input_ids"]])
        ready: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        images = _images(conversation)
        if not images:
            return ready
        pixels = torch.from_numpy(encoded["pixels"])
        sizes = [_size(image) for image in images]
        if self.layout.mode == "anyres":
            alone = self.alone(conversation)
            counts = [self.layout.views(size, alone=alone) for size in sizes]
            pixels = torch.nn.utils.rnn.pad_sequence(
                list(torch.split(pixels, counts)), batch_first=True
            )
        ready["pixel_values"], ready["image_sizes"] = pixels, torch.tensor(sizes)
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
        return np.stack(self._views(image, alone))

    def alone(self, conversation: Conversation) -> bool:
        """Whether a conversation's pictures are tiled as a lone one is."""
        return self.layout.tile_several or len(_images(conversation)) == 1

    def _views(self, image: ImagePart, alone: bool) -> list[Pixels]:
        if self.layout.mode == "squeeze":
            return [self.pixels(image)]
        views = views_of(image.pixels, self.layout, self.image_mean, alone=alone)
        return list(self.normalized(views))

    def _tokens(self, segment: Segment, alone: bool) -> list[int]:
        if segment.image is not None:
            count = self.layout.count_tokens(_size(segment.image), alone=alone)
            return [self.image_token_id] * count
        if segment.token:
            return [self._ids[segment.token]]
        ids: list[int] = self._words.encode(segment.text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: list[int]) -> str:
        """The words of some tokens, special ones left out."""
        text: str = self._words.decode(ids, skip_special_tokens=True)
        return text

    def pixels(self, image: ImagePart) -> Pixels:
        """A picture as (3, size, size), read once per content."""
        key = digest(image)
        with self._lock:
            if key in self._ready:
                self._ready.move_to_end(key)
                return self._ready[key]
        ready: Pixels = self.normalized(squared(image.pixels, self.image_size)[None])[0]
        with self._lock:
            self._ready[key] = ready
            if len(self._ready) > _KEPT:
                self._ready.popitem(last=False)
        return ready

    def normalized(self, squares: NDArray[np.uint8]) -> Pixels:
        """Squares (image, size, size, 3) as a tower reads them: (image, 3, size, size)."""
        values = squares.astype(np.float32) / 255
        mean, std = (np.array(one, np.float32) for one in (self.image_mean, self.image_std))
        return np.ascontiguousarray(((values - mean) / std).transpose(0, 3, 1, 2))

    def save_pretrained(self, path: str | Path) -> None:
        """Write the tokenizer's files and ``processor.json`` into a directory."""
        self.tokenizer.save_pretrained(str(path))
        facts = {
            "image_size": self.image_size,
            "image_mean": self.image_mean,
            "image_std": self.image_std,
            "tokens_per_image": self.tokens_per_image,
            "template": self.template.name,
            "skills": self.skills,
        }
        if self.layout.side:
            facts["layout"] = self.layout.to_dict()
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
        tokenizer = PreTrainedTokenizerFast.from_pretrained(str(path))
        facts = read_json(file)
        layout = facts.pop("layout", None)
        return cls(tokenizer, **facts, layout=layout and Layout.from_dict(layout))


def _images(conversation: Conversation) -> list[ImagePart]:
    return [part for turn in conversation for part in turn.parts if isinstance(part, ImagePart)]


def _size(image: ImagePart) -> tuple[int, int]:
    height, width = image.pixels.shape[:2]
    return height, width


def digest(image: ImagePart) -> str:
    """The picture's own digest, or one of its pixels."""
    if image.digest:
        return image.digest
    return hashlib.sha256(repr(image.pixels.shape).encode() + image.pixels.tobytes()).hexdigest()
