"""What goes into a model as words, and what comes out of it."""

from typing import Any

from llava_plus.errors import SkillError
from llava_plus.skills import Image, Text

CAPTION_TOKENS = 40  # the most that a model says; the original's BLIP-2 says 20
ANSWER_TOKENS = 60


def pillow(image: Image) -> Any:
    """Return the picture as processors take it: RGB, white behind what is transparent."""
    from PIL import Image as Pillow

    return Pillow.fromarray(image.rgb())


def plain(text: str, tokenizer: Any) -> str:
    """Return words without what a model would read as one of its own signs, such as "<image>"."""
    signs = {*tokenizer.all_special_tokens, *map(str, tokenizer.added_tokens_decoder.values())}
    for sign in sorted(filter(None, signs), key=len, reverse=True):
        text = text.replace(sign, " ")
    return " ".join(text.split())


def asked(question: str, tokenizer: Any) -> str:
    """Return a question as a model gets it.

    Raises:
        SkillError: It asks nothing.
    """
    words = plain(question, tokenizer)
    if not any(letter.isalnum() for letter in words):
        raise SkillError(
            f'ask: question must ask something, got {question!r}. Try "What is in the picture?".'
        )
    return words


def said(skill: str, model: str, words: str) -> Text:
    """Return what a model said.

    Raises:
        SkillError: It said nothing.
    """
    words = " ".join(words.split())
    if not words:
        raise SkillError(
            f"{skill}: {model} said nothing of this picture. Put it in other words, show a larger "
            "part, or do without."
        )
    return Text(words)


def go_on(model: Any, inputs: Any, most: int, **how: Any) -> Any:
    """Return the tokens that a model puts after a prompt, always the same ones: (token,)."""
    import torch

    inputs = inputs.to(model.device, model.dtype)  # integers stay integers
    with torch.inference_mode():
        tokens = model.generate(**inputs, max_new_tokens=most, do_sample=False, **how)[0]
    given = inputs["input_ids"][0] if "input_ids" in inputs else tokens[:0]
    repeated = len(tokens) >= len(given) and bool((tokens[: len(given)] == given).all())
    return tokens[len(given) :] if repeated else tokens
