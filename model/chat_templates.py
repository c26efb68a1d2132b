"""ChatML and Llama 3's form of it, with what the systems that use them learn besides answers."""

import re
from collections.abc import Callable, Iterator, Sequence

from llava_plus.messages import Conversation, Message, TextPart

from .template import Segment, Template, words_of

Segments = Iterator[Segment]
_LONE_NEWLINE = re.compile(r"(?<!\s)\n(?!\s)")


def _chat_ml(*, signs_learned: bool, lines_learned: bool, named: bool) -> Callable[..., Segments]:
    """ChatML with what systems learn of it besides answers.

    Args:
        signs_learned: The signs and the line break that end a turn, whoever's it is (Qwen-VL).
        lines_learned: And each line break that is a token, also within a person's words (as
            LLaVA-OneVision's training code had it).
        named: Whether pictures are numbered and stand between signs of their own (Qwen-VL).
    """

    def write(conversation: Conversation, index: int) -> Segments:
        message = conversation[index]
        if message.role == "system" and not message.text:
            return
        learned = message.supervised and message.role == "assistant"
        signs = learned or signs_learned
        role = "user" if message.role == "observation" else message.role
        yield Segment(token="<|im_start|>", supervised=signs)
        yield Segment(text=role)
        yield Segment(text="\n", supervised=lines_learned)
        number = sum(len(one.images) for one in conversation[:index])
        for segment in words_of(message):
            if segment.shown is None:
                yield from _by_line(segment.text, learned, lines_learned, named)
                continue
            if segment.image is None:
                yield segment
                continue
            number += 1
            if named:
                yield Segment(text=f"Picture {number}: ")
                yield Segment(token="<img>")
            yield segment
            if named:
                yield Segment(token="</img>")
        yield Segment(token="<|im_end|>", supervised=signs)
        yield Segment(text="\n", supervised=signs)

    return write


def _by_line(text: str, learned: bool, lines_learned: bool, named: bool) -> Segments:
    if learned or not lines_learned:
        yield Segment(text=text, supervised=learned)
        return
    for number, line in enumerate(_LONE_NEWLINE.split(text)):
        if number:
            yield Segment(text="\n", supervised=True)
        if line:
            yield Segment(text=line)


def _open_chat_ml(write: Callable[..., Segments]) -> Callable[[Conversation], Sequence[Segment]]:
    """A system turn in front of conversations that bring none."""
    default = Message(role="system", parts=(TextPart(text="You are a helpful assistant."),))

    def opening(conversation: Conversation) -> Sequence[Segment]:
        first = conversation[0] if conversation else None
        if first is not None and first.role == "system" and first.text:
            return ()
        return tuple(write([default], 0))

    return opening


def _write_llama_3(conversation: Conversation, index: int) -> Segments:
    message = conversation[index]
    if message.role == "system" and not message.text:
        return
    learned = message.supervised and message.role == "assistant"
    role = "user" if message.role == "observation" else message.role
    yield Segment(token="<|start_header_id|>")
    yield Segment(text=role)
    yield Segment(token="<|end_header_id|>")
    yield Segment(text="\n\n")
    for segment in words_of(message):
        yield segment if segment.shown else Segment(text=segment.text, supervised=learned)
    yield Segment(token="<|eot_id|>", supervised=learned)


def _prompt_chat_ml(write: Callable[..., Segments]) -> Sequence[Segment]:
    """What it writes in front of an assistant's words."""
    written = list(write([Message(role="assistant", parts=(), supervised=True)], 0))
    return tuple(written[:3])


_ONEVISION = _chat_ml(signs_learned=True, lines_learned=True, named=False)
_QWEN_VL = _chat_ml(signs_learned=True, lines_learned=False, named=True)

CHAT_TEMPLATES = (
    Template(
        name="qwen_1_5",
        image_token="<image>",
        write=_ONEVISION,
        specials=("<|im_start|>", "<|im_end|>", "<image>"),
        end_token="<|im_end|>",
        opening=_open_chat_ml(_ONEVISION),
        prompt=_prompt_chat_ml(_ONEVISION),
    ),
    Template(
        name="qwen_vl",
        write=_QWEN_VL,
        specials=("<|im_start|>", "<|im_end|>", "<img>", "</img>", "<imgpad>"),
        end_token="<|im_end|>",
        image_token="<imgpad>",
        opening=_open_chat_ml(_QWEN_VL),
        prompt=_prompt_chat_ml(_QWEN_VL),
    ),
    Template(
        name="llama_3",
        image_token="<image>",
        write=_write_llama_3,
        specials=(
            "<|begin_of_text|>",
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eot_id|>",
            "<image>",
        ),
        end_token="<|eot_id|>",
        opening=lambda conversation: (Segment(token="<|begin_of_text|>"),),
        prompt=(
            Segment(token="<|start_header_id|>"),
            Segment(text="assistant"),
            Segment(token="<|end_header_id|>"),
            Segment(text="\n\n"),
        ),
    ),
)
