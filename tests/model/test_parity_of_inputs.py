"""Token counts and pixels against those of transformers' own processors."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers

from llava_plus.messages import ImagePart, Message, TextPart
from llava_plus.model import PRESETS, LMMProcessor, train_tokenizer
from llava_plus.model.build import layout_of
from llava_plus.model.layout import Layout

SPECIALS = ["<image>", "<video>", "</s>"]


def hub_processor(name):
    """transformers' processor at the sizes that were released; it makes no pictures."""
    from transformers.models.llava_next.image_processing_pil_llava_next import (
        LlavaNextImageProcessorPil,
    )
    from transformers.models.llava_onevision.image_processing_pil_llava_onevision import (
        LlavaOnevisionImageProcessorPil,
    )

    words = train_tokenizer(["a"], vocab_size=300, specials=SPECIALS, end_token="</s>")
    if name == "llava-next-vicuna-7b":
        pictures = LlavaNextImageProcessorPil(size={"shortest_edge": 336})
        processor = transformers.LlavaNextProcessor(pictures, words, patch_size=14)
        processor.vision_feature_select_strategy = "default"
        processor.num_additional_image_tokens = 1
        return processor
    # Its own beginning wants a processor of videos, which wants torchvision.
    processor = transformers.LlavaOnevisionProcessor.__new__(transformers.LlavaOnevisionProcessor)
    processor.image_processor, processor.tokenizer = LlavaOnevisionImageProcessorPil(), words
    processor.num_image_tokens, processor.vision_feature_select_strategy = 729, "full"
    processor.vision_aspect_ratio = "anyres_max_9"
    return processor


@pytest.mark.parametrize("name", ["llava-next-vicuna-7b", "llava-onevision-7b"])
def test_token_counts_of_500_sizes_are_those_of_transformers(name):
    layout = layout_of(PRESETS[name]())
    sizes = [tuple(one) for one in np.random.default_rng(0).integers(10, 3000, (500, 2)).tolist()]
    theirs = hub_processor(name)._get_num_multimodal_tokens(image_sizes=sizes)["num_image_tokens"]
    assert [layout.count_tokens(size) for size in sizes] == theirs
    assert len(set(theirs)) > 50


@pytest.mark.parametrize("name", ["llava-1.5-7b", "blip2"])
def test_token_counts_of_500_pictures_are_those_of_transformers(name):
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

    words = train_tokenizer(["a"], vocab_size=300, specials=SPECIALS, end_token="</s>")
    square = {"height": 28, "width": 28}
    layout = layout_of(PRESETS[name]())
    if name == "blip2":
        pictures = BlipImageProcessorPil(size=square)
        processor = transformers.Blip2Processor(pictures, words, num_query_tokens=32)
        text = "a"
    else:
        layout = replace(layout, tile=28, side=2)
        pictures = LlavaImageProcessorPil(do_pad=True, size={"shortest_edge": 28}, crop_size=square)
        processor = transformers.LlavaProcessor(
            pictures, words, patch_size=14, vision_feature_select_strategy="default",
            num_additional_image_tokens=1,
        )  # fmt: skip
        text = "<image> a"
    hole = words.convert_tokens_to_ids("<image>")
    for size in np.random.default_rng(0).integers(2, 90, (500, 2)).tolist():
        made = processor(images=np.zeros((*size, 3), np.uint8), text=text)
        assert made["input_ids"][0].count(hole) == layout.count_tokens(tuple(size))


def pixel_processors():
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
    from transformers.models.llava_next.image_processing_pil_llava_next import (
        LlavaNextImageProcessorPil,
    )
    from transformers.models.llava_onevision.image_processing_pil_llava_onevision import (
        LlavaOnevisionImageProcessorPil,
    )

    square = {"height": 16, "width": 16}
    canvases = [[16, 32], [32, 16], [32, 32], [48, 16]]
    short = {"size": {"shortest_edge": 16}, "crop_size": square}
    tiles = {"pinpoints": tuple(map(tuple, canvases)), "newline": True, "mode": "anyres"}
    return {
        "pad": (LlavaImageProcessorPil(do_pad=True, **short), {"mode": "pad"}, False),
        "crop": (LlavaImageProcessorPil(do_pad=False, **short), {"mode": "crop"}, False),
        "next": (LlavaNextImageProcessorPil(image_grid_pinpoints=canvases, **short), tiles, False),
        "onevision": (
            LlavaOnevisionImageProcessorPil(image_grid_pinpoints=canvases, size=square),
            {**tiles, "tile_several": False},
            False,
        ),
        "several": (
            LlavaOnevisionImageProcessorPil(image_grid_pinpoints=canvases, size=square),
            {**tiles, "tile_several": False},
            True,
        ),
    }


def talk(*pixels):
    parts = [ImagePart(pixels=one) for one in pixels]
    return [Message(role="user", parts=(*parts, TextPart(text="what is it?")))]


@pytest.mark.parametrize("kind", ["pad", "crop", "next", "onevision", "several"])
def test_pixels_are_those_of_transformers(kind):
    theirs, options, several = pixel_processors()[kind]
    tokenizer = train_tokenizer(
        ["what is it?"],
        vocab_size=300,
        specials=["<unk>", "<s>", "</s>", "<image>"],
        end_token="</s>",
    )
    ours = LMMProcessor(
        tokenizer,
        template="vicuna_v1",
        image_mean=tuple(theirs.image_mean),
        image_std=tuple(theirs.image_std),
        layout=Layout(tile=16, side=4, **options),
    )
    draw = np.random.default_rng(0)
    for size in [(20, 37), (64, 30), (9, 9), (100, 31)]:
        images = [draw.integers(0, 256, (*size, 3), np.uint8) for _ in range(1 + several)]
        wanted = theirs([images] if several else images, return_tensors="pt")["pixel_values"]
        got = ours.inputs(talk(*images))
        assert got["image_sizes"].tolist() == [list(size)] * len(images)
        torch.testing.assert_close(got["pixel_values"], wanted, atol=2e-5, rtol=1e-5)
        counts = int((got["input_ids"] == ours.image_token_id).sum())
        assert counts == len(images) * ours.layout.count_tokens(size, alone=not several)


def test_a_saved_processor_lays_pictures_out_alike(tmp_path):
    _, options, _ = pixel_processors()["onevision"]
    tokenizer = train_tokenizer(["a"], vocab_size=300)
    processor = LMMProcessor(tokenizer, layout=Layout(tile=16, side=4, **options))
    processor.save_pretrained(tmp_path)
    loaded = LMMProcessor.from_pretrained(tmp_path)
    assert loaded.layout == processor.layout
    conversation = talk(np.zeros((20, 90, 3), np.uint8))
    for key, value in processor.inputs(conversation).items():
        assert torch.equal(loaded.inputs(conversation)[key], value)
