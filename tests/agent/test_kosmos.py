"""Kosmos-2.5 as a planner through its own class in transformers, with tiny random weights."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    Kosmos2_5Config,
    Kosmos2_5ForConditionalGeneration,
    Kosmos2_5Processor,
    PreTrainedTokenizerFast,
)
from transformers.models.kosmos2_5.image_processing_pil_kosmos2_5 import (
    Kosmos2_5ImageProcessorPil,
)

from llava_plus.agent import load_planner
from llava_plus.errors import SetupError
from llava_plus.messages import ImagePart, Message, TextPart
from llava_plus.model import train_tokenizer

LATENTS = 4
WORDS = "USER: is it red?\nASSISTANT:"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint as transformers writes it."""
    folder = tmp_path_factory.mktemp("kosmos")
    specials = ["<pad>", "<s>", "</s>", "<image>", "</image>"]
    tokenizer = train_tokenizer(
        ["is it red? yes no USER ASSISTANT"] * 9,
        vocab_size=300,
        specials=specials,
        end_token="</s>",
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        extra_special_tokens={
            "boi_token": "<image>",
            "eoi_token": "</image>",
            "image_token": "<s>",
        },
    )
    pictures = Kosmos2_5ImageProcessorPil()
    Kosmos2_5Processor(pictures, tokenizer, num_image_tokens=LATENTS).save_pretrained(folder)
    text = {"embed_dim": 32, "layers": 2, "ffn_dim": 48, "attention_heads": 2}
    text |= {"vocab_size": len(tokenizer), "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    vision |= {"num_attention_heads": 2, "head_dim": 8, "max_num_patches": 4096}
    config = Kosmos2_5Config(text_config=text, vision_config=vision, latent_query_num=LATENTS)
    torch.manual_seed(0)
    Kosmos2_5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def planner(folder):
    return load_planner(str(folder), device="cpu")


def chat(*pixels, words="is it red?"):
    parts = (*[ImagePart(pixels=one) for one in pixels], TextPart(text=words))
    return [Message(role="user", parts=parts)]


def write(planner, conversation):
    return planner.engine.write(
        conversation, grammar='start: "yes" | "no"', stop=lambda: False, emit=lambda text: None
    )


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)


def test_it_is_read_as_its_own_processor_reads_and_writes_under_a_grammar(planner):
    pixels = picture()
    engine = planner.engine
    assert write(planner, chat(pixels)) in ("yes", "no")
    prompt = engine._reader.read(
        [{"role": "user", "content": [{"type": "image", "image": pixels},
                                      {"type": "text", "text": "is it red?"}]}]
    )  # fmt: skip
    native = engine.processor._processor(images=Image.fromarray(pixels), text=WORDS)
    assert prompt.ids == native["input_ids"][0].tolist()
    assert prompt.ids[: 3 + LATENTS] == [1, 3, *[1] * LATENTS, 4]
    for name in ("width", "height", "attention_mask"):
        native.pop(name, None)
    with torch.no_grad():
        wanted = engine.model(**native).logits[0, -1]
        got = engine._read_whole(engine._memory.new(prompt), prompt)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)


def test_of_several_pictures_it_sees_the_last(planner):
    reader = planner.engine._reader
    content = [{"type": "image", "image": picture(seed)} for seed in (1, 2)]
    both = reader.read([{"role": "user", "content": content}])
    last = reader.read([{"role": "user", "content": content[1:]}])
    assert torch.equal(both.whole["flattened_patches"], last.whole["flattened_patches"])


def test_words_alone_are_refused_in_one_sentence(planner):
    with pytest.raises(SetupError, match="reads words only with a picture"):
        write(planner, chat())
