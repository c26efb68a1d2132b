"""YOLO: what is made of its outputs, and its files, pickles that are read and not run."""

import subprocess
import sys

import numpy as np
import pytest

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import Image, default_registry, followed
from llava_plus.skills.backends import BACKENDS, named, skill_backends, status_of, with_backends
from llava_plus.skills.backends.yolo import framed, read_rows

DESIGN = {  # a detector of two names that looks at two scales
    "nc": 2,
    "backbone": [[-1, 1, "Conv", [8, 3, 2]], [-1, 1, "Conv", [16, 3, 2]],
                 [-1, 1, "C2f", [16, True]], [-1, 1, "Conv", [16, 3, 2]], [-1, 1, "SPPF", [16, 5]]],
    "head": [[-1, 1, "nn.Upsample", [None, 2, "nearest"]], [[-1, 2], 1, "Concat", [1]]],
}  # fmt: skip


@pytest.fixture(scope="module")
def yolo(tmp_path_factory):
    """Save a tiny detector as ultralytics does; return its file, or one of another design."""
    folder = tmp_path_factory.mktemp("yolo")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("YOLO_OFFLINE", "YOLO_AUTOINSTALL", "YOLO_CONFIG_DIR"):
            patch.setenv(name, {"YOLO_AUTOINSTALL": "false"}.get(name, str(folder)))

        def make(kind="detect", head="Detect"):
            import torch
            import yaml
            from ultralytics import YOLO

            description = folder / f"{kind}.yaml"
            sizes = [8, 16] if head == "Segment" else []
            last = [[6, 4], 1, head, ["nc", *sizes]]
            description.write_text(yaml.safe_dump({**DESIGN, "head": [*DESIGN["head"], last]}))
            torch.manual_seed(0)
            model = YOLO(str(description), task=kind)
            model.model.names = {0: "cat", 1: "traffic light"}
            for part in model.model.modules():
                if isinstance(part, torch.nn.BatchNorm2d):
                    torch.nn.init.constant_(part.weight, 3)  # else all looks the same to it
            for name in ("cv3", "one2one_cv3"):
                for scores in getattr(model.model.model[-1], name, ()):
                    torch.nn.init.normal_(scores[-1].weight)
                    torch.nn.init.normal_(scores[-1].bias)
            file = folder / f"{kind}.pt"
            model.save(file)
            saved = torch.load(file, weights_only=False)  # as training leaves it
            torch.save({**saved, "train_args": {"imgsz": 64}}, file)
            return file

        yield make


@pytest.fixture(scope="module")
def noise():
    return Image(np.random.default_rng(0).integers(0, 255, (120, 190, 3), np.uint8))


def test_a_picture_is_fitted_into_a_square_with_grey_up_to_whole_steps():
    picture = np.full((100, 200, 3), 7, np.uint8)
    pixels, place = framed(picture, 64, 32)
    assert (pixels.shape, place) == ((32, 64, 3), (0, 0, 64, 32))
    pixels, place = framed(picture[:, :90], 64, 32)
    assert (pixels.shape, place) == ((64, 64, 3), (3, 0, 58, 64))
    assert (pixels[0, :, 0] == [114] * 3 + [7] * 58 + [114] * 3).all()


def test_outputs_of_both_kinds_become_boxes_scores_and_numbers():
    many = np.array(
        [  # three boxes, of which the third lies on the second; and two names
            [10, 20, 20], [10, 20, 21], [4, 6, 6], [2, 8, 8],
            [0.1, 0.9, 0.5], [0.7, 0.2, 0.1],
        ],
        np.float32,
    )  # fmt: skip
    boxes, scores, which = read_rows(many, [0, 1], 0.3, alone=False)
    assert boxes.tolist() == [[20, 20, 6, 8], [10, 10, 4, 2]]
    assert (scores.tolist(), which.tolist()) == (pytest.approx([0.9, 0.7]), [0, 1])
    assert read_rows(many, [1], 0.3, alone=False)[0].tolist() == [[10, 10, 4, 2]]
    assert [len(part) for part in read_rows(many, [0, 1], 0.95, alone=False)] == [0, 0, 0]
    single = np.array([[8, 9, 12, 11, 0.7, 1], [8, 9, 12, 11, 0.6, 1]], np.float32)
    boxes, scores, which = read_rows(single, [0, 1], 0.6, alone=True)
    assert boxes.tolist() == [[10, 10, 4, 2]] * 2
    assert (scores.tolist(), which.tolist()) == (pytest.approx([0.7, 0.6]), [1, 1])


def test_it_is_used_only_where_it_is_named():
    copyleft = [each for each in BACKENDS if each.licence == "AGPL-3.0"]
    assert [(each.name, each.chosen_only) for each in copyleft] == [("yolo", True)]


@pytest.mark.extra("yolo")
@pytest.mark.parametrize("head", ["Detect", "v10Detect"])
def test_it_finds_what_ultralytics_own_reading_finds(head, yolo, noise):
    from ultralytics import YOLO

    file = yolo(head=head)
    (theirs,) = YOLO(str(file)).predict(
        noise.rgb()[..., ::-1], conf=0.05, max_det=300, imgsz=64, verbose=False
    )
    rows = theirs.boxes.data.numpy()
    mine = named("yolo").load(file, "cpu")
    found = mine(noise, "Cats . traffic light", threshold=0.05)
    assert len(found) == min(len(rows), 100) > 3
    assert set(found.labels) <= {"Cats", "traffic light"}
    names = {0: "Cats", 1: "traffic light"}
    for box, label, score in zip(found.xyxy, found.labels, found.scores, strict=True):
        far = np.abs(np.clip(rows[:, :4] / [190, 120, 190, 120], 0, 1) - box).max(axis=1)
        same = [names[int(row[5])] == label for row in rows] & (abs(rows[:, 4] - score) < 2e-3)
        assert far[same].min(initial=1) < 2e-3
    again = followed([found, mine(noise, "Cats . traffic light", threshold=0.05)])
    assert again[0].labels == again[1].labels  # numbers that stay with a thing
    assert len(set(again[0].labels)) == len(found)
    only = mine(noise, "traffic lights", threshold=0.05)
    assert only.labels == ("traffic lights",) * found.labels.count("traffic light")
    assert len(mine(noise, "cat", threshold=1.0)) == 0


@pytest.mark.extra("yolo")
def test_what_it_does_not_know_is_refused_with_the_names_that_it_knows(yolo, noise):
    with pytest.raises(SkillError, match="knows 2 names, and 'red car' is none of them: cat, tr"):
        named("yolo").load(yolo(), "cpu")(noise, "cat . red car")


@pytest.mark.extra("yolo")
def test_a_file_does_the_skill_where_it_is_named(yolo, own_choice):
    file = yolo()
    code = (
        "import sys; from llava_plus.skills.backends import named, status_of\n"
        "print(status_of(named('yolo'), sys.argv[1]).state, 'ultralytics' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True)
    assert told.stdout == "available False\n"
    skills = with_backends(default_registry(), [f"detect=yolo:{file}"])
    assert any(line == "yolo: used" for line in skill_backends(skills["detect"]))
    assert skills["detect"].note.endswith("by their names, too.")


@pytest.mark.extra("yolo")
def test_a_model_that_does_not_detect_is_told_apart(yolo):
    status = status_of(named("yolo"), str(yolo("segment", "Segment")))
    assert "holds a SegmentationModel of ultralytics, and yolo takes a Detect" in status.sentence


@pytest.mark.extra("yolo")
@pytest.mark.parametrize("what", ["class", "layer", "model", "activation", "cut", "other"])
def test_a_file_that_would_run_something_or_is_damaged_is_a_sentence(what, yolo, tmp_path):
    import torch

    good, file = yolo(), tmp_path / "bad.pt"
    content = torch.load(good, weights_only=False)
    if what == "class":
        content["more"] = subprocess.Popen
    elif what == "layer":
        content["model"].yaml["backbone"][0][2] = "torch_safe_load"  # a function there
    elif what == "model":  # in it, ultralytics would run another activation
        content["model"].yaml["backbone"][0][2:] = "DetectionModel", [{"activation": "exit()"}]
    elif what == "activation":
        content["model"].yaml["activation"] = "__import__('os').system('true')"
    elif what == "other":
        content = {"model": {"w": torch.zeros(1)}}
    torch.save(content, file)
    if what == "cut":
        file.write_bytes(good.read_bytes()[:-3000])
    with pytest.raises(SetupError) as caught:
        named("yolo").load(file, "cpu")
    wanted = {
        "class": ".Popen'. It was not read",
        "layer": "would run 'torch_safe_load'",
        "model": "would run 'DetectionModel'",
        "activation": "would run \"__import__('os').system('true')\"",
        "cut": "is damaged, cut off or no file",
        "other": "holds no model of ultralytics",
    }
    assert wanted[what] in str(caught.value)
    if what not in ("layer", "model", "activation"):  # to see these takes ultralytics itself
        assert str(caught.value)[:60] in status_of(named("yolo"), str(file)).sentence
