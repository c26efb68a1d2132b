"""How a conversation is written for a model: segments that know whether they are learned.

Templates are append-only: what they write for the first messages of a conversation begins what they
write for all of it, so that a cache of the beginning stays good.
"""

from collections.abc import Iterator

from llava_plus.messages import Conversation

from .chat_templates import CHAT_TEMPLATES
from .system_templates import SYSTEM_TEMPLATES
from .template import Segment, Template, after, runs, shown

__all__ = ["NANO", "TEMPLATES", "VICUNA_V1", "Segment", "Template"]


def _write_nano(conversation: Conversation, index: int) -> Iterator[Segment]:
    message = conversation[index]
    if message.role == "system" and not message.text:
        return
    learned = message.supervised and message.role == "assistant"
    yield Segment(token=f"<|{message.role}|>")
    for run in runs(message):
        if isinstance(run, str):
            yield Segment(text=run, supervised=learned)
        else:
            yield shown(run)
    yield Segment(token="<|end|>", supervised=learned)


NANO = Template(
    name="nano",
    specials=("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>", "<|end|>", "<|image|>"),
    image_token="<|image|>",
    end_token="<|end|>",
    write=_write_nano,
    opening=lambda conversation: (),
    prompt=(Segment(token="<|assistant|>"),),
)

_VICUNA_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)


def _open_vicuna(conversation: Conversation) -> tuple[Segment, ...]:
    first = conversation[0] if conversation else None
    system = first.text if first is not None and first.role == "system" else ""
    return Segment(token="<s>"), Segment(text=system or _VICUNA_SYSTEM)


def _write_vicuna(conversation: Conversation, index: int) -> Iterator[Segment]:
    message = conversation[index]
    if message.role == "system":
        return
    if message.role == "assistant":
        yield Segment(text=" ASSISTANT:")
        yield Segment(text=f" {message.text}", supervised=message.supervised)
        yield Segment(token="</s>", supervised=message.supervised)
        return
    answered = index > 0 and conversation[index - 1].role == "assistant"
    words = "USER: " if answered else " USER: "
    for run in runs(message):
        if isinstance(run, str):
            words += run
            continue
        yield Segment(text=words)
        yield shown(run)
        words = after(run)
    yield Segment(text=words)


VICUNA_V1 = Template(
    name="vicuna_v1",
    specials=("<unk>", "<s>", "</s>", "<image>"),
    image_token="<image>",
    end_token="</s>",
    write=_write_vicuna,
    opening=_open_vicuna,
    prompt=(Segment(text=" ASSISTANT:"),),
)

TEMPLATES = {
    template.name: template for template in (NANO, VICUNA_V1, *SYSTEM_TEMPLATES, *CHAT_TEMPLATES)
}
