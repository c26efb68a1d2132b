"""Models that say, read and measure: whole on tiny checkpoints, and what is made of outputs."""

import asyncio
import runpy
import shutil
import socket
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as Pillow

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Call,
    Image,
    Masks,
    Runtime,
    Table,
    TextLines,
    default_registry,
)
from llava_plus.skills.backends import BACKENDS, florence2, named, status_of, with_backends
from llava_plus.skills.backends.depth_anything import DepthAnything
from llava_plus.skills.backends.matching import wanted_words
from llava_plus.skills.backends.trocr import straightened
from llava_plus.skills.backends.vitpose import JOINTS, drawing
from llava_plus.skills.common_things import COMMON_THINGS
from llava_plus.skills.noun_phrases import noun_phrases

TINY = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("tiny_saying.py"))))
FOLDERS = {
    "florence-2": "florence2",
    "image-text": "image_text",
    "depth-anything": "depth_anything",
}
MINE = ("blip2", "florence-2", "image-text", "siglip", "clip", "depth-anything", "vitpose", "trocr")
SKILLS = ("caption", "ask", "tag", "ocr", "depth", "pose")
PAIRS = [(b.name, b.skill) for b in BACKENDS if b.name in MINE and b.skill in SKILLS]
ARGS = {"ask": {"question": "What is it?"}, "tag": {"words": ["cat", "dog", "red car"]}}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Return the folder of a tiny model by its backend's name; nobody may change what is in it."""
    home = tmp_path_factory.mktemp("saying")
    return cache(lambda name: getattr(TINY, FOLDERS.get(name, name))(home / name))


@pytest.fixture(scope="module")
def model(checkpoint):
    """Return a loaded tiny model by its backend's name."""
    return cache(lambda name: named(name).load(checkpoint(name), "cpu"))


@pytest.fixture(scope="module")
def noise():
    return Image(np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8))


@pytest.fixture(autouse=True)
def _few_tokens(monkeypatch):
    monkeypatch.setattr(florence2, "READING_TOKENS", 24)


# -- whole, on tiny checkpoints with random weights ----------------------------------------------


@pytest.mark.parametrize(("name", "skill"), PAIRS)
def test_a_checkpoint_loads_and_runs_without_any_connection(
    name, skill, checkpoint, noise, monkeypatch, own_choice
):
    def refuse(*_):
        raise AssertionError("a skill that runs must not connect")

    folder = checkpoint(name)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    skills = with_backends(default_registry(), [f"{skill}={name}:{folder}"])
    artifacts = Artifacts()
    artifacts.add(noise)
    call = Call(id="c", skill=skill, args={"image": "img_1", **ARGS.get(skill, {})})
    seen = asyncio.run(Runtime(skills, artifacts).run(call))
    assert (seen.ok, seen.backend) == (True, name), seen.text
    assert seen.kind in skills[skill].returns


def theirs(ours, prompt, image, **how):
    """Return what transformers' own path says: processor, generate and decode."""
    import torch

    inputs = ours._processor(images=Pillow.fromarray(image.rgb()), text=prompt, return_tensors="pt")
    with torch.inference_mode():
        tokens = ours._model.generate(**inputs, do_sample=False, **how)
    return tokens[0], inputs


def test_blip2_says_what_transformers_own_path_says(model, noise):
    ours = model("blip2")
    decode = ours._processor.tokenizer.decode
    tokens, _ = theirs(ours, None, noise, max_new_tokens=40)
    assert ours.caption(noise).text == " ".join(decode(tokens, skip_special_tokens=True).split())
    tokens, _ = theirs(ours, "a photo of", noise, max_new_tokens=40)
    rest = " ".join(decode(tokens, skip_special_tokens=True).split())
    assert rest.startswith("a photo of ")  # what was given comes back, too
    assert ours.caption(noise, prompt=" a photo of ").text == rest
    tokens, _ = theirs(ours, "Question: Is it red? Answer:", noise, max_new_tokens=60)
    answer = decode(tokens, skip_special_tokens=True).removeprefix("Question: Is it red? Answer:")
    assert ours.ask(noise, "Is it red?").text == " ".join(answer.split())


def test_a_chat_model_is_asked_in_its_own_template(model, noise):
    ours = model("image-text")
    words = "What is it? Answer in a few words."
    tokens, inputs = theirs(ours, f"USER: <image>\n{words} ASSISTANT:", noise, max_new_tokens=60)
    told = ours._processor.tokenizer.decode(
        tokens[inputs["input_ids"].shape[1] :], skip_special_tokens=True
    )
    assert ours.ask(noise, " What  is it? ").text == " ".join(told.split())


def test_the_family_of_the_weights_that_are_pulled_for_image_text_works(tmp_path, noise):
    try:
        folder = TINY.smolvlm(tmp_path / "smolvlm")
    except ImportError as error:
        pytest.skip(f"this version of transformers cannot: {error}")
    ours = named("image-text").load(folder, "cpu")
    words = "What is it? Answer in a few words."
    tokens, inputs = theirs(ours, f"USER: <image>\n{words} ASSISTANT:", noise, max_new_tokens=60)
    told = ours._processor.tokenizer.decode(
        tokens[inputs["input_ids"].shape[1] :], skip_special_tokens=True
    )
    assert ours.ask(noise, "What is it?").text == " ".join(told.split())


def test_florence2_is_given_its_tasks_and_read_without_its_signs(model, noise):
    ours = model("florence-2")
    tokens, _ = theirs(ours, "<CAPTION>", noise, max_new_tokens=40, num_beams=3)
    told = ours._processor.tokenizer.decode(tokens, skip_special_tokens=False)
    for sign in ("<s>", "</s>", "<pad>", *(f"<loc_{n}>" for n in range(1000))):
        told = told.replace(sign, " ")
    assert ours.caption(noise).text.split() == told.split()
    with pytest.raises(SkillError, match="florence-2 takes no prompt, got 'in rhymes'"):
        ours.caption(noise, prompt="in rhymes")


@pytest.mark.parametrize("name", ["siglip", "clip"])
def test_words_fit_as_transformers_own_scores_say(name, model, noise):
    import torch

    ours = model(name)
    words = ("cat", "dog", "red car")
    texts = [f"this is a photo of {word}." for word in words]
    padding = {"padding": "max_length", "max_length": 64} if name == "siglip" else {"padding": True}
    picture = Pillow.fromarray(noise.rgb())
    inputs = ours._processor(images=picture, text=texts, return_tensors="pt", **padding)
    with torch.inference_mode():
        logits = ours._model(**inputs).logits_per_image[0]
    expected = (logits.sigmoid() if name == "siglip" else logits.softmax(0)).numpy()
    assert ours.scores(noise, words) == pytest.approx(expected, abs=1e-5)
    tags = ours(noise, words=words, most=2)
    assert tags.names == tuple(words[index] for index in np.argsort(-expected)[:2])
    assert list(tags.scores) == sorted(tags.scores, reverse=True)


def test_sentences_are_read_once_for_all_pictures(model, noise):
    ours = model("clip")
    before = ours.read
    for picture in (noise, Image(noise.pixels[::-1]), noise):
        ours(picture, words=["bird", "Bird ", "tree"])
    assert ours.read - before == 2
    assert len(ours(noise)) == 5
    assert ours.read - before == 2 + len(COMMON_THINGS)


@pytest.mark.parametrize("name", ["siglip", "clip"])
def test_tags_are_the_same_for_calls_that_are_done_together(name, model, noise):
    ours = model(name)
    calls = [
        {"image": noise, "words": ["cat", "red car"]},
        {"image": Image(noise.pixels[:30]), "most": 2},
        {"image": noise, "words": ["cat", "dog", "bird"], "most": 1},
    ]
    assert len({ours.group(call) for call in calls}) == 1
    for call, tags in zip(calls, ours.together(calls), strict=True):
        alone = ours(**call)
        assert tags.names == alone.names
        assert tags.scores == pytest.approx(alone.scores, abs=2e-4)
    with pytest.raises(SkillError, match="wanted at least 8 each way"):
        ours.together([*calls, {"image": Image(noise.pixels[:1])}])


def test_depth_lies_where_transformers_own_reading_puts_it(model, noise):
    import torch

    ours = model("depth-anything")
    inputs = ours._processor(images=Pillow.fromarray(noise.rgb()), return_tensors="pt")
    with torch.inference_mode():
        output = ours._model(**inputs)
    (made,) = ours._processor.post_process_depth_estimation(output, target_sizes=[(60, 90)])
    depth = made["predicted_depth"].numpy()
    near = (depth - depth.min()) / (depth.max() - depth.min())
    picture = ours(noise)
    assert picture.pixels.shape == (60, 90, 3)
    assert np.abs(picture.pixels[..., 0] / 255 - near).max() < 0.003


@pytest.mark.parametrize("experts", [1, 6])
def test_joints_lie_where_transformers_own_reading_puts_them(experts, tmp_path, noise):
    import torch

    ours = named("vitpose").load(TINY.vitpose(tmp_path / "pose", experts=experts), "cpu")
    people = Boxes(((0.0, 0.0, 0.5, 1.0), (0.4, 0.2, 1.0, 0.9)))
    boxes = [[[0.0, 0.0, 45.0, 60.0], [36.0, 12.0, 54.0, 42.0]]]
    inputs = ours._processor(Pillow.fromarray(noise.rgb()), boxes=boxes, return_tensors="pt")
    more = {"dataset_index": torch.tensor([0, 0])} if experts > 1 else {}
    with torch.inference_mode():
        output = ours._model(pixel_values=inputs["pixel_values"].float(), **more)
    (found,) = ours._processor.post_process_pose_estimation(output, boxes=boxes)
    places = ours.places(noise, people)
    for person, one in zip(places, found, strict=True):
        expected = np.clip(one["keypoints"].numpy() / [90, 60], 0, 1)
        assert person[:, :2] == pytest.approx(expected, abs=1e-4)
        assert person[:, 2] == pytest.approx(one["scores"].numpy().ravel().clip(0, 1), abs=1e-4)
    assert ours(noise, region=people).pixels.shape == noise.pixels.shape


def test_trocr_reads_the_lines_that_the_builtin_one_finds(model):
    import cv2

    page = np.full((120, 480, 3), 255, np.uint8)
    cv2.putText(page, "OPEN ALL DAY", (20, 75), cv2.FONT_HERSHEY_DUPLEX, 1.8, (0, 0, 0), 3)
    lines = default_registry()["ocr"].function(Image(page))
    assert lines.texts == ("OPEN ALL DAY",)
    ours = model("trocr")
    read = ours(Image(page))
    (line,) = straightened(Image(page), lines)
    pixels = ours._processor(images=[line], return_tensors="pt").pixel_values
    tokens = ours._model.generate(pixels, max_new_tokens=64, do_sample=False)
    told = ours._processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)[0]
    assert read.texts == (" ".join(told.split()),)
    assert read.polygons == lines.polygons


# -- golden: what is made of outputs -------------------------------------------------------------


def test_lines_of_florence2_are_read_with_their_corners():
    corners = "".join(f"<loc_{n}>" for n in (0, 100, 499, 100, 499, 199, 0, 199))
    written = f"A < B > C{corners}half a line<loc_1><loc_2>{corners}{corners}the end"
    (line,) = florence2.lines_of(written)
    assert line[0] == "A < B > C"
    expected = np.array([[0.5, 100.5], [499.5, 100.5], [499.5, 199.5], [0.5, 199.5]]) / 1000
    assert line[1] == pytest.approx(expected)
    assert florence2.lines_of("") == florence2.lines_of("no places") == []
    assert florence2.lines_of("too far" + "<loc_1000>" * 8) == []


@pytest.mark.parametrize(("kind", "nearer"), [("relative", "2 right"), ("metric", "1 left")])
def test_the_nearer_part_has_the_larger_number_whatever_the_model_puts_out(kind, nearer):
    import torch

    class Ramp:
        """Puts out 0 on the left to 10 on the right."""

        device = "cpu"
        config = SimpleNamespace(depth_estimation_type=kind)

        def __call__(self, **inputs):
            return torch.linspace(0, 10, 100).repeat(50, 1)

    reader = SimpleNamespace(
        post_process_depth_estimation=lambda made, target_sizes: [{"predicted_depth": made}]
    )
    ours = DepthAnything(Ramp(), Processor(reader))
    sides = Boxes(((0.0, 0.0, 0.2, 1.0), (0.8, 0.0, 1.0, 1.0)), labels=("left", "right"))
    table = ours(Image(np.zeros((50, 100, 3), np.uint8)), region=sides)
    assert isinstance(table, Table)
    assert max(table.rows, key=lambda row: row[1])[0] == nearer
    assert sorted(row[1] for row in table.rows) == pytest.approx([0.1, 0.9], abs=0.01)


class Processor:
    """Gives a model nothing, and reads its outputs as another one does."""

    def __init__(self, reader):
        self.post_process_depth_estimation = reader.post_process_depth_estimation

    def __call__(self, **inputs):
        return self

    def to(self, device):
        return {}


def test_limbs_are_drawn_between_joints_that_are_seen():
    places = np.zeros((1, len(JOINTS), 3), np.float32)
    places[0, JOINTS.index("left shoulder")] = (0.5, 0.2, 0.9)
    places[0, JOINTS.index("left elbow")] = (0.5, 0.8, 0.9)
    places[0, JOINTS.index("right elbow")] = (0.1, 0.8, 0.2)
    pixels = drawing(Image(np.zeros((100, 100, 3), np.uint8)), places)
    assert tuple(pixels[50, 50]) == (255, 165, 0)
    assert not pixels[:, :20].any()


def test_a_tilted_line_is_set_upright():
    page = np.zeros((100, 100, 3), np.uint8)
    page[20:80, 40:50] = 255
    turned = ((0.5, 0.2), (0.5, 0.8), (0.4, 0.8), (0.4, 0.2))  # its beginning is at the top
    lines = TextLines(("x",), (turned,))
    (line,) = straightened(Image(page), lines)
    assert line.shape[:2] == (10, 60)
    assert line[1:-1, 1:-1].min() > 200


@pytest.mark.parametrize(
    ("sentence", "names"),
    [
        ("two dogs sitting on a red bench.", ("dogs", "red bench")),
        ("A man is riding a wave on top of a surfboard", ("man", "wave", "surfboard")),
        ("a building with a clock, and another building", ("building", "clock")),
        ("a very close up of it", ()),
        ("", ()),
    ],
)
def test_a_caption_gives_the_things_that_it_names(sentence, names):
    assert noun_phrases(sentence) == names


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (7, 100)])
@pytest.mark.parametrize(("name", "skill"), [pair for pair in PAIRS if pair[0] != "trocr"])
def test_a_picture_in_which_nothing_can_be_seen_is_refused(name, skill, size, model):
    (method,) = (b.method for b in BACKENDS if (b.name, b.skill) == (name, skill))
    picture = Image(np.full((*size, 3), 7, np.uint8))
    with pytest.raises(SkillError, match=f"{skill}: the picture is {size[1]}x{size[0]} pixels"):
        getattr(model(name), method)(picture, **ARGS.get(skill, {}))


@pytest.mark.parametrize("name", ["blip2", "image-text"])
@pytest.mark.parametrize("question", ["", "  ", "?!", "<image>"])
def test_a_question_that_asks_nothing_is_refused(name, question, model, noise):
    with pytest.raises(SkillError, match="ask: question must ask something, got"):
        model(name).ask(noise, question)


@pytest.mark.parametrize("name", ["blip2", "image-text"])
def test_a_models_own_signs_in_a_question_are_left_out(name, model, noise):
    ours = model(name)
    assert ours.ask(noise, "What </s> is<image> it?") == ours.ask(noise, "What is it?")
    assert ours.caption(noise, prompt="<image>") == ours.caption(noise)


def test_a_caption_that_is_empty_is_a_sentence(checkpoint, noise):
    ours = named("blip2").load(checkpoint("blip2"), "cpu")
    end = ours._model.config.text_config.eos_token_id
    vocabulary = ours._model.config.text_config.vocab_size
    all_else = [token for token in range(vocabulary) if token != end]
    ours._model.language_model.generation_config.suppress_tokens = all_else
    with pytest.raises(SkillError, match="caption: blip2 said nothing of this picture"):
        ours.caption(noise)


def test_words_that_name_nothing_are_too_long_or_the_same_are_noticed(model, noise):
    assert wanted_words(["Red  Car", "red car", "dog"]) == ["red car", "dog"]
    with pytest.raises(SkillError, match=r"tag: words has ' \.', which names nothing"):
        model("siglip")(noise, words=["dog", " ."])
    with pytest.raises(SkillError, match="longer than the 77 tokens that can be read"):
        model("clip")(noise, words=["dog " * 40])


def test_people_that_are_too_many_or_none_are_refused(model, noise):
    box = (0.1, 0.1, 0.5, 0.5)
    with pytest.raises(SkillError, match="has 51 parts; wanted at most 50"):
        model("vitpose")(noise, region=Boxes((box,) * 51))
    with pytest.raises(SkillError, match="no person was found"):
        model("vitpose")(noise, region=Boxes((), query="person"))
    masks = Masks.from_array(np.ones((1, 60, 90), bool))
    table = model("vitpose")(noise, region=masks, drawn=False)
    assert table.columns == ("person", "joint", "x", "y", "sure")
    assert all(0 <= x <= 1 and 0 <= y <= 1 and sure >= 0.3 for *_, x, y, sure in table.rows)


# -- checkpoints that are wrong ------------------------------------------------------------------


def test_the_weights_of_another_model_are_told_apart(checkpoint):
    status = status_of(named("blip2"), str(checkpoint("clip")))
    assert "holds a model of type 'clip', wanted 'blip-2'" in status.sentence
    status = status_of(named("siglip"), str(checkpoint("clip")))
    assert "wanted 'siglip' or 'siglip2'" in status.sentence
    with pytest.raises(SetupError, match=r"type 'clip', which cannot do this\. Name other"):
        named("image-text").load(checkpoint("clip"), "cpu")


def test_a_model_that_does_not_chat_is_refused(tmp_path):
    folder = TINY.image_text(tmp_path / "mute", template=None)
    with pytest.raises(SetupError, match="has no chat template"):
        named("image-text").load(folder, "cpu")


def test_joints_of_other_kinds_are_refused(tmp_path):
    folder = TINY.vitpose(tmp_path / "hand", joints=21)
    with pytest.raises(SetupError, match="knows 21 joints; wanted the 17 of COCO"):
        named("vitpose").load(folder, "cpu")


@pytest.mark.parametrize("name", ["blip2", "florence-2", "image-text", "siglip", "trocr"])
def test_a_tokenizer_that_is_missing_is_named(name, checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint(name), tmp_path / "weights")
    for file in ("tokenizer.json", "vocab.json"):
        (folder / file).unlink()
    status = status_of(named(name), str(folder))
    assert status.state == "needs weights"
    assert "tokenizer.json in" in status.why


def test_a_tokenizer_of_another_model_is_a_sentence(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint("florence-2"), tmp_path / "weights")
    for file in ("tokenizer.json", "tokenizer_config.json", "vocab.json"):
        shutil.copy(checkpoint("blip2") / file, folder / file)
    with pytest.raises(SetupError, match=r"cannot be loaded: .* Pull or copy them again"):
        named("florence-2").load(folder, "cpu")


def test_ocr_stays_with_the_builtin_one_unless_a_person_chooses(checkpoint, own_choice):
    home = own_choice / "models--florence-community--Florence-2-base"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("c0ffee")
    shutil.copytree(checkpoint("florence-2"), home / "snapshots" / "c0ffee")
    skills = with_backends(default_registry())
    assert skills["caption"].backend == "florence-2"
    assert skills["ocr"].backend == "builtin"
    assert with_backends(default_registry(), ["ocr=florence-2"])["ocr"].backend == "florence-2"
