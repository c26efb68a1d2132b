"""Saying in words what a picture shows."""

from typing import Annotated, Literal

from pydantic import Field

from llava_plus.skills import Boxes, Image, Tags, Text, skill
from llava_plus.skills.absent import needs_model

Words = Annotated[list[str], Field(min_length=1, max_length=1000)]


@skill(examples=("describe this picture in a sentence", "what is this a photo of"))
def caption(image: Image, *, prompt: Annotated[str, Field(max_length=500)] = "") -> Text:
    """Say in a sentence what a picture shows.

    Args:
        image: The picture to look at.
        prompt: How the sentence begins, such as "a photo of", or what it is to be about.
    """
    raise needs_model("caption")


@skill(examples=("what colour is the bus", "what is the man holding"))
def ask(image: Image, question: Annotated[str, Field(max_length=500)]) -> Text:
    """Answer a question about a picture in a few words.

    Args:
        image: The picture to look at.
        question: What to find out, such as "What is the man holding?".
    """
    raise needs_model("ask")


@skill(examples=("what is in this picture", "tag the photo"))
def tag(
    image: Image, *, words: Words | None = None, most: Annotated[int, Field(ge=1, le=50)] = 5
) -> Tags:
    """Name what a picture shows: the words of a list that fit it best, the best one first.

    Nothing but words of the list is found, and some always fit best, even where none fits well.

    Args:
        image: The picture to look at.
        words: The list, such as ["cat", "dog"]; about 350 common things and places if left out.
        most: How many words to return at most.
    """
    raise needs_model("tag")


@skill(examples=("what is in this picture, and where", "mark everything that the photo shows"))
def ground(image: Image, *, by: Literal["caption", "tags"] = "caption") -> Boxes:
    """Say what a picture shows, in a sentence or in single words, and find where each thing is.

    Args:
        image: The picture to look at.
        by: Whether the things of a caption are looked for, or tags.
    """
    raise needs_model("ground")
