"""A planner of ours reads pictures as its layout lays them, tiled or not."""

import numpy as np
import pytest
import torch

from llava_plus.agent.planners.lmm_engine import LMMEngine
from llava_plus.agent.planners.memory import read_prompt
from llava_plus.errors import SetupError
from llava_plus.messages import ImagePart, Message, TextPart
from llava_plus.model import LMM, PRESETS, LMMProcessor, train_tokenizer

TOKENIZER = train_tokenizer(["find the faces"] * 9, vocab_size=300)
IMAGE = TOKENIZER.convert_tokens_to_ids("<|image|>")


def engine(preset):
    torch.manual_seed(0)
    model = LMM(PRESETS[preset](len(TOKENIZER), image_token_id=IMAGE)).eval()
    return LMMEngine(model, LMMProcessor(TOKENIZER, layout=model.layout))


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


@pytest.mark.parametrize(
    "preset", ["cogvlm-17b-tiny", "visualglm-6b-tiny", "cambrian-8b-plain-tiny", "flamingo-tiny"]
)
def test_models_that_cannot_read_in_pieces_are_refused_at_once(preset):
    with pytest.raises(SetupError, match="reads its prompt in pieces, which this model cannot"):
        engine(preset)
