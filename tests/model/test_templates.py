import numpy as np
import pytest

from llava_plus.messages import ImagePart, Message, TextPart
from llava_plus.model import TEMPLATES

PICTURE = ImagePart(pixels=np.zeros((4, 4, 3), np.uint8), digest="d")


def say(role, *parts, supervised=False):
    parts = tuple(TextPart(text=part) if isinstance(part, str) else part for part in parts)
    return Message(role=role, parts=parts, supervised=supervised)


TALK = (
    say("system", ""),
    say("user", PICTURE, "img_1 ", "What is this?"),
    say("assistant", "A cat.", supervised=True),
    say("observation", PICTURE, "img_2 = crop"),
    say("assistant", "Its ear.", supervised=True),
    say("user", "Thanks"),
)

NANO = (
    "<|user|>[picture]img_1 What is this?<|end|>"
    "<|assistant|>*A cat.**<|end|>*"
    "<|observation|>[picture]img_2 = crop<|end|>"
    "<|assistant|>*Its ear.**<|end|>*"
    "<|user|>Thanks<|end|>"
    "<|assistant|>"
)
VICUNA = (
    "<s>A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
    " USER: [picture]\nimg_1 What is this? ASSISTANT:* A cat.**</s>*"
    "USER: [picture]\nimg_2 = crop ASSISTANT:* Its ear.**</s>*"
    "USER: Thanks ASSISTANT:"
)


def written(segments):
    """Segments as one line; what is learned stands between stars."""
    words = []
    for segment in segments:
        text = "[picture]" if segment.image else segment.token or segment.text
        words.append(f"*{text}*" if segment.supervised else text)
    return "".join(words)


@pytest.mark.parametrize(("name", "golden"), [("nano", NANO), ("vicuna_v1", VICUNA)])
def test_a_conversation_is_written_as_the_template_says(name, golden):
    assert written(TEMPLATES[name].render(TALK, add_generation_prompt=True)) == golden


def test_a_system_message_is_written_where_it_says_something():
    told = (say("system", "+ zoom"), *TALK[1:])
    assert written(TEMPLATES["nano"].render(told)).startswith("<|system|>+ zoom<|end|><|user|>")
    assert written(TEMPLATES["vicuna_v1"].render(told)).startswith("<s>+ zoom USER: ")


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("length", range(1, len(TALK)))
def test_a_longer_conversation_extends_the_shorter_one(name, length):
    template = TEMPLATES[name]
    whole = template.render(TALK)
    shorter = template.render(TALK[:length])
    assert whole[: len(shorter)] == shorter
    if TALK[length].role == "assistant":
        prompted = template.render(TALK[:length], add_generation_prompt=True)
        assert whole[: len(prompted)] == prompted


def test_only_supervised_assistants_are_learned():
    talk = (say("user", "a", supervised=True), say("assistant", "b"))
    for template in TEMPLATES.values():
        assert not any(segment.supervised for segment in template.render(talk))
