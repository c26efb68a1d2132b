"""From conversations to what a model takes: as many placeholders as features, whatever is shown."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import LlavaOnevisionProcessor

from llava_plus.errors import SetupError
from llava_plus.messages import ImagePart, Message, StatePart, TextPart, VideoPart
from llava_plus.model import LMMProcessor
from llava_plus.model.train import Recipe, Source, Stage
from llava_plus.model.train.begin import begin

SIZES = [(20, 30), (40, 12), (12, 41)]
ANSWER = Message(role="assistant", parts=(TextPart(text="A dog."),), supervised=True)


def picture(size, seed=0):
    draw = np.random.default_rng(seed)
    return ImagePart(pixels=draw.integers(0, 256, (*size, 3), np.uint8))


def video(frames, size=(12, 20)):
    draw = np.random.default_rng(frames)
    return VideoPart(frames=draw.integers(0, 256, (frames, *size, 3), np.uint8))


def state(*values):
    return StatePart(values=np.array(values, np.float32))


def user(*parts):
    parts = tuple(TextPart(text=part) if isinstance(part, str) else part for part in parts)
    return [Message(role="user", parts=parts)]


@pytest.fixture(scope="module")
def made(home):
    """Models with their processors, each made once."""
    known = {}

    def make(preset, template):
        if preset not in known:
            stage = Stage(name="a", train=("decoder",), rate=1, data=(Source(name="a"),), batch=1)
            recipe = Recipe(preset=f"{preset}-tiny", template=template, source="", stages=(stage,))
            model, processor = begin(recipe, home / "processor")
            known[preset] = model.eval(), processor
        return known[preset]

    return make


TALKS = {
    "one picture": lambda: user(picture(SIZES[0]), "What?"),
    "three pictures": lambda: user("Is", *map(picture, SIZES), "it?"),
    "a frame": lambda: user(video(1), "What?"),
    "videos": lambda: user(video(2), "or", video(5), "?"),
    "all": lambda: user(picture(SIZES[1]), video(3, (9, 9)), "and", picture(SIZES[2]), "?"),
}
READS = {
    "llava-1.5-7b": ("vicuna_v1", TALKS),
    "llava-next-vicuna-7b": ("vicuna_v1", ["one picture", "three pictures"]),
    "llava-onevision-0.5b": ("qwen_1_5", TALKS),
    "cambrian-8b": ("llama_3", ["one picture", "three pictures"]),
    "cambrian-8b-plain": ("llama_3", ["one picture", "three pictures"]),
    "qwen-vl-7b": ("qwen_vl", ["three pictures", "videos", "all"]),
    "minigpt-v2": ("minigpt_v2", ["all"]),
}


@pytest.mark.parametrize(
    ("preset", "name"), [(preset, name) for preset, (_, names) in READS.items() for name in names]
)
def test_placeholders_are_as_many_as_the_features_that_replace_them(made, preset, name):
    model, processor = made(preset, READS[preset][0])
    talk = TALKS[name]()
    inputs = processor.inputs(talk)
    with torch.no_grad():  # it counts both, and fails where they differ
        assert model(**inputs).logits.isfinite().all()
    ids = inputs["input_ids"]
    assert int((ids == processor.image_token_id).sum()) == sum(processor.counts(talk))
    frames = [len(video.frames) for video in talk[0].videos]
    wanted = sum(map(processor.layout.count_video_tokens, frames)) if frames else 0
    assert int((ids == processor.video_token_id).sum()) == wanted
    assert [len(one) for one in inputs.get("pixel_values_videos", ())] == frames
    assert (
        processor.encode(talk, with_pixels=False)["input_ids"]
        == processor.encode(talk)["input_ids"]
    )


@pytest.mark.parametrize("frames", [1, 2, 7, 32])
def test_a_videos_tokens_are_those_of_transformers(made, frames):
    _, processor = made("llava-onevision-0.5b", "qwen_1_5")
    given = processor.inputs(user(video(frames), "?"))
    theirs = SimpleNamespace(num_image_tokens=processor.layout.view_tokens, video_token="v")
    shown = {"pixel_values_videos": given["pixel_values_videos"]}
    wanted = LlavaOnevisionProcessor.replace_video_token(theirs, shown, 0)
    assert int((given["input_ids"] == processor.video_token_id).sum()) == len(wanted)
    assert given["pixel_values_videos"].shape == (1, frames, 3, 8, 8)


def test_each_tower_gets_pictures_of_its_own_size_and_colors(made):
    model, processor = made("cambrian-8b", "llama_3")
    assert [side.pixels for side in processor.sides] == [8, 8, 12, 64]
    white = ImagePart(pixels=np.full((10, 10, 3), 255, np.uint8))
    inputs = processor.inputs(user(white, picture((9, 30))))
    assert [tuple(one.shape) for one in inputs["pixel_values"]] == [
        (2, 3, side, side) for side in (8, 8, 12, 64)
    ]
    for one, side in zip(inputs["pixel_values"], processor.sides, strict=True):
        wanted = (1 - np.array(side.mean)) / np.array(side.std)
        np.testing.assert_allclose(one[0].mean((1, 2)), wanted, atol=1e-5)
    with pytest.raises(ValueError, match="different sizes"):
        processor.views(white)
    assert model(**inputs).logits.shape[1] == inputs["input_ids"].shape[1]


@pytest.fixture(scope="module")
def palm_e(made):
    return made("palm-e", "palm_e")


def test_states_stand_in_their_sentence_and_reach_the_model_in_order(palm_e):
    model, processor = palm_e
    first, second = state(*[0.5] * 16), state(*range(16))
    talk = user("A cup at ", first, " and ", picture(SIZES[0]), " a hand at ", second, ".")
    inputs = processor.inputs(talk)
    assert inputs["state_values"].tolist() == [[0.5] * 16, list(map(float, range(16)))]
    shown = [one for one in inputs["input_ids"][0].tolist() if one > 5]
    assert shown.count(processor.state_token_id) == 2
    places = [shown.index(one) for one in (processor.state_token_id, processor.image_token_id)]
    assert places == sorted(places)
    words = processor.encode(user("A cup at "))["input_ids"][:-1]
    assert shown[: len(words)] == words or words[0] <= 5
    with torch.no_grad():
        before = model(**inputs).logits[0, -1]
        inputs["state_values"] = inputs["state_values"].flip(0)
        assert not torch.allclose(model(**inputs).logits[0, -1], before, atol=1e-6)


@pytest.mark.parametrize("name", ["videos", "states"])
def test_what_is_shown_is_read_once_when_words_are_generated(made, palm_e, name):
    shown = {"videos": TALKS["videos"](), "states": user("At ", state(*[1] * 16), ". What?")}
    chosen = {"videos": ("llava-onevision-0.5b", "qwen_1_5"), "states": ("palm-e", "palm_e")}
    model, processor = made(*chosen[name])
    inputs = processor.inputs(shown[name])
    options = {"max_new_tokens": 4, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    cached = model.generate(**inputs, **options)
    assert torch.equal(cached, model.generate(**inputs, **options, use_cache=False))


@pytest.mark.parametrize("preset", ["cambrian-8b", "palm-e"])
def test_a_saved_processor_gives_the_same_inputs(made, palm_e, tmp_path, preset):
    _, processor = made(preset, "llama_3" if preset == "cambrian-8b" else "palm_e")
    processor.save_pretrained(tmp_path)
    loaded = LMMProcessor.from_pretrained(tmp_path)
    assert loaded.sides == processor.sides
    talk = user("See ", picture(SIZES[1]), *([state(*range(16))] if preset == "palm-e" else []))
    for key, value in processor.inputs(talk).items():
        pairs = zip(loaded.inputs(talk)[key], value, strict=True)
        assert all(torch.equal(got, wanted) for got, wanted in pairs)


@pytest.mark.parametrize(
    ("preset", "talk", "words"),
    [
        ("palm-e", [state(1, 2)], r"State 1 is a vector of 2; this model reads 16 numbers"),
        ("palm-e", [state(*[1] * 16), state(*[np.nan] * 16)], "State 2 holds what is no finite"),
        ("llava-1.5-7b", [state(1)], "State 1: this model reads no states"),
        ("llava-1.5-7b", [video(0)], r"Video 1 takes no tokens: its frames are \(0, 12, 20, 3\)"),
        ("cambrian-8b", [video(2)], "Video 1: this model reads no videos"),
        ("cogvlm-17b", [video(2)], "Video 1: this model reads no videos"),
        ("cambrian-8b", [picture((9, 9)), picture((1, 300))], "Picture 2 of 300 x 1 pixels takes"),
    ],
)
def test_what_a_model_cannot_read_is_named(made, preset, talk, words):
    templates = {"palm-e": "palm_e", "cambrian-8b": "llama_3", "cogvlm-17b": "cogvlm"}
    _, processor = made(preset, templates.get(preset, "vicuna_v1"))
    with pytest.raises(SetupError, match=words):
        processor.encode([*user(*talk), ANSWER])


def test_a_template_that_leaves_something_out_is_named(made, tokenizer):
    layout = made("llava-1.5-7b", "vicuna_v1")[1].layout
    processor = LMMProcessor(tokenizer, template="plain", layout=layout)
    with pytest.raises(SetupError, match="Template 'plain' writes 0 of 1 videos"):
        processor.encode(user(video(2)))
    said = Message(role="assistant", parts=(picture((8, 8)),))
    with pytest.raises(SetupError, match="Template 'plain' writes 1 of 2 pictures"):
        processor.encode([*user(picture((8, 8))), said])


def test_features_without_a_placeholder_are_refused(made):
    model, processor = made("qwen-vl-7b", "qwen_vl")
    inputs = processor.inputs(user("What?"))
    rows = torch.zeros(1, 32)
    with pytest.raises(ValueError, match="state features came, but this model has no placeholder"):
        model.embed(inputs["input_ids"], state_features=rows)


def test_words_that_are_learned_are_not_read_before(made):
    """A prompt is read both ways; an answer that were too would be known before it is learned."""
    model, processor = made("visualglm-6b", "visualglm")
    asked = user(picture(SIZES[0]), "What?")
    encoded = processor.encode([*asked, ANSWER], with_pixels=False)
    learned = [number for number, label in enumerate(encoded["labels"]) if label != -100]
    assert model.prefix_end_id == encoded["input_ids"][learned[0]]
    inputs = processor.inputs([*asked, ANSWER], add_generation_prompt=False)
    with torch.no_grad():
        before = model(**inputs).logits[0]
        inputs["input_ids"][0, learned[-2]] += 1
        after = model(**inputs).logits[0]
    assert torch.equal(before[: learned[-2]], after[: learned[-2]])
    prompt = processor.encode(asked, add_generation_prompt=True)["input_ids"]
    assert prompt == encoded["input_ids"][: learned[0] + 1]


def test_planners_are_shown_words_and_pictures_alone():
    shown = user("See", picture((4, 4)))[0]
    assert shown.words_and_pictures == shown.parts
    with pytest.raises(TypeError, match="words and pictures, not a VideoPart"):
        _ = user(video(1))[0].words_and_pictures
