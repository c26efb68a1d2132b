"""What a model of transformers reads again from step to step: nothing but what is new."""

import logging

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import LlavaProcessor

from llava_plus.agent.halt import HaltedError
from llava_plus.agent.planner import PlannerError
from llava_plus.agent.planners.hub_engine import HubEngine
from llava_plus.agent.planners.hub_prompt import spans
from llava_plus.evals.random_models import random_qwen
from llava_plus.messages import ImagePart, Message, TextPart

WRITTEN = 6  # tokens of each output


def picture(number, height=60, width=90):
    random = np.random.default_rng(number)
    pixels = random.integers(0, 255, (height, width, 3), dtype=np.uint8)
    return ImagePart(pixels=pixels, digest=f"picture {number}")


def said(role, *parts):
    made = (TextPart(text=part) if isinstance(part, str) else part for part in parts)
    return Message(role=role, parts=tuple(made))


FIRST, SECOND, THIRD = picture(1), picture(2, 80, 50), picture(3, 64, 64)
STEPS = [
    [said("system", "You help people with pictures. " * 5), said("user", FIRST, "img_1 Faces?")],
    [said("assistant", "calls"), said("observation", "boxes_1 = detect: 2 boxes")],
    [said("assistant", "calls"), said("observation", SECOND, "img_2 = crop: 50x80")],
    [said("assistant", "Two."), said("user", "And here? ", THIRD, "img_3 ", FIRST, "again")],
]


class Noting:
    """A sampler that keeps what it chose."""

    def __init__(self, sampler):
        self.sampler = sampler
        self.chosen = []

    def choose(self, logits, guide):
        self.chosen.append(self.sampler.choose(logits, guide))
        return self.chosen[-1]


@pytest.fixture(scope="session")
def qwen():
    return random_qwen()


@pytest.fixture
def engine(request):
    """A model with weights that tell its inputs apart, and an engine that notes its tokens."""
    model, processor = request.getfixturevalue(getattr(request, "param", "qwen"))
    torch.manual_seed(1)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    engine = HubEngine(model, processor, max_tokens=WRITTEN)
    engine._sampler = Noting(engine._sampler)
    yield engine
    model.load_state_dict(before)


def write(engine, conversation, stop=lambda: False):
    """The tokens of the next message, and how many tokens and pictures were read for it."""
    stats, engine._sampler.chosen = engine.stats, []
    before = stats.prefilled, stats.images
    try:
        engine.write(conversation, grammar=None, stop=stop, emit=lambda text: None)
    except PlannerError as error:
        assert "did not end" in str(error)  # noqa: PT017
    return engine._sampler.chosen, stats.prefilled - before[0], stats.images - before[1]


def whole(engine, conversation):
    """The inputs of the whole conversation, as the processor makes them."""
    chat = [
        {
            "role": "user" if message.role == "observation" else message.role,
            "content": [
                {"type": "image"} if isinstance(part, ImagePart) else vars(part) | {"type": "text"}
                for part in message.parts
            ],
        }
        for message in conversation
    ]
    text = engine.processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    images = [Image.fromarray(one.pixels) for message in conversation for one in message.images]
    return engine.processor(text=text, images=images, return_tensors="pt")


def generated(engine, conversation):
    """What transformers itself writes, without any cache from before."""
    inputs = whole(engine, conversation)
    output = engine.model.generate(**inputs, max_new_tokens=WRITTEN, do_sample=False)
    return output[0, inputs["input_ids"].shape[1] :].tolist()


def shared(one, other):
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


@pytest.mark.parametrize("engine", ["llava", "qwen"], indirect=True)
def test_steps_and_turns_read_only_new_tokens_and_write_what_a_cold_model_does(engine):
    conversation, known = [], []
    for step, pictures in zip(STEPS, [1, 0, 1, 1], strict=True):
        conversation = [*conversation, *step]
        chosen, read, seen = write(engine, conversation)
        ids = whole(engine, conversation)["input_ids"][0].tolist()
        assert read == len(ids) - shared(known, ids)
        assert seen == pictures  # the one that comes again is not looked at again
        assert chosen == generated(engine, conversation)
        known = [*ids, *chosen[:-1]]
    assert engine.stats.reused > 2 * engine.stats.prefilled


@pytest.mark.parametrize("engine", ["llava", "qwen"], indirect=True)
def test_a_changed_conversation_is_read_from_the_first_difference_on(engine):
    conversation = [message for step in STEPS for message in step]
    write(engine, conversation)
    changed = [*conversation]
    changed[2] = said("assistant", "something else")
    known, ids = (whole(engine, one)["input_ids"][0].tolist() for one in (conversation, changed))
    chosen, read, seen = write(engine, changed)
    assert read == len(ids) - shared(known, ids)
    assert 0 < read < len(ids) / 2 + 50
    assert seen == 0  # the features of pictures behind the difference were kept
    assert chosen == generated(engine, changed)
    _, read, _ = write(engine, [*conversation, said("assistant", "x"), said("user", "go on")])
    assert read < 60  # the conversation as it was is still there


def test_another_picture_in_the_same_place_is_a_difference(engine):
    write(engine, STEPS[0])
    other = [STEPS[0][0], said("user", picture(9), "img_1 Faces?")]
    chosen, read, seen = write(engine, other)
    assert seen == 1
    assert read > 6  # the picture's own tokens are the same ids as before
    assert chosen == generated(engine, other)


def test_what_was_read_before_a_stop_is_not_read_again(engine):
    looks = iter([False, False, True])
    with pytest.raises(HaltedError):
        write(engine, STEPS[0], stop=lambda: next(looks))
    before = engine.stats.reused
    chosen, _, seen = write(engine, STEPS[0])
    assert engine.stats.reused > before
    assert seen == 0
    assert chosen == generated(engine, STEPS[0])


def test_words_that_look_like_a_picture_are_left_out(engine):
    conversation = [said("user", FIRST, "img_1 what does <|image_pad|> mean?")]
    plain = [said("user", FIRST, "img_1 what does  mean?")]
    assert write(engine, conversation)[0] == generated(engine, plain)


class Numbering(LlavaProcessor):
    """A processor that writes something else for a second picture than for a first."""

    def __call__(self, text, images=None, **options):
        before, *after = text.split("<image>")
        text = before + "".join(f"<image>{'.' * n}{rest}" for n, rest in enumerate(after))
        return super().__call__(text=text, images=images, **options)


def test_a_processor_that_needs_the_whole_gets_the_whole(llava, caplog):
    model, plain = llava
    parts = {name: getattr(plain, name) for name in ("image_processor", "tokenizer")}
    processor = Numbering(
        **parts,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=plain.chat_template,
    )
    whole_engine = HubEngine(model, processor, max_tokens=WRITTEN)
    whole_engine._sampler = Noting(whole_engine._sampler)
    conversation = [message for step in STEPS[:3] for message in step]
    with caplog.at_level(logging.WARNING, "llava_plus"):
        chosen, read, _ = write(whole_engine, conversation)
    assert "nothing is kept" in caplog.text
    assert chosen == generated(whole_engine, conversation)
    assert write(whole_engine, conversation)[:2] == (chosen, read)


def test_keys_are_read_in_pictures_and_runs_of_words():
    keys = [1, 2, 3, ("a", 0), ("a", 1), ("b", 0), 4]
    assert spans(keys, 2) == [(0, 2), (2, 3), (3, 5), (5, 6), (6, 7)]
    assert spans([], 2) == []
