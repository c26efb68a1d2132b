"""What a template is: a way to write a conversation as segments, some of which are learned."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from llava_plus.messages import (
    Conversation,
    ImagePart,
    Message,
    Part,
    StatePart,
    TextPart,
    VideoPart,
)

Shown = ImagePart | VideoPart | StatePart  # what is no words


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One of: words, a picture, a video, a state vector, or one special token by name.

    Words never turn into special tokens, whatever they spell.
    """

    text: str = ""
    image: ImagePart | None = None
    video: VideoPart | None = None
    state: StatePart | None = None
    token: str = ""
    supervised: bool = False

    @property
    def shown(self) -> Shown | None:
        """What it shows, if it is no words."""
        return self.image or self.video or self.state


@dataclass(frozen=True, kw_only=True)
class Template:
    """A way to write conversations.

    Args:
        name: What a processor's file calls it.
        specials: The special tokens it writes, in the order in which a new tokenizer numbers them.
        image_token: The one that stands for a picture's features.
        end_token: The one that ends an assistant's message.
        write: Gives the segments of the message at an index of a conversation.
        opening: Segments in front of every conversation, given the conversation.
        prompt: What stands before an assistant's words.
        video_token: The one that stands for a video's features; a tokenizer may lack it.
        state_token: The one that stands for a state vector; a tokenizer may lack it.
    """

    name: str
    specials: tuple[str, ...]
    image_token: str
    end_token: str
    write: Callable[[Conversation, int], Iterator[Segment]]
    opening: Callable[[Conversation], Sequence[Segment]]
    prompt: Sequence[Segment]
    video_token: str = "<video>"
    state_token: str = "<state>"

    def render(
        self, conversation: Conversation, *, add_generation_prompt: bool = False
    ) -> list[Segment]:
        """Write a conversation; the prompt is what an assistant continues."""
        segments = list(self.opening(conversation))
        for index in range(len(conversation)):
            segments += self.write(conversation, index)
        if add_generation_prompt:
            segments += self.prompt
        return segments


def runs(message: Message) -> Iterator[str | Shown]:
    """The parts of a message, with neighbouring texts joined."""
    words = ""
    for part in message.parts:
        if isinstance(part, TextPart):
            words += part.text
            continue
        if words:
            yield words
        words = ""
        yield part
    if words:
        yield words


def shown(part: Part) -> Segment:
    """The segment of a part that is no words."""
    match part:
        case VideoPart():
            return Segment(video=part)
        case StatePart():
            return Segment(state=part)
        case ImagePart():
            return Segment(image=part)
    raise TypeError(f"A part of words is written by its template, got {part!r}.")


def words_of(message: Message) -> Iterator[Segment]:
    """A message's parts in order, a line break after each picture and video."""
    words = ""
    for run in runs(message):
        if isinstance(run, str):
            words += run
            continue
        if words:
            yield Segment(text=words)
        yield shown(run)
        words = after(run)
    if words:
        yield Segment(text=words)


def after(part: Shown) -> str:
    """What is written after it: a state stands amid a sentence, pictures and videos do not."""
    return "" if isinstance(part, StatePart) else "\n"
