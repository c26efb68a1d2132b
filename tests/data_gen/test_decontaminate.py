"""What an evaluation asks, and its pictures, are found under small changes."""

import json

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw

from llava_plus.agent import Trace, Turn
from llava_plus.data_gen.decontaminate import Evaluation, Uncontaminated, difference_hash
from llava_plus.errors import SetupError
from llava_plus.skills import Artifacts, Image


def drawn(seed):
    """A picture of a few shapes, as Pillow has it."""
    rng = np.random.default_rng(seed)
    canvas = Pillow.new("RGB", (160, 120), tuple(rng.integers(0, 255, 3).tolist()))
    for _ in range(6):
        x, y = rng.integers(0, 120, 2).tolist()
        color = tuple(rng.integers(0, 255, 3).tolist())
        ImageDraw.Draw(canvas).ellipse((x, y, x + 60, y + 40), fill=color)
    return canvas


def asking(message, picture=None):
    artifacts = Artifacts()
    images = () if picture is None else (artifacts.add(Image.from_pil(picture)),)
    turn = Turn(message=message, images=images)
    return Trace(id="x", planner="p", turns=(turn,), artifacts=artifacts)


@pytest.fixture
def verifier(tmp_path):
    rows = [
        {"id": 1, "request": "Find the red fire extinguisher beside the door, please"},
        {"turns": [{"message": "crop it"}]},
        {"question": "把照片里的人脸全部模糊掉"},
    ]
    (tmp_path / "eval.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    drawn(0).save(tmp_path / "one.png")
    return Uncontaminated(Evaluation.read([tmp_path]))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("find the red fire extinguisher beside the DOOR please!", "asks the same"),
        ("hey, find the red fire extinguisher beside the door", "5-grams"),
        ("Crop it.", "asks the same"),
        ("crop it to the left half", ""),
        ("find the green bucket beside the stairs, please", ""),
        ("请把照片里的人脸全部模糊掉", "5-grams"),
        ("把照片旋转九十度", ""),
    ],
)
def test_requests_near_the_evaluations_are_found(verifier, message, said):
    reason = verifier.check(asking(message)).reason
    assert said in reason
    assert bool(said) == bool(reason)


def jpeg(picture, tmp_path):
    picture.save(tmp_path / "x.jpg", quality=30)
    return Pillow.open(tmp_path / "x.jpg").convert("RGB")


def test_pictures_near_the_evaluations_are_found(verifier, tmp_path):
    one = drawn(0)
    assert "has this picture" in verifier.check(asking("a", one)).reason
    for changed in (
        one.resize((80, 60)),
        jpeg(one, tmp_path),
        one.point(lambda level: min(255, level + 20)),
    ):
        assert "a picture like it" in verifier.check(asking("a", changed)).reason
    for number in range(1, 60):
        assert verifier.check(asking("a", drawn(number))).ok
    assert verifier.check(asking("a", one.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT))).ok


def test_pictures_without_any_shape_are_only_compared_by_content(tmp_path):
    grey = Pillow.new("RGB", (20, 20), (90, 90, 90))
    grey.save(tmp_path / "grey.png")
    verifier = Uncontaminated(Evaluation.read([tmp_path / "grey.png"]))
    assert difference_hash(Image.from_pil(grey)) is None
    assert not verifier.check(asking("a", grey)).ok
    assert verifier.check(asking("a", Pillow.new("RGB", (20, 20), (91, 91, 91)))).ok


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.jsonl", "{", "is not JSON"),
        ("x.jsonl", '{"id": 3}', "there is no request in \"{'id': 3}\". Wanted one under request"),
        ("x.txt", "\n\n", "neither a request nor a picture"),
        ("x.md", "hello", "neither a request nor a picture"),
    ],
)
def test_an_evaluation_that_holds_nothing_is_told(name, text, said, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(SetupError) as error:
        Evaluation.read([tmp_path])
    assert said in str(error.value)
    with pytest.raises(SetupError, match="There is no"):
        Evaluation.read([tmp_path / "gone"])


def test_lists_of_requests_and_plain_lines_are_read(tmp_path):
    (tmp_path / "x.json").write_text('["turn it", {"text": "crop it"}]')
    (tmp_path / "x.txt").write_text("blur it\nsharpen it\n")
    assert len(Evaluation.read([tmp_path]).texts) == 4
