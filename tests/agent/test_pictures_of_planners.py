"""A planner of ours reads pictures as its layout lays them, tiled or not."""

import numpy as np
import pytest
import torch

from llava_plus.agent import Agent, Limits, PlannerError
from llava_plus.agent.planners.lmm_engine import LMMEngine
from llava_plus.agent.planners.local import LocalPlanner
from llava_plus.agent.planners.memory import read_prompt
from llava_plus.agent.planners.sampler import Sampler
from llava_plus.messages import ImagePart, Message, TextPart
from llava_plus.model import LMM, PRESETS, train_tokenizer
from llava_plus.model.train.begin import processor_for

TOKENIZER = train_tokenizer(["find the faces"] * 9, vocab_size=300)
IMAGE = TOKENIZER.convert_tokens_to_ids("<|image|>")


def engine(preset, spread=0.2, **options):
    torch.manual_seed(0)
    config = PRESETS[preset](len(TOKENIZER), image_token_id=IMAGE)
    model = LMM(config).eval()
    with torch.no_grad():
        for weight in model.parameters():  # gates are closed at first
            weight.add_(torch.randn_like(weight) * spread)
    return LMMEngine(model, processor_for(config, TOKENIZER, "nano"), **options)


def talk(*sizes):
    draw = np.random.default_rng(0)
    pixels = [draw.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
    parts = (*[ImagePart(pixels=one) for one in pixels], TextPart(text="find the faces"))
    return [Message(role="user", parts=parts)]


@pytest.mark.parametrize(
    "preset", ["llava-onevision-0.5b-tiny", "llava-next-vicuna-7b-tiny", "llava-1.5-7b-tiny"]
)
def test_features_fill_exactly_the_placeholders_of_one_and_of_several_pictures(preset):
    planner = engine(preset)
    for conversation in (talk((8, 30)), talk((8, 30), (40, 9))):
        prompt = read_prompt(conversation, planner.processor)
        inputs = planner.processor.inputs(conversation)
        assert prompt.ids == inputs["input_ids"][0].tolist()
        holes = prompt.ids.count(IMAGE)
        with torch.no_grad():
            got = planner._look(prompt, holes)
            wanted = planner.model.read_pictures(
                inputs["pixel_values"], inputs["image_sizes"], inputs["batch_num_images"]
            )
        torch.testing.assert_close(got, wanted.reshape(got.shape), atol=1e-5, rtol=1e-5)
        last = prompt.counts[-1]
        with torch.no_grad():
            only = planner._look(prompt, last)  # what came before is in the cache already
        torch.testing.assert_close(only, got[-last:])


def test_a_picture_among_others_is_not_taken_for_the_lone_one_that_was_tiled():
    planner = engine("llava-onevision-0.5b-tiny")
    alone, among = (
        read_prompt(talk(*sizes), planner.processor) for sizes in ([(8, 30)], [(8, 30), (9, 9)])
    )
    assert alone.counts[0] > among.counts[0]
    assert not set(alone.names) & set(among.names)


class Noting:
    """A sampler that keeps what it chose, and from what at first."""

    def __init__(self, sampler):
        self.sampler, self.chosen, self.logits = sampler, [], None

    def choose(self, logits, guide):
        self.logits = self.logits if self.chosen else logits
        self.chosen.append(self.sampler.choose(logits, guide))
        return self.chosen[-1]


def said(role, words, *sizes):
    draw = np.random.default_rng(len(words))
    pixels = [draw.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
    return Message(role=role, parts=(*map(shown, pixels), TextPart(text=words)))


def shown(pixels):
    return ImagePart(pixels=pixels, digest=str(pixels.sum()))


STEPS = [  # a picture, words alone, another picture, two at once
    [said("system", "find the faces"), said("user", "find", (8, 30))],
    [said("assistant", "faces"), said("observation", "the faces")],
    [said("assistant", "find"), said("observation", "faces", (20, 9))],
    [said("assistant", "the"), said("user", "find the", (9, 9), (20, 12))],
]
PLAIN = ["llava-next-mistral-7b", "blip2", "minigpt4", "minigpt-v2", "qwen-vl-7b", "palm-e",
         "cambrian-8b-plain"]  # fmt: skip
LOOKING_AGAIN = ["flamingo", "cogvlm-17b", "cambrian-8b"]
BOTH_WAYS = ["visualglm-6b"]


@pytest.mark.parametrize("name", [*PLAIN, *LOOKING_AGAIN, *BOTH_WAYS])
def test_a_planner_of_any_system_writes_in_every_step_what_generate_writes_from_nothing(name):
    planner = engine(f"{name}-tiny", 0.5, max_tokens=5)
    planner._sampler = noting = Noting(planner._sampler)
    planner.model.generation_config.eos_token_id = None  # a default that means another word here
    conversation, firsts, kept = [], [], []
    for step in STEPS:
        conversation, before = [*conversation, *step], planner.stats.reused
        noting.chosen = []
        with pytest.raises(PlannerError, match="did not end within 5 tokens"):
            planner.write(conversation, grammar=None, stop=lambda: False, emit=lambda text: None)
        inputs = planner.processor.inputs(conversation)
        with torch.no_grad():
            logits = planner.model(**inputs).logits[0, -1]
        torch.testing.assert_close(noting.logits, logits, atol=1e-4, rtol=1e-4)
        options = {"max_new_tokens": 5, "do_sample": False, "suppress_tokens": [IMAGE]}
        wanted = planner.model.generate(**inputs, **options)[0, inputs["input_ids"].shape[1] :]
        assert noting.chosen == wanted.tolist()
        assert not any(torch.allclose(logits, one, atol=1e-2) for one in firsts)
        firsts.append(logits)
        kept.append(planner.stats.reused > before)
    pictures = planner.stats.images
    if name in PLAIN:
        assert (kept, pictures) == ([False, True, True, True], 4)
    elif name in LOOKING_AGAIN:  # all of them again, where new ones came
        assert (kept, pictures) == ([False, True, False, False], 1 + 2 + 4)
    else:
        assert (kept, pictures) == ([False] * 4, 1 + 1 + 2 + 4)


def test_a_token_that_stands_for_a_picture_is_never_written():
    logits = torch.tensor([0.0, 1.0, 9.0, 3.0])
    assert Sampler(4, 0.0, 0, "cpu", barred=[2]).choose(logits, None) == 3
    assert Sampler(4, 0.0, 0, "cpu").choose(logits, None) == 2


def test_a_saved_cambrian_plans_what_can_be_carried_out(tmp_path, skills, picture):
    torch.manual_seed(0)
    config = PRESETS["cambrian-8b-tiny"](len(TOKENIZER), image_token_id=IMAGE)
    config.text_config.max_position_embeddings = 8192
    LMM(config).save_pretrained(tmp_path)
    processor_for(config, TOKENIZER, "nano").save_pretrained(tmp_path)
    options = {"device": "cpu", "temperature": 5.0, "max_tokens": 3000}
    planner = LocalPlanner.from_pretrained(tmp_path, **options)
    session = Agent(planner, skills, limits=Limits(steps=2)).session()
    trace = session.run_sync("find the faces", images=[picture])
    turn = trace.turns[0]
    assert turn.reason in ("answered", "steps")
    assert turn.steps
    names = {spec.name for spec in skills}
    assert all(call.skill in names for step in turn.steps for call in step.actions)
