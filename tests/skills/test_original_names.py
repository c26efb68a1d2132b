"""LLaVA-Plus's API names in front of small skills of ours."""

import asyncio
import re
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from llava_plus.agent.dialects.plus import output
from llava_plus.errors import SkillError
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Call,
    Image,
    Masks,
    Points,
    Region,
    Runtime,
    SkillRegistry,
    Tags,
    Text,
    TextLines,
    default_registry,
    model_registry,
    region_mask,
    skill,
    with_original_names,
)
from llava_plus.skills.apis import APIS
from llava_plus.skills.spec import Routed
from llava_plus.skills.workers import default_pool

FACES = Boxes(((0.1, 0.1, 0.3, 0.4), (0.6, 0.2, 0.8, 0.5)), scores=(0.9, 0.25))
# As the original's web server and workers know them.
NAMES = {
    *("grounding_dino", "sam", "grounding_dino+sam", "grounded_sam", "ram", "ram+grounding_dino"),
    *("blip2", "blip2+grounding_dino", "ocr", "easyocr", "retrieval", "clip", "openseed"),
    *("controlnet", "stable-diffusion", "sd", "instruct-pix2pix", "ip2p", "inpainting", "seem"),
    *("semantic_sam", "semantic-sam"),
}


@skill
def detect(image: Image, label: str) -> Boxes:
    """Find faces and codes."""
    if label == "code":
        return Boxes(((0.0, 0.0, 0.1, 0.1),), labels=("code",))
    if label != "the face":
        raise SkillError(f"detect: cannot find {label!r} here.")
    return FACES


@skill
def segment(image: Image, prompt: Boxes | Points) -> Masks:
    """Outline boxes, and the pixels of points."""
    shape = (image.height, image.width)
    if isinstance(prompt, Boxes):
        boxes = [Boxes((box,)) for box in prompt.xyxy]
        masks = np.stack([region_mask(box, image.width, image.height) for box in boxes])
        return Masks.from_array(masks, labels=prompt.labels, scores=prompt.scores)
    mask = np.zeros(shape, bool)
    for (x, y), on in zip(prompt.xy, prompt.positive, strict=True):
        mask[int(y * shape[0]), int(x * shape[1])] = on
    return Masks.from_array(mask[None])


@skill
def erase(image: Image, region: Region) -> Image:
    """Blacken a region."""
    mask = region_mask(region, image.width, image.height)
    return Image.from_array(np.where(mask[..., None], 0, image.pixels).astype(np.uint8))


@skill
def ocr(image: Image) -> TextLines:
    """Read."""
    return TextLines(("OPEN",), (((0.0, 0.0), (0.5, 0.0), (0.5, 0.1), (0.0, 0.1)),))


OURS = SkillRegistry([detect, segment, erase, ocr])


def ask(name, params, skills=OURS, *more):
    """Call an API as a model would, with the picture filled in; return what was seen and made."""
    artifacts = Artifacts()
    artifacts.add(Image(np.full((20, 20, 3), 200, np.uint8)))
    for value in more:
        artifacts.add(value)
    call = Call(id="c", skill=name, args={"image": "img_1", **params})
    seen = asyncio.run(Runtime(with_original_names(skills), artifacts).run(call))
    return seen, artifacts[seen.handle].value if seen.handle else None


def test_every_name_of_the_original_is_known():
    assert {name for api in APIS for name in api.names} == NAMES
    known = with_original_names(default_registry())
    assert all(name in known for name in NAMES)


def test_the_documentation_names_each_with_what_answers_it():
    page = Path(__file__).parents[2] / "docs" / "compatibility.md"
    table = page.read_text().partition("## Traces")[0].splitlines()
    rows = [line.split("|") for line in table if line.startswith("| `")]
    told = {name: row[3] for row in rows for name in re.findall("`([^`]+)`", row[1])}
    for api in APIS:
        for name in api.names:
            answering = re.findall("`([a-z_]+)`", told[name])
            assert answering == [*api.skills, *api.more], name


def test_each_of_gtas_tools_stands_in_the_documentation_with_skills_that_there_are():
    page = Path(__file__).parents[2] / "docs" / "compatibility.md"
    table = page.read_text().partition("## GTA's tools")[2].splitlines()
    rows = [[cell.strip() for cell in line.split("|")] for line in table if line[:2] == "| "]
    assert {row[1] for row in rows[1:]} == {
        *("OCR", "ImageDescription", "RegionAttributeDescription", "TextToBbox", "DrawBox"),
        *("CountGivenObject", "MathOCR", "AddText", "GoogleSearch", "Calculator", "Plot", "Solver"),
        *("TextToImage", "ImageStylization"),
    }
    told = {name for row in rows[1:] for name in re.findall("`([a-z_]+)`", row[2])}
    named = {spec.name for spec in [*default_registry(), *model_registry()]}
    assert told <= named


def test_our_own_skills_stay_as_they_are():
    ours = default_registry()
    known = with_original_names(ours)
    assert [known[spec.name] for spec in ours] == list(ours)


def test_each_phrase_of_a_caption_is_looked_for_and_labels_what_was_found():
    seen, boxes = ask("grounding_dino", {"caption": "the face . code . the face ."})
    assert boxes.labels == ("the face", "code")
    assert boxes.xyxy == (FACES.xyxy[0], (0.0, 0.0, 0.1, 0.1))
    assert boxes.scores == (0.9, 1.0)
    assert seen.backend == "detect"


@pytest.mark.parametrize(("threshold", "found"), [(0, 2), (0.25, 2), (0.3, 1), (1, 0)])
def test_the_box_threshold_is_honoured(threshold, found):
    params = {"caption": "the face", "box_threshold": threshold, "text_threshold": 0.25}
    assert len(ask("grounding_dino", params)[1]) == found


@pytest.mark.parametrize("name", ["grounding_dino+sam", "grounded_sam"])
def test_two_skills_answer_one_name(name):
    seen, masks = ask(name, {"caption": "the face", "box_threshold": 0.2})
    assert masks.labels == ("the face", "the face")
    assert masks.to_array().sum((1, 2)).tolist() == [24, 24]
    assert seen.backend == "detect+segment"
    assert len(ask(name, {"caption": "the face", "box_threshold": 1})[1]) == 0


def test_boxes_and_groups_of_points_are_outlined_one_by_one():
    boxes = [[0.0, 0.0, 0.5, 0.5], [0, 0, 1, 1]]
    assert ask("sam", {"boxes": boxes})[1].to_array().sum((1, 2)).tolist() == [100, 400]
    points = [[[0.1, 0.1], [0.5, 0.5]], [[0.9, 0.9]]]
    masks = ask("sam", {"points": points, "point_labels": [[1, 0], [1]]})[1].to_array()
    assert np.argwhere(masks).tolist() == [[0, 2, 2], [1, 18, 18]]
    assert ask("sam", {"points": points})[1].to_array().sum() == 3
    assert len(ask("sam", {"boxes": []})[1]) == 0


def test_inpainting_fills_the_first_outline_from_its_surroundings():
    masks = segment(Image(np.zeros((20, 20, 3), np.uint8)), FACES)
    _, edited = ask("inpainting", {"prompt": "", "mask": "masks_1"}, OURS, masks)
    assert (edited.pixels[..., 0] == 0).sum() == 24


@skill
def generate(prompt: str, *, seed: int = 0) -> Image:
    """Draw as many grey pixels as there are letters."""
    return Image(np.full((1, len(prompt), 3), 99, np.uint8))


@skill
def edit(image: Image, instruction: str, *, seed: int = 0) -> Image:
    """Cut off all but as many columns as there are letters."""
    return Image(image.pixels[:, : len(instruction)])


@skill
def inpaint(image: Image, region: Region, prompt: str, *, seed: int = 0) -> Image:
    """Make all black."""
    return Image(np.zeros_like(image.pixels))


@skill
def redraw(layout: Masks, prompt: str, *, seed: int = 0) -> Image:
    """Draw the first part in white."""
    return Image(np.repeat(layout.to_array()[0][..., None], 3, 2).astype(np.uint8) * 255)


MAKES = SkillRegistry([*OURS, *SkillRegistry([generate, edit, inpaint, redraw])])


def test_what_makes_pictures_answers_with_prompts_as_the_originals_models_write_them():
    for name in ("stable-diffusion", "sd"):
        for prompt in ("a boat", {"caption": "a boat "}):
            assert ask(name, {"prompt": prompt}, MAKES)[1].width == 6
    assert ask("ip2p", {"prompt": "add snow"}, MAKES)[1].width == 8
    masks = segment(Image(np.zeros((20, 20, 3), np.uint8)), FACES)
    drawn = ask("controlnet", {"prompt": {"caption": "sea"}, "mask": "masks_1"}, MAKES, masks)[1]
    assert np.array_equal(drawn.pixels[..., 0] > 0, masks.to_array()[0])
    painted = ask("inpainting", {"prompt": "a cat", "mask": "masks_1"}, MAKES, masks)[1]
    assert not painted.pixels.any()
    filled = ask("inpainting", {"prompt": " ", "mask": "masks_1"}, MAKES, masks)[1]
    assert (filled.pixels[..., 0] == 0).sum() == 24  # as without the model
    seen, _ = ask("sd", {"prompt": {"text": "x"}}, MAKES)
    assert "stable-diffusion: prompt wants words" in seen.text


@skill
def caption(image: Image, *, prompt: str = "") -> Text:
    """Say what is there."""
    return Text("the face of a woman beside a code")


@skill
def tag(image: Image, *, words: list[str] | None = None, most: int = 5) -> Tags:
    """Name what is there."""
    return Tags(("code", "the face")[:most])


@skill(name="detect")
def wide(image: Image, label: str) -> Boxes:
    """Find whatever is asked for, a woman less surely."""
    return Boxes(((0.0, 0.0, 0.5, 0.5),), scores=(0.2 if label == "woman" else 0.9,))


SAYING = SkillRegistry([caption, tag, wide])


def test_captions_and_tags_answer_their_names():
    assert ask("blip2", {}, SAYING)[1] == Text("the face of a woman beside a code")
    seen, tags = ask("ram", {}, SAYING)
    assert tags == Tags(("code", "the face"))
    assert seen.backend == "tag"


def test_what_a_caption_or_tags_name_is_found_and_told_beside_the_boxes():
    _, boxes = ask("blip2+grounding_dino", {}, SAYING)
    assert boxes.labels == ("face", "code")
    found = output("blip2+grounding_dino", boxes)
    assert list(found) == ["boxes", "logits", "phrases", "caption"]
    assert found["caption"] == "the face of a woman beside a code"
    _, boxes = ask("blip2+grounding_dino", {"box_threshold": 0.1}, SAYING)
    assert boxes.labels == ("face", "woman", "code")
    seen, boxes = ask("ram+grounding_dino", {}, SAYING)
    assert boxes.labels == ("code", "the face")
    assert output("ram+grounding_dino", boxes)["tags"] == "code, the face"
    assert seen.backend == "tag+detect"


def test_a_caption_that_names_nothing_finds_nothing():
    other = replace(SAYING["caption"], function=lambda image: Text("It is very close."))
    _, boxes = ask("blip2+grounding_dino", {}, SkillRegistry([other, wide]))
    assert (len(boxes), boxes.query) == (0, "It is very close.")


def test_the_model_that_a_name_means_answers_it_and_another_one_is_named():
    class Two(Routed):
        def __init__(self, *options):
            self.options = options

        def choose(self, args):
            return self.options[0]

    for backend, answering in (("blip2", "blip2"), ("florence-2", "caption:florence-2")):
        one = replace(SAYING["caption"], backend=backend)
        routed = replace(one, function=Two(one))
        assert with_original_names(SkillRegistry([routed]))["blip2"].backend == answering


@pytest.mark.parametrize("name", ["ocr", "easyocr"])
def test_text_is_read_under_both_names(name):
    assert ask(name, {})[1].texts == ("OPEN",)


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("grounding_dino", {"caption": "dog . the face"}, "detect: cannot find 'dog' here."),
        ("grounding_dino", {"caption": " . "}, "caption names 0 things; wanted 1 to 16"),
        ("grounding_dino", {"caption": ".".join("abcdefghijklmnopq")}, "caption names 17 things"),
        ("grounding_dino", {"caption": 3}, "caption cannot be 3"),
        ("grounding_dino", {}, "caption is missing"),
        ("grounding_dino", {"caption": "code", "box_threshold": 2}, "box_threshold cannot be 2"),
        ("grounding_dino", {"caption": "code", "text_threshold": 0.5}, "Leave it out."),
        ("grounding_dino", {"caption": "code", "labels": []}, "no parameter 'labels'"),
        ("sam", {}, "give either boxes or points"),
        ("sam", {"boxes": [[0, 0, 1, 1]], "points": [[[0, 0]]]}, "give either boxes or points"),
        ("sam", {"boxes": [[30, 10, 60, 40]]}, "places are fractions of the picture, 0 to 1"),
        ("sam", {"boxes": [[0.6, 0, 0.1, 1]]}, "a box is [left, top, right, bottom]"),
        ("sam", {"boxes": [[0.6, 0]]}, "wanted 4 numbers, got 2"),
        ("sam", {"boxes": [0, 0, 1, 1]}, "boxes cannot be [0, 0, 1, 1]"),
        ("sam", {"points": [[[0.5, 0.5, 0.5]]]}, "wanted 2 numbers, got 3"),
        ("sam", {"points": [[]]}, "point_labels must have 1 or 0 for each point"),
        ("sam", {"points": [[[0.5, 0.5]]], "point_labels": [[1, 1]]}, "point_labels must have"),
        ("inpainting", {"prompt": ""}, "mask is missing, it wants Masks"),
        ("blip2", {}, "captions a picture, in LLaVA-Plus with BLIP-2; nothing that is installed"),
        ("ram+grounding_dino", {"box_threshold": 0.3}, "pull ram. siglip and clip can do it, too."),
        (
            "blip2+grounding_dino",
            {},
            "Run: llava-plus skills pull blip2. florence-2 and image-text",
        ),
        (
            "sd",
            {"prompt": "a bicycle"},
            "draws a picture after a prompt, in LLaVA-Plus with Stable",
        ),
        ("controlnet", {"prompt": {"caption": "sea"}}, "aliases=['controlnet']"),
        ("ip2p", {"prompt": "snow"}, "edit needs a model, and there is none here"),
        ("semantic-sam", {"point": [0.5, 0.32]}, "outlines of several sizes around a point"),
        ("clip", {}, "finds captions of similar pictures"),
    ],
)
def test_what_cannot_be_honoured_is_refused_with_a_sentence(name, params, said):
    seen, value = ask(name, params)
    assert value is None
    assert seen.error == "skill"
    assert said in seen.text


def test_a_prompt_for_inpainting_is_not_dropped_silently():
    masks = segment(Image(np.zeros((20, 20, 3), np.uint8)), FACES)
    seen, _ = ask("inpainting", {"prompt": "a cat", "mask": "masks_1"}, OURS, masks)
    assert not seen.ok
    assert "nothing that is installed paints 'a cat'" in seen.text
    seen, _ = ask("inpainting", {"mask": "masks_1"}, OURS, Masks(()))
    assert "there is no outline in mask" in seen.text


def test_a_skill_that_bears_an_apis_name_answers_it():
    @skill(aliases=("instruct-pix2pix",))
    def blip2(image: Image) -> Text:
        """Caption a picture."""
        return Text("a dog")

    skills = SkillRegistry([*OURS, *SkillRegistry([blip2])])
    assert ask("blip2", {}, skills)[1] == ask("instruct-pix2pix", {}, skills)[1] == Text("a dog")
    assert "nothing that is installed" in ask("ip2p", {"prompt": "x"}, skills)[0].text


def test_what_a_person_must_allow_needs_that_under_the_originals_name():
    careful = replace(OURS["erase"], approval=True)
    known = with_original_names(SkillRegistry([careful, OURS["segment"]]))
    assert known["inpainting"].approval
    assert not known["sam"].approval


def test_what_stands_in_for_a_skill_stands_in_under_the_originals_name():
    other = replace(OURS["ocr"], function=lambda image: TextLines((), ()))
    assert ask("easyocr", {}, SkillRegistry([other]))[1].texts == ()


def test_a_name_without_its_skill_says_so():
    seen, _ = ask("grounding_dino+sam", {"caption": "code"}, OURS.subset("detect"))
    assert "nothing that is installed does it" in seen.text
    assert seen.backend == "not installed"


@pytest.mark.slow
def test_the_workers_skill_behind_a_name_runs_in_a_worker():
    image = np.full((64, 64, 3), 220, np.uint8)
    image[20:44, 16:40] = (200, 30, 30)
    artifacts = Artifacts()
    artifacts.add(Image(image))
    runtime = Runtime(with_original_names(default_registry()), artifacts)
    call = Call(id="c", skill="sam", args={"image": "img_1", "points": [[[0.45, 0.5]]]})
    seen = asyncio.run(runtime.run(call))
    assert seen.ok, seen.text
    mask = artifacts[seen.handle].value.to_array()[0]
    assert mask[20:44, 16:40].mean() > 0.9
    assert mask.sum() < 24 * 24 * 1.2
    assert default_pool().pids()


SLOW = """
import os, time
from pathlib import Path
from llava_plus.skills import Boxes, Image, skill


@skill
def detect(image: Image, label: str) -> Boxes:
    '''Say in which process this is, and take long.'''
    part = Path(label + "_part")
    part.write_text(str(os.getpid()))
    part.rename(label)
    time.sleep(3600)
    return Boxes(())
"""


def test_the_worker_behind_a_name_is_killed_when_the_call_is_stopped(tmp_path, alive, eventually):
    (tmp_path / "slow.py").write_text(SLOW)
    skills = with_original_names(SkillRegistry.from_file(tmp_path / "slow.py"))
    said, cancel = tmp_path / "pid", threading.Event()
    artifacts = Artifacts()
    artifacts.add(Image(np.zeros((4, 4, 3), np.uint8)))
    call = Call(id="c", skill="grounding_dino", args={"image": "img_1", "caption": str(said)})

    async def ended():
        running = asyncio.create_task(Runtime(skills, artifacts).run(call, cancel))
        await asyncio.to_thread(eventually, said.exists, "the worker has begun")
        cancel.set()
        return await running

    seen = asyncio.run(ended())
    assert seen.error == "cancelled"
    eventually(lambda: not alive(int(said.read_text())), "the worker is killed")
