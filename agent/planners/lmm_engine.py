"""Continuing conversations with our own LMM, keeping what was read before."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from llguidance.hf import from_tokenizer
from torch import Tensor
from transformers import DynamicCache

from llava_plus.agent.halt import HaltedError
from llava_plus.agent.planner import PlannerError
from llava_plus.errors import SetupError
from llava_plus.messages import Conversation, ImagePart
from llava_plus.model import LMM, LMMProcessor
from llava_plus.model.packing import pack

from .engine import MAX_TOKENS, Stats
from .guide import Guide
from .memory import Key, Memory, Past, Prompt, read_prompt
from .output import Output
from .sampler import Sampler

CHUNK = 512  # tokens read between two looks at the stop switch
PICTURES = 64  # whose features are kept


class LMMEngine:
    """Greedy (or sampled) decoding for one conversation at a time.

    Only new tokens are read, tokens that the grammar forces are read together with the one before
    them, and each picture goes through the towers once.

    Decoders that look at pictures again inside (gates, experts, samplers) get all pictures of a
    conversation in one call: where new ones came, it is read anew from its beginning. So it is, in
    every step, for decoders that read their prompt both ways. Neither stops while it reads.

    Args:
        model: The LMM, on its device.
        processor: Its processor.
        max_tokens: When an output is given up as endless.
        temperature: 0 takes the likeliest token, more samples.
        seed: Of the samples.
        sessions: How many conversations stay in memory.
    """

    def __init__(
        self,
        model: LMM,
        processor: LMMProcessor,
        *,
        max_tokens: int = MAX_TOKENS,
        temperature: float = 0.0,
        seed: int = 0,
        sessions: int = 4,
    ) -> None:
        self.model = model
        model.train(False)
        self.processor = processor
        self.max_tokens = max_tokens
        self.stats = Stats()
        marks = (processor.image_token_id, processor.video_token_id, processor.state_token_id)
        self._sampler = Sampler(
            len(processor.tokenizer),
            temperature,
            seed,
            model.device,
            barred=[one for one in marks if one is not None],
        )
        self._memory = Memory(model.config, sessions, self._rewind)
        self._features: OrderedDict[str, Tensor] = OrderedDict()
        self._grammar_tokens = from_tokenizer(processor.tokenizer)

    @torch.inference_mode()
    def write(
        self,
        conversation: Conversation,
        *,
        grammar: str | None,
        stop: Callable[[], bool],
        emit: Callable[[str], None],
    ) -> str:
        """Write the assistant's next message; see `Engine`."""
        prompt = read_prompt(conversation, self.processor)
        self._check_length(prompt)
        guide = Guide(self._grammar_tokens, grammar) if grammar is not None else None
        output = Output(self.processor.decode, guide, emit, self.stats)
        past = self._past(prompt)
        try:
            self._write(past, prompt, self._shown(past, prompt, conversation), output, stop)
        except (HaltedError, PlannerError):
            self._memory.keep(past)
            raise
        except torch.OutOfMemoryError as error:
            self.forget()
            raise SetupError(
                f"Out of memory on {self.model.device} after {len(prompt.ids)} tokens."
                " Begin a new session, use a smaller planner, or --device cpu."
            ) from error
        self._memory.keep(past)
        return output.end()

    def forget(self) -> None:
        """Drop all that was kept of conversations and pictures."""
        self._memory.clear()
        self._features.clear()

    @property
    def _in_one(self) -> bool:
        """Whether the model reads a prompt with its pictures in one call."""
        return bool(self.model.injected) or self.model.prefix_end_id is not None

    def _past(self, prompt: Prompt) -> Past:
        """What the model remembers of a prompt and can go on from."""
        past = self._memory.take(prompt)
        unseen = _holes(prompt.keys[len(past.keys) :]) > 0
        if self.model.prefix_end_id is not None or (self.model.injected and unseen):
            return self._memory.new(prompt)
        return past

    def _shown(self, past: Past, prompt: Prompt, conversation: Conversation) -> dict[str, Any]:
        """What `LMM.forward` is given of the pictures that are still to be read."""
        holes = _holes(prompt.keys[len(past.keys) :])
        if not holes:
            return {}
        if not self._in_one:
            return {"image_features": self._look(prompt, holes)}
        self.stats.images += len(prompt.pictures)
        inputs = self.processor.inputs(conversation)
        given = {name: inputs[name] for name in ("image_sizes", "batch_num_images")}
        if isinstance(pixels := inputs["pixel_values"], list):
            return given | {"pixel_values": [one.to(self.model.device) for one in pixels]}
        return given | {"pixel_values": pixels.to(self.model.device)}

    def _write(
        self,
        past: Past,
        prompt: Prompt,
        shown: dict[str, Any],
        output: Output,
        stop: Callable[[], bool],
    ) -> None:
        known = len(past.keys)
        self.stats.reused += known
        self.stats.prefilled += len(prompt.ids) - known

        def read(keys: Sequence[Key]) -> Tensor:
            nonlocal shown
            now, shown = shown, {}  # pictures stand in the prompt only
            return self._read(past, keys, now, stop)

        ends = (self.processor.end_token_id,)
        output.write(read, prompt.keys[known:], self._sampler, ends=ends, most=self.max_tokens)

    def _rewind(self, cache: DynamicCache, kept: Tensor) -> None:
        self.model.rewind(cache, kept.to(self.model.device))

    def _read(
        self, past: Past, keys: Sequence[Key], shown: dict[str, Any], stop: Callable[[], bool]
    ) -> Tensor:
        """Read tokens into the cache; the logits after the last one."""
        chunk = len(keys) if self._in_one else CHUNK
        for start in range(0, len(keys), chunk):
            if stop():
                raise HaltedError
            part = keys[start : start + chunk]
            hole = self.processor.image_token_id
            ids = [hole if isinstance(key, tuple) else key for key in part]
            now, shown = shown, {}
            if (features := now.get("image_features")) is not None:
                holes = _holes(part)
                now = {"image_features": features[:holes] if holes else None}
                shown = {"image_features": features[holes:]}
            logits = self.model(
                torch.tensor([ids], device=self.model.device),
                past_key_values=past.cache,
                use_cache=True,
                logits_to_keep=1,
                **now,
            ).logits
            past.keys += part
        last: Tensor = logits[0, -1]  # (vocabulary)
        return last

    def _look(self, prompt: Prompt, holes: int) -> Tensor:
        """The features of the last pictures, as many as fill the placeholders (token, dim)."""
        first, left = len(prompt.names), holes
        while left > 0:
            first -= 1
            left -= prompt.counts[first]
        names = prompt.names[first:]
        wanted = dict(zip(prompt.names, prompt.pictures, strict=True))
        new = [name for name in dict.fromkeys(names) if name not in self._features]
        if new:
            seen = self._see([wanted[name] for name in new], prompt.alone)
            self._features.update(zip(new, seen, strict=True))
            self.stats.images += len(new)
        for name in names:
            self._features.move_to_end(name)
        features = torch.cat([self._features[name] for name in names])
        while len(self._features) > PICTURES:
            self._features.popitem(last=False)
        return features

    def _see(self, pictures: Sequence[ImagePart], alone: bool) -> Sequence[Tensor]:
        """The features of each picture, laid out as its placeholders (token, dim)."""
        processor, layout, device = self.processor, self.processor.layout, self.model.device
        if layout.mode == "squeeze" and not layout.newline and len(processor.sides) == 1:
            pixels = [torch.from_numpy(processor.pixels(image)) for image in pictures]
            return list(self.model.encode_images(torch.stack(pixels).to(device)))
        seen = []
        for image in pictures:
            by_side = processor.views_by_side(image, alone=alone)
            views = [torch.from_numpy(one).to(device) for one in by_side]
            encoded = self.model.encode_images(views if len(views) > 1 else views[0])
            size = (image.pixels.shape[0], image.pixels.shape[1])
            seen.append(pack(encoded, size, layout, self.model.newline, alone=alone))
        return seen

    def _check_length(self, prompt: Prompt) -> None:
        most = self.model.config.get_text_config().max_position_embeddings - self.max_tokens
        if len(prompt.ids) > most:
            raise SetupError(
                f"The conversation has grown to {len(prompt.ids)} tokens; this planner reads at"
                f" most {most}. Begin a new session."
            )


def _holes(keys: Sequence[Key]) -> int:
    return sum(isinstance(key, tuple) for key in keys)
