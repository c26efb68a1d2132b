"""Continuing conversations with any image-text model of transformers."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from llguidance.hf import from_tokenizer
from PIL import Image
from torch import Tensor
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
    TextStreamer,
)

from llava_plus.agent.halt import HaltedError
from llava_plus.agent.planner import PlannerError
from llava_plus.errors import SetupError
from llava_plus.messages import Conversation, ImagePart, Message

from .engine import MAX_TOKENS, Stats
from .guide import Guide

ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "observation": "user",
}


class HubEngine:
    """Writes with ``model.generate`` and the processor's own chat template.

    Not covered: keeping caches between steps (each step reads its whole prompt again, and that
    cannot be interrupted), and tokens that the grammar forces are written one by one.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        max_tokens: int = MAX_TOKENS,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.model = model
        model.train(False)
        self.processor = processor
        self.max_tokens = max_tokens
        self.temperature = temperature
        self.seed = seed
        self.stats = Stats()
        self._grammar_tokens = from_tokenizer(processor.tokenizer, eos_token=self._ends())

    def write(
        self,
        conversation: Conversation,
        *,
        grammar: str | None,
        stop: Callable[[], bool],
        emit: Callable[[str], None],
    ) -> str:
        """Write the assistant's next message; see `Engine`."""
        chat = [_chat(message) for message in conversation if message.parts and _says(message)]
        pictures = [image for message in conversation for image in message.images]
        prompt = self.processor.apply_chat_template(
            chat, add_generation_prompt=True, tokenize=False
        )
        images = [Image.fromarray(picture.pixels) for picture in pictures]
        inputs = self.processor(text=prompt, images=images or None, return_tensors="pt")
        length = inputs["input_ids"].shape[1]
        self.stats.prefilled += length
        self.stats.images += len(images)
        guide = Guide(self._grammar_tokens, grammar) if grammar is not None else None
        pen = _Pen(self.processor.tokenizer, emit)
        rein = _Rein(guide, stop)
        options: dict[str, Any] = {"do_sample": bool(self.temperature)}
        if self.temperature:
            torch.manual_seed(self.seed)
            options["temperature"] = self.temperature
        try:
            output = self.model.generate(
                **inputs.to(self.model.device, self.model.dtype),
                max_new_tokens=self.max_tokens,
                logits_processor=LogitsProcessorList([_Mask(guide)] if guide else []),
                stopping_criteria=StoppingCriteriaList([rein]),
                streamer=pen,
                **options,
            )
        except torch.OutOfMemoryError as error:
            raise SetupError(
                f"Out of memory on {self.model.device} after {length} tokens."
                " Begin a new session, use a smaller planner, or --device cpu."
            ) from error
        written = output.shape[1] - length
        self.stats.decoded += written
        if rein.halted:
            raise HaltedError
        if written >= self.max_tokens and not (guide and guide.done):
            raise PlannerError(f"The output did not end within {self.max_tokens} tokens.")
        return "".join(pen.pieces)

    def _ends(self) -> list[int] | None:
        ends = self.model.generation_config.eos_token_id
        if ends is None:
            return None
        return [ends] if isinstance(ends, int) else list(ends)


class _Mask(LogitsProcessor):
    """Leaves only what the grammar allows."""

    def __init__(self, guide: Guide) -> None:
        self.guide = guide

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Called by ``generate`` before each token."""
        allowed = torch.zeros_like(scores[0], dtype=torch.bool)
        mask = torch.from_numpy(self.guide.mask()[: allowed.shape[0]])
        allowed[: mask.shape[0]] = mask.to(allowed.device)
        return scores.masked_fill(~allowed, -torch.inf)


class _Rein(StoppingCriteria):
    """Tells the grammar what was written; ends where it is complete or somebody says stop."""

    def __init__(self, guide: Guide | None, stop: Callable[[], bool]) -> None:
        self.guide = guide
        self.stop = stop
        self.halted = False

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        """Called by ``generate`` after each token."""
        if self.guide and not self.guide.done:
            self.guide.accept([int(input_ids[0, -1])])
        self.halted = self.stop()
        over = self.halted or (self.guide is not None and self.guide.done)
        return torch.tensor([over], device=input_ids.device)


class _Pen(TextStreamer):
    """Hands on the text as it comes."""

    def __init__(self, tokenizer: Any, emit: Callable[[str], None]) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self.emit = emit
        self.pieces: list[str] = []

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        if text:
            self.pieces.append(text)
            self.emit(text)


def _says(message: Message) -> bool:
    return bool(message.text or message.images)


def _chat(message: Message) -> dict[str, Any]:
    content = [
        {"type": "image"} if isinstance(part, ImagePart) else {"type": "text", "text": part.text}
        for part in message.parts
    ]
    return {"role": ROLES[message.role], "content": content}
