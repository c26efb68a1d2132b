"""Chats as tokens for a model of transformers, each picture processed once."""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from llava_plus.messages import ImagePart
from llava_plus.model.processing import digest

from .memory import Key, Prompt

log = logging.getLogger(__name__)

Chat = dict[str, Any]  # one message, as chat templates have them
PICTURES = 64  # whose pixels are kept as the processor makes them
OF_TOKENS = ("input_ids", "attention_mask")


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a processor makes of one picture: its tokens, and what the model takes with them."""

    ids: list[int]
    inputs: dict[str, Tensor]  # pixels, sizes, and types of the tokens


@dataclass(frozen=True, kw_only=True)
class HubPrompt(Prompt):
    """A chat as tokens; ``whole`` where it can only be read in one piece."""

    looks: dict[str, Look] = field(default_factory=dict)  # by digest
    order: tuple[str, ...] = ()  # the digests of the pictures
    whole: dict[str, Tensor] | None = None


class PromptReader:
    """Writes chats with the processor's template and turns them into tokens.

    Every picture is put in by itself, so that a processor does not work on it again in each step.
    Whether that gives what the processor makes of the whole is checked with the first chat that
    has pictures; where it does not, chats with pictures are read in one piece from then on, as
    they are by models whose words look ahead (their processors give ``token_type_ids``).

    Args:
        processor: With a chat template.
        apart: Whether pictures can be put in by themselves; None: to be found out.
    """

    def __init__(self, processor: Any, *, apart: bool | None = None) -> None:
        self._processor = processor
        self._looks: OrderedDict[str, Look] = OrderedDict()
        self._apart = apart

    def forget(self) -> None:
        self._looks.clear()

    def read(self, chat: Sequence[Chat], tools: list[Chat] | None = None) -> HubPrompt:
        """Turn a chat into tokens, up to where the assistant goes on."""
        token = getattr(self._processor, "image_token", None)
        pictures = [
            ImagePart(pixels=part["image"], digest=part.get("digest", ""))
            for message in chat
            if isinstance(message["content"], list)
            for part in message["content"]
            if part["type"] == "image"
        ]
        plain = [without(message, token) for message in chat] if token else list(chat)
        options: dict[str, Any] = {} if tools is None else {"tools": tools}
        text: str = self._processor.apply_chat_template(
            plain, add_generation_prompt=True, tokenize=False, **options
        )
        if not pictures:
            ids = self._processor.tokenizer(text, **self._specials(text))["input_ids"]
            return HubPrompt(ids=ids, keys=list(ids))
        if token is None or self._apart is False:
            return self._in_one(text, pictures)
        prompt = self._put_in(text, pictures, self._image_id(token))
        if self._apart is None:
            whole = self._in_one(text, pictures)
            ahead = "token_type_ids" in (whole.whole or {})
            self._apart = prompt.ids == whole.ids and not ahead
            if not self._apart:
                log.warning("this processor's pictures cannot be put in apart: nothing is kept")
                return whole
        return prompt

    def _put_in(self, text: str, pictures: Sequence[ImagePart], image_id: int) -> HubPrompt:
        """Tokenize the words, and put each picture's tokens where its placeholder is."""
        order = tuple(digest(picture) for picture in pictures)
        looks = {
            name: self._look(name, picture) for name, picture in zip(order, pictures, strict=True)
        }
        while len(self._looks) > PICTURES:
            self._looks.popitem(last=False)
        waiting = iter(order)
        ids: list[int] = []
        keys: list[Key] = []
        for token in self._processor.tokenizer(text, **self._specials(text))["input_ids"]:
            name = next(waiting, None) if token == image_id else None
            put = [token] if name is None else looks[name].ids
            ids += put
            keys += put if name is None else [(name, part) for part in range(len(put))]
        return HubPrompt(ids=ids, keys=keys, looks=looks, order=order)

    def _look(self, name: str, picture: ImagePart) -> Look:
        if name not in self._looks:
            made = dict(
                self._processor(
                    text=self._processor.image_token,
                    images=[Image.fromarray(picture.pixels)],
                    return_tensors="pt",
                    add_special_tokens=False,
                )
            )
            inputs = {key: value for key, value in made.items() if key not in OF_TOKENS}
            self._looks[name] = Look(ids=made["input_ids"][0].tolist(), inputs=inputs)
        self._looks.move_to_end(name)
        return self._looks[name]

    def _in_one(self, text: str, pictures: Sequence[ImagePart]) -> HubPrompt:
        images = [Image.fromarray(picture.pixels) for picture in pictures]
        made = self._processor(
            text=text, images=images, return_tensors="pt", **self._specials(text)
        )
        ids = made["input_ids"][0].tolist()
        order = tuple(map(digest, pictures))
        return HubPrompt(ids=ids, keys=list(ids), order=order, whole=dict(made))

    def _specials(self, text: str) -> dict[str, bool]:
        """A template may have written the token that begins a text already."""
        begin = self._processor.tokenizer.bos_token
        return {"add_special_tokens": not (begin and text.startswith(begin))}

    def _image_id(self, token: str) -> int:
        id: int = self._processor.tokenizer.convert_tokens_to_ids(token)
        return id


def positions(model: Any, prompt: HubPrompt) -> Tensor | None:
    """Where each token of a prompt is, for models that place pictures in rows and columns.

    Returns:
        (3, 1, token), or None where a model only counts.
    """
    place = getattr(model.base_model, "get_rope_index", None)
    if place is None or prompt.whole is not None:
        return None
    kinds: list[int] = []
    waiting = iter(prompt.order)
    for start, end in spans(prompt.keys, len(prompt.keys)):
        kind = [0] * (end - start)
        if isinstance(prompt.keys[start], tuple):
            given = prompt.looks[next(waiting)].inputs.get("mm_token_type_ids")
            kind = kind if given is None else given[0].tolist()
        kinds += kind
    grids = [prompt.looks[name].inputs.get("image_grid_thw") for name in prompt.order]
    placed: Tensor = place(
        torch.tensor([prompt.ids]),
        mm_token_type_ids=torch.tensor([kinds]),
        image_grid_thw=torch.cat([grid for grid in grids if grid is not None]) if grids else None,
    )[0]
    return placed.to(model.device)


def spans(keys: Sequence[Key], most: int) -> list[tuple[int, int]]:
    """Split keys into pictures and runs of at most ``most`` words: (first, one after the last)."""
    found: list[tuple[int, int]] = []
    for at, key in enumerate(keys):
        begun = found[-1][0] if found else 0
        picture = isinstance(key, tuple)
        goes_on = bool(found) and picture == isinstance(keys[begun], tuple)
        if picture:
            goes_on = goes_on and key[1] > 0  # type: ignore[index]
        elif goes_on:
            goes_on = at - begun < most
        found[-1:] = [(begun, at + 1)] if goes_on else [*found[-1:], (at, at + 1)]
    return found


def without(value: Any, token: str) -> Any:
    """Leave the placeholder of pictures out of what is said, at any depth."""
    if isinstance(value, str):
        return value.replace(token, "")
    if isinstance(value, list):
        return [without(item, token) for item in value]
    if isinstance(value, dict):
        return {key: without(item, token) for key, item in value.items()}
    return value
