"""Small real skills, pictures and a way to run a session and keep its events."""

import asyncio
import threading
import time

import numpy as np
import pytest

from llava_plus.agent import Agent, Limits, ScriptedPlanner, StepStarted
from llava_plus.errors import SkillError
from llava_plus.skills import (
    Boxes,
    Image,
    Points,
    Region,
    SkillRegistry,
    Text,
    TextLines,
    skill,
)

ENDED = threading.Event()  # set when `slow` has been let go


@skill
def detect(image: Image, label: str) -> Boxes:
    """Find things that a word names."""
    if label != "face":
        raise SkillError(f"detect: cannot find {label!r}; it finds faces.")
    boxes = ((0.1, 0.1, 0.3, 0.4), (0.6, 0.25, 0.8, 0.456))
    return Boxes(boxes, labels=("face", "face"), scores=(0.987, 0.5), query="face")


@skill
def blur(image: Image, *, region: Region | None = None, strength: float = 0.5) -> Image:
    """Blur a region."""
    return Image.from_array(image.pixels // 2)


@skill
def read(image: Image) -> TextLines:
    """Read printed text."""
    square = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.1), (0.0, 0.1))
    return TextLines(("OPEN",), (square,), scores=(0.999,))


@skill
def outline(image: Image, prompt: Boxes | Points, *, outside: bool = False) -> Boxes:
    """Outline what lies under a point."""
    return Boxes(((0.0, 0.0, 0.5, 0.5),))


@skill(cache=False)
def slow(image: Image, seconds: float = 30.0) -> Text:
    """Take its time."""
    time.sleep(seconds)
    return Text("done")


@skill
def broken(image: Image) -> Text:
    """Have a bug."""
    raise KeyError("inside")


@pytest.fixture
def skills():
    return SkillRegistry([detect, blur, read, outline, slow, broken])


@pytest.fixture
def picture():
    return np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3)


@pytest.fixture
def session(skills):
    """Make a session whose planner plays a script."""

    def make(*script, planner=None, **limits):
        planner = planner or ScriptedPlanner(script)
        return Agent(planner, skills, limits=Limits(**limits)).session()

    return make


@pytest.fixture
def events_of():
    """Collect what a run yields."""

    def collect(stream):
        async def all_of_them():
            return [event async for event in stream]

        return asyncio.run(all_of_them())

    return collect


@pytest.fixture(scope="session")
def llava():
    """A tiny LLaVA of transformers with random weights, and its processor."""
    import torch
    from transformers import (
        CLIPImageProcessorPil,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    from llava_plus.model import train_tokenizer

    tokenizer = train_tokenizer(
        ["USER: find the faces"] * 9, specials=("</s>", "<image>"), end_token="</s>"
    )
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2}
    text = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
    config = LlavaConfig(
        vision_config={
            "model_type": "clip_vision_model",
            **vision,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 16,
        },
        text_config={
            "model_type": "llama",
            **text,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 8192,
            "bos_token_id": None,
            "eos_token_id": 0,
        },
        image_token_index=1,
        image_seq_length=4,
    )
    torch.manual_seed(0)
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"height": 32, "width": 32}, do_center_crop=False
        ),
        tokenizer=tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=(
            "{% for message in messages %}{{ message['role'] }}: "
            "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
            "{% for part in message['content'] %}"
            "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}"
            "{% endfor %}{% endif %}\n{% endfor %}assistant: "
        ),
    )
    return LlavaForConditionalGeneration(config), processor


@pytest.fixture(scope="session")
def joined():
    """Join the text of one kind of events since the last step began."""

    def join(events, kind):
        text = ""
        for event in events:
            text = "" if isinstance(event, StepStarted) else text
            text += event.text if isinstance(event, kind) else ""
        return text

    return join
