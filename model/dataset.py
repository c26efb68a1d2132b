"""Conversations to train on: a file format, and batches of like length."""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from llava_plus.errors import SetupError
from llava_plus.messages import Conversation, ImagePart, Message, TextPart

from .pictures import squared
from .processing import LMMProcessor

LINES, PIXELS = "conversations.jsonl", "images.safetensors"


class ConversationWriter:
    """Writes a folder of conversations: one JSON line each, pictures once at the model's size.

    Args:
        folder: Where to write; it is made.
        image_size: Side of the squares that pictures are stored as.
    """

    def __init__(self, folder: Path, *, image_size: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.image_size = folder, image_size
        self._pixels: list[NDArray[np.uint8]] = []
        self._index: dict[str, int] = {}
        self._file = (folder / LINES).open("w", encoding="utf-8")

    def add(self, conversation: Conversation) -> None:
        """Write one conversation."""
        said = [
            {
                "role": m.role,
                "supervised": m.supervised,
                "parts": [self._part(p) for p in m.words_and_pictures],
            }
            for m in conversation
        ]
        self._file.write(json.dumps({"messages": said}, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Write the pictures; without this the folder cannot be read."""
        self._file.close()
        size = self.image_size
        pixels = np.stack(self._pixels) if self._pixels else np.zeros((0, size, size, 3), np.uint8)
        save_file({"pixels": pixels}, self.folder / PIXELS)

    def _part(self, part: TextPart | ImagePart) -> dict[str, Any]:
        if isinstance(part, TextPart):
            return {"text": part.text}
        if part.digest not in self._index:
            self._index[part.digest] = len(self._pixels)
            self._pixels.append(squared(part.pixels, self.image_size))
        return {"image": self._index[part.digest]}


def read_conversations(folder: Path) -> Iterator[list[Message]]:
    """Read what `ConversationWriter` wrote."""
    if not (folder / PIXELS).is_file():
        raise SetupError(f"No {PIXELS} in {folder}: its writing did not end. Make the data again.")
    pixels = load_file(folder / PIXELS)["pixels"]
    with (folder / LINES).open(encoding="utf-8") as lines:
        for line in lines:
            yield [_message(m, pixels) for m in json.loads(line)["messages"]]


@dataclass(frozen=True)
class Example:
    """One encoded conversation."""

    ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    images: tuple[str, ...]


class EncodedSet:
    """All conversations of some folders, encoded once; pictures kept once."""

    def __init__(self, folders: Sequence[Path], processor: LMMProcessor, *, longest: int) -> None:
        self.processor = processor
        self.pixels: dict[str, NDArray[np.uint8]] = {}
        self.examples: list[Example] = []
        self.dropped = 0
        for folder in folders:
            for conversation in read_conversations(folder):
                self._add(conversation, str(folder), longest)
        if not self.examples:
            where = ", ".join(map(str, folders))
            raise SetupError(
                f"No conversation to learn from in {where or 'no folder'}:"
                f" {self.dropped} are longer than {longest} tokens."
            )

    def _add(self, conversation: Conversation, name: str, longest: int) -> None:
        encoded = self.processor.encode(conversation, with_pixels=False)
        if len(encoded["input_ids"]) > longest:
            self.dropped += 1
            return
        images = []
        for message in conversation:
            for image in message.images:
                key = f"{name}:{image.digest}"
                self.pixels.setdefault(key, image.pixels)
                images.append(key)
        ids, labels = (
            np.array(encoded["input_ids"], np.int32),
            np.array(encoded["labels"], np.int32),
        )
        self.examples.append(Example(ids, labels, tuple(images)))

    def batches(self, tokens: int, *, seed: int, epoch: int) -> list[list[int]]:
        """Indices of examples of like length, about ``tokens`` with padding, in random order."""
        rng = random.Random(f"{seed}:{epoch}")
        order = sorted(
            range(len(self.examples)),
            key=lambda i: (len(self.examples[i].ids) + 7) // 8 * 8 + rng.random(),
        )
        batches: list[list[int]] = []
        batch: list[int] = []
        for index in order:
            width = padded(len(self.examples[index].ids))
            if batch and width * (len(batch) + 1) > tokens:
                batches.append(batch)
                batch = []
            batch.append(index)
        batches.append(batch)
        rng.shuffle(batches)
        return batches

    def collate(self, indices: Iterable[int]) -> dict[str, torch.Tensor]:
        """Pad a batch to the right: ids, labels, mask and the pictures in order."""
        examples = [self.examples[i] for i in indices]
        width = padded(max(len(e.ids) for e in examples))
        ids = np.full((len(examples), width), self.processor.end_token_id, np.int64)
        labels = np.full((len(examples), width), -100, np.int64)
        mask = np.zeros((len(examples), width), np.int64)
        for row, example in enumerate(examples):
            length = len(example.ids)
            ids[row, :length], labels[row, :length], mask[row, :length] = (
                example.ids,
                example.labels,
                1,
            )
        pixels = [self.pixels[name] for example in examples for name in example.images]
        batch = {
            "input_ids": torch.from_numpy(ids),
            "labels": torch.from_numpy(labels),
            "attention_mask": torch.from_numpy(mask),
        }
        if pixels:
            batch["pixel_values"] = torch.from_numpy(self.processor.normalized(np.stack(pixels)))
        return batch


def padded(length: int) -> int:
    """Lengths come in steps of 16, so that few shapes occur."""
    return (length + 15) // 16 * 16


def _message(data: dict[str, Any], pixels: NDArray[np.uint8]) -> Message:
    parts = tuple(
        TextPart(text=p["text"])
        if "text" in p
        else ImagePart(pixels=pixels[p["image"]], digest=str(p["image"]))
        for p in data["parts"]
    )
    return Message(role=data["role"], parts=parts, supervised=data["supervised"])
