"""What a template is: a way to write a conversation as segments, some of which are learned."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from llava_plus.messages import Conversation, ImagePart, Message, TextPart


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One of: words, a picture, or one special token by name.

    Words never turn into special tokens, whatever they spell.
    """

    text: str = ""
    image: ImagePart | None = None
    token: str = ""
    supervised: bool = False


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
    """

    name: str
    specials: tuple[str, ...]
    image_token: str
    end_token: str
    write: Callable[[Conversation, int], Iterator[Segment]]
    opening: Callable[[Conversation], Sequence[Segment]]
    prompt: Sequence[Segment]

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


def runs(message: Message) -> Iterator[str | ImagePart]:
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


def words_of(message: Message) -> Iterator[Segment]:
    """A message's words and pictures in order, a line break after each picture."""
    words = ""
    for run in runs(message):
        if isinstance(run, str):
            words += run
            continue
        if words:
            yield Segment(text=words)
        yield Segment(image=run)
        words = "\n"
    if words:
        yield Segment(text=words)
