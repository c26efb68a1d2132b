"""The ways in which the systems of the lineage write conversations for training.

What is learned follows each system's own training code, with what is odd about it; docs/training.md
says where. A picture stands where it stood in the message, unless its template puts it first.
"""

from collections.abc import Callable, Iterator, Sequence

from llava_plus.messages import Conversation, ImagePart, Message, VideoPart

from .template import Segment, Template, runs, shown, words_of

Segments = Iterator[Segment]


def _nothing(conversation: Conversation) -> Sequence[Segment]:
    return ()


def _begin(conversation: Conversation) -> Sequence[Segment]:
    return (Segment(token="<s>"),)


def _after_answer(conversation: Conversation, index: int) -> bool:
    return index > 0 and conversation[index - 1].role == "assistant"


def _pictures(message: Message, before: str = "", after: str = "") -> Segments:
    """A message's pictures and videos, each between words of its own."""
    for part in message.parts:
        if not isinstance(part, ImagePart | VideoPart):
            continue
        if before:
            yield Segment(text=before)
        yield shown(part)
        if after:
            yield Segment(text=after)


def _write_plain(conversation: Conversation, index: int) -> Segments:
    """A picture and its caption; nobody's question is written (LLaVA's first stage)."""
    message = conversation[index]
    if message.role == "assistant":
        yield Segment(text=f"{message.text}\n", supervised=message.supervised)
    elif message.images:
        yield from _pictures(message)


def _write_vicuna_v0(conversation: Conversation, index: int) -> Segments:
    """The first LLaVA's: a speaker's sign is learned, and the one that ends an answer."""
    message = conversation[index]
    if message.role == "system":
        return
    answered = _after_answer(conversation, index)  # which has written the sign already
    if message.role == "assistant":
        yield Segment(text="" if answered else "### Assistant:", supervised=True)
        yield Segment(text=f" {message.text}\n###", supervised=message.supervised)
        return
    if not answered:
        yield Segment(text="###", supervised=True)
    yield Segment(text=" Human: ")
    yield from words_of(message)
    yield Segment(text="\n")


_HUMAN = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)


def _open_vicuna_v0(conversation: Conversation) -> Sequence[Segment]:
    first = conversation[0] if conversation else None
    system = first.text if first is not None and first.role == "system" else ""
    return Segment(token="<s>"), Segment(text=f"{system or _HUMAN}\n\n")


def _write_flamingo(conversation: Conversation, index: int) -> Segments:
    """A picture, its text and the end of the chunk, which is learned too."""
    message = conversation[index]
    if message.role == "assistant":
        yield Segment(text=message.text, supervised=message.supervised)
        yield Segment(token="<|endofchunk|>", supervised=message.supervised)
        return
    yield from _pictures(message)
    if message.text:
        yield Segment(text=message.text)


def _write_caption(conversation: Conversation, index: int) -> Segments:
    """Pictures, the decoder's beginning, words; an answer ends with a line break (BLIP-2)."""
    message = conversation[index]
    if message.role == "assistant":
        space = " " if _asked(conversation, index) else ""
        yield Segment(text=f"{space}{message.text}\n", supervised=message.supervised)
        return
    yield from _pictures(message)
    if message.role != "system":
        yield Segment(token="</s>")
    if message.text:
        yield Segment(text=message.text)


def _asked(conversation: Conversation, index: int) -> bool:
    return index > 0 and bool(conversation[index - 1].text)


def _write_minigpt4(conversation: Conversation, index: int) -> Segments:
    message = conversation[index]
    if message.role == "assistant":
        yield Segment(text="###Assistant: ")
        yield Segment(text=f"{message.text}###", supervised=message.supervised)
    elif message.role != "system":
        yield Segment(text="Human: " if _after_answer(conversation, index) else "###Human: ")
        yield from _pictures(message, "<Img>", "</Img> ")
        yield Segment(text=f"{message.text} ")
    elif message.text:
        yield Segment(text=message.text)


def _write_minigpt_v2(conversation: Conversation, index: int) -> Segments:
    """Each turn of a person begins anew."""
    message = conversation[index]
    if message.role == "assistant":
        yield Segment(text=f" {message.text}", supervised=message.supervised)
        yield Segment(token="</s>", supervised=message.supervised)
    elif message.role != "system":
        yield Segment(token="<s>")
        yield Segment(text="[INST] ")
        yield from _pictures(message, "<Img>", "</Img> ")
        yield Segment(text=f"{message.text} [/INST]")


def _write_cogvlm(conversation: Conversation, index: int) -> Segments:
    message = conversation[index]
    if message.role == "assistant":
        yield Segment(text=message.text, supervised=message.supervised)
        yield Segment(token="</s>", supervised=message.supervised)
    elif message.role != "system":
        yield from _pictures(message)
        yield Segment(text=f" [INST] {message.text} [/INST] ")


def _write_qa(conversation: Conversation, index: int) -> Segments:
    """A multimodal sentence and its text (PaLM-E): pictures and states stay where they are."""
    message = conversation[index]
    if message.role == "assistant":
        yield Segment(text="\nA:")
        yield Segment(text=f" {message.text}", supervised=message.supervised)
        yield Segment(token="</s>", supervised=message.supervised)
        return
    if message.role == "system":
        return
    yield Segment(text="Q: ")
    for run in runs(message):
        yield Segment(text=run) if isinstance(run, str) else shown(run)


def _write_glm(conversation: Conversation, index: int) -> Segments:
    """What stands before the first <sop>, which is learned, is read both ways (VisualGLM-6B)."""
    message = conversation[index]
    if message.role == "assistant":
        yield Segment(text="\n答：")  # noqa: RUF001
        yield Segment(token="[gMASK]")
        yield Segment(token="<sop>", supervised=message.supervised)
        yield Segment(text=message.text, supervised=message.supervised)
        yield Segment(token="<eop>", supervised=message.supervised)
        return
    if message.role != "system":
        yield from _pictures(message, "<img>", "</img>")
        yield Segment(text=f"问：{message.text}")  # noqa: RUF001


def _template(
    name: str,
    write: Callable[[Conversation, int], Segments],
    *,
    specials: str,
    end: str,
    image: str = "<image>",
    opening: Callable[[Conversation], Sequence[Segment]] = _nothing,
    prompt: Sequence[Segment] = (),
) -> Template:
    return Template(
        name=name,
        specials=tuple(specials.split()),
        image_token=image,
        end_token=end,
        write=write,
        opening=opening,
        prompt=prompt,
    )


_LLAMA = "<unk> <s> </s> <image>"

SYSTEM_TEMPLATES = (
    _template("plain", _write_plain, specials=_LLAMA, end="</s>", opening=_begin),
    _template(
        "vicuna_v0",
        _write_vicuna_v0,
        specials=_LLAMA,
        end="</s>",
        opening=_open_vicuna_v0,
        prompt=(Segment(text="### Assistant:", supervised=True),),
    ),
    _template(
        "flamingo",
        _write_flamingo,
        specials="<s> </s> <image> <|endofchunk|>",
        end="<|endofchunk|>",
        opening=_begin,
    ),
    _template("caption", _write_caption, specials="</s> <image>", end="</s>"),
    _template(
        "minigpt4",
        _write_minigpt4,
        specials=_LLAMA,
        end="</s>",
        opening=_begin,
        prompt=(Segment(text="###Assistant: "),),
    ),
    _template("minigpt_v2", _write_minigpt_v2, specials=_LLAMA, end="</s>"),
    _template("cogvlm", _write_cogvlm, specials=_LLAMA, end="</s>", opening=_begin),
    _template(
        "palm_e",
        _write_qa,
        specials=_LLAMA,
        end="</s>",
        opening=_begin,
        prompt=(Segment(text="\nA:"),),
    ),
    _template(
        "visualglm",
        _write_glm,
        specials="[gMASK] <sop> <eop> <image>",
        end="<eop>",
        prompt=(
            Segment(text="\n答："),  # noqa: RUF001
            Segment(token="[gMASK]"),
            Segment(token="<sop>", supervised=True),
        ),
    ),
)
