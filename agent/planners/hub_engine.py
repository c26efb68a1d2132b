"""Continuing conversations with any image-text model of transformers, keeping what was read."""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from llguidance.hf import from_tokenizer
from torch import Tensor
from transformers import DynamicCache

from llava_plus.agent.halt import HaltedError
from llava_plus.agent.planner import PlannerError
from llava_plus.errors import SetupError
from llava_plus.messages import Conversation, ImagePart, Message

from .engine import MAX_TOKENS, Stats
from .guide import Guide
from .hub_prompt import Chat, HubPrompt, PromptReader, positions, spans
from .memory import Key, Memory, Past
from .output import Output
from .sampler import Sampler

ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "observation": "user",
}
CHUNK = 512  # tokens read between two looks at the stop switch
PICTURES = 64  # whose features are kept
WORTH_COPYING = 64  # tokens that two conversations begin with
BULKY = ("last_hidden_state", "hidden_states", "attentions")  # of a tower, not read by the model


class HubEngine:
    """Writes with a model of transformers and its processor's own chat template.

    Only new tokens are read, tokens that the grammar forces are read together with the one before
    them, and each picture goes through the tower once. A conversation that was changed is read
    from the first difference on. Not covered: models whose processor cannot put pictures in one by
    one (they read everything again in each step), encoder-decoders, penalties and other settings
    of ``generation_config`` but the tokens that end an output.

    Args:
        model: The model, on its device.
        processor: Its processor, with a chat template.
        max_tokens: When an output is given up as endless.
        temperature: 0 takes the likeliest token, more draws.
        seed: Of what is drawn.
        sessions: How many conversations stay in memory.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
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
        self._ends = _ends(model, processor)
        self._grammar_tokens = from_tokenizer(processor.tokenizer, eos_token=self._ends or None)
        size = self._grammar_tokens.vocab_size
        self._sampler = Sampler(size, temperature, seed, model.device)
        self._memory = Memory(model.config, sessions, _rewind, copies=WORTH_COPYING)
        ahead = getattr(model.config.get_text_config(), "use_bidirectional_attention", None)
        self._reader = PromptReader(processor, apart=False if ahead else None)
        self._features: OrderedDict[str, Any] = OrderedDict()
        takes_features = "mm_encoder_outputs" in inspect.signature(model.forward).parameters
        self._keeps_features = takes_features and hasattr(model, "get_image_features")

    def write(
        self,
        conversation: Conversation,
        *,
        grammar: str | None,
        stop: Callable[[], bool],
        emit: Callable[[str], None],
    ) -> str:
        """Write the assistant's next message; see `Engine`."""
        chat = [_chat(message) for message in conversation if _says(message)]
        return self.reply(chat, grammar=grammar, stop=stop, emit=emit)

    @torch.inference_mode()
    def reply(
        self,
        chat: Sequence[Chat],
        *,
        tools: list[Chat] | None = None,
        grammar: str | None,
        stop: Callable[[], bool],
        emit: Callable[[str], None],
    ) -> str:
        """Write the next message of a chat.

        Args:
            chat: Messages as chat templates have them, pictures as
                ``{"type": "image", "image": pixels}``.
            tools: What the template tells the model that it may call; the output then keeps the
                tokens that stand around calls.
            grammar: A Lark grammar that the output follows.
            stop: Asked before each token; true ends the work with `HaltedError`.
            emit: Gets the text in pieces as it comes.
        """
        prompt = self._reader.read(chat, tools)
        guide = Guide(self._grammar_tokens, grammar) if grammar is not None else None
        output = Output(self._decoding(tools is None), guide, emit, self.stats)
        past = self._memory.take(prompt) if prompt.whole is None else self._memory.new(prompt)
        try:
            self._write(past, prompt, output, stop)
        except (HaltedError, PlannerError):
            self._keep(past, prompt)
            raise
        except torch.OutOfMemoryError as error:
            self.forget()
            raise SetupError(
                f"Out of memory on {self.model.device} after {len(prompt.ids)} tokens."
                " Begin a new session, use a smaller planner, or --device cpu."
            ) from error
        self._keep(past, prompt)
        return output.end()

    def forget(self) -> None:
        """Drop all that was kept of conversations and pictures."""
        self._memory.clear()
        self._features.clear()
        self._reader.forget()

    def specials(self) -> dict[str, int]:
        """The tokens that a grammar has to name by their id: no letters spell them."""
        added = self.processor.tokenizer.added_tokens_decoder
        special = self._grammar_tokens.is_special_token
        return {token.content: id for id, token in added.items() if special(id)}

    def _write(
        self, past: Past, prompt: HubPrompt, output: Output, stop: Callable[[], bool]
    ) -> None:
        known = len(past.keys)
        self.stats.reused += known
        self.stats.prefilled += len(prompt.ids) - known
        places = positions(self.model, prompt)

        def read(keys: Sequence[Key]) -> Tensor:
            if prompt.whole is not None and not past.keys:
                logits = self._read_whole(past, prompt)
                keys = keys[len(prompt.keys) :]
                return self._read(past, keys, prompt, places, stop) if keys else logits
            return self._read(past, keys, prompt, places, stop)

        keys = prompt.keys[known:]
        output.write(read, keys, self._sampler, ends=self._ends, most=self.max_tokens)

    def _read(
        self,
        past: Past,
        keys: Sequence[Key],
        prompt: HubPrompt,
        places: Tensor | None,
        stop: Callable[[], bool],
    ) -> Tensor:
        """Read tokens into the cache; the logits after the last one (vocabulary)."""
        for start, end in spans(keys, CHUNK):
            if stop():
                raise HaltedError
            part, first = keys[start:end], keys[start]
            inputs: dict[str, Any] = {}
            if isinstance(first, tuple):
                inputs = self._picture(first[0], prompt)
                ids = prompt.looks[first[0]].ids
            else:
                ids = [key for key in part if isinstance(key, int)]
            if places is not None:
                inputs["position_ids"] = _placed(places, len(past.keys), len(part))
            logits = self.model(
                input_ids=torch.tensor([ids], device=self.model.device),
                past_key_values=past.cache,
                use_cache=True,
                logits_to_keep=1,
                **inputs,
            ).logits
            past.keys += part
        last: Tensor = logits[0, -1]
        return last

    def _read_whole(self, past: Past, prompt: HubPrompt) -> Tensor:
        """Read a prompt that cannot be taken apart."""
        inputs = self._moved(prompt.whole or {})
        inputs.pop("attention_mask", None)
        logits = self.model(
            **inputs, past_key_values=past.cache, use_cache=True, logits_to_keep=1
        ).logits
        past.keys += prompt.keys
        self.stats.images += len(prompt.order)
        last: Tensor = logits[0, -1]
        return last

    def _picture(self, name: str, prompt: HubPrompt) -> dict[str, Any]:
        """What the model takes with the tokens of a picture: features where they can be kept."""
        inputs = self._moved(prompt.looks[name].inputs)
        if not self._keeps_features:
            self.stats.images += 1
            return inputs
        if name not in self._features:
            seen = {key: value for key, value in inputs.items() if "token_type" not in key}
            made = self.model.get_image_features(**seen, return_dict=True)
            slim = {key: value for key, value in made.items() if key not in BULKY}
            self._features[name] = type(made)(**slim)
            self.stats.images += 1
        self._features.move_to_end(name)
        while len(self._features) > PICTURES:
            self._features.popitem(last=False)
        inputs.pop("pixel_values")
        # A new dictionary each time, since models write into it.
        return {**inputs, "mm_encoder_outputs": {"image": self._features[name]}}

    def _moved(self, inputs: dict[str, Tensor]) -> dict[str, Any]:
        device, dtype = self.model.device, self.model.dtype
        return {
            key: value.to(device, dtype) if value.is_floating_point() else value.to(device)
            for key, value in inputs.items()
        }

    def _keep(self, past: Past, prompt: HubPrompt) -> None:
        if prompt.whole is None:
            self._memory.keep(past)

    def _decoding(self, plain: bool) -> Callable[[list[int]], str]:
        def decode(ids: list[int]) -> str:
            text: str = self.processor.tokenizer.decode(
                ids, skip_special_tokens=plain, clean_up_tokenization_spaces=False
            )
            return text

        return decode


def _ends(model: Any, processor: Any) -> list[int]:
    """The tokens with which a model ends what it says."""
    ends = model.generation_config.eos_token_id
    if ends is None:
        ends = processor.tokenizer.eos_token_id
    if ends is None:
        return []
    return [ends] if isinstance(ends, int) else list(ends)


def _rewind(cache: DynamicCache, kept: Tensor) -> None:
    surplus = cache.get_seq_length() - kept.shape[1]
    if surplus > 0:
        cache.crop(-surplus)


def _placed(places: Tensor, start: int, count: int) -> Tensor:
    """The positions of ``count`` tokens; those after the prompt count on from its highest."""
    inside = places[..., start : start + count]
    missing = count - inside.shape[-1]
    if not missing:
        return inside
    after = max(start, places.shape[-1]) - places.shape[-1]
    first = int(places.max()) + 1 + after
    more = torch.arange(first, first + missing, device=places.device)
    return torch.cat([inside, more.expand(*places.shape[:-1], -1)], dim=-1)


def _says(message: Message) -> bool:
    return bool(message.text or message.images)


def _chat(message: Message) -> Chat:
    content = [
        {"type": "image", "image": part.pixels, "digest": part.digest}
        if isinstance(part, ImagePart)
        else {"type": "text", "text": part.text}
        for part in message.words_and_pictures
    ]
    return {"role": ROLES[message.role], "content": content}
