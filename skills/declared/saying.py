"""Saying in words what a picture shows."""

from llava_plus.skills import Image, Text, skill
from llava_plus.skills.absent import needs_model


@skill(examples=("describe this picture in a sentence", "what is this a photo of"))
def caption(image: Image, *, prompt: str = "") -> Text:
    """Say in a sentence what a picture shows.

    Args:
        image: The picture to look at.
        prompt: How the sentence is to begin or what it is to be like; the model's own if empty.
    """
    raise needs_model("caption")


@skill(examples=("what colour is the bus", "how many people are there"))
def ask(image: Image, question: str) -> Text:
    """Answer a question about a picture in a few words.

    Args:
        image: The picture to look at.
        question: What to find out, such as "What is the man holding?".
    """
    raise needs_model("ask")
