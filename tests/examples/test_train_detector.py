"""Training on drawn shapes: a few steps of each model here, the whole where it is asked for."""

import math
import os
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from llava_plus.skills import Boxes
from llava_plus.skills.origin import import_file

EXAMPLES = Path(__file__).parents[2] / "examples"
WHOLE = "LLAVA_PLUS_TRAIN"  # names the folder that a whole training writes into
YOLO = pytest.mark.extra("yolo")


@pytest.fixture(scope="module")
def drawn():
    """What the example is made of, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        from drawn import measure, owl, scenes, segmenter, steps, yolo

        named = (measure, owl, scenes, segmenter, steps, yolo)
        yield type("Drawn", (), {module.__name__.split(".")[1]: module for module in named})


@pytest.fixture(scope="module")
def script(drawn):
    return import_file(EXAMPLES / "train_detector.py")


def test_a_scene_is_the_same_each_time_and_its_boxes_lie_around_its_masks(drawn):
    one, again = (drawn.scenes.scene(3, seed=5) for _ in range(2))
    assert np.array_equal(one.image.pixels, again.image.pixels)
    assert one.names == again.names
    assert not np.array_equal(one.image.pixels, drawn.scenes.scene(3, seed=6).image.pixels)
    assert set(one.names) <= set(drawn.scenes.NAMES)
    assert not (one.masks.sum(0) > 1).any()
    for mask, box in zip(one.masks, one.boxes, strict=True):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        sides = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert np.allclose(np.array(box) * drawn.scenes.SIDE, sides)


@pytest.mark.parametrize("muon", [False, True])
def test_a_training_that_was_killed_ends_as_one_that_was_not(drawn, tmp_path, muon):
    import torch

    def trained(file, stop=math.inf):
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 1)

        def loss_of(rng):
            if next(steps) > stop:
                raise KeyboardInterrupt
            return model(torch.tensor([rng.random() for _ in range(3)])).square().sum()

        steps, told = count(1), []
        means = drawn.steps.train(
            model, file, loss_of, told.append, steps=130, rate=0.1, seed=4,
            matrices=[model.weight] if muon else [],
        )  # fmt: skip
        return model.weight.detach(), means, told

    whole, means, _ = trained(tmp_path / "whole.pt")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed.pt", stop=110)
    again, means_again, told = trained(tmp_path / "killed.pt")
    assert told[0] == "Going on after step 100 of 130."
    assert torch.equal(whole, again)
    assert means == means_again
    assert means[-1] < means[0]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["owlv2", "sam", pytest.param("yolo", marks=YOLO)])
def test_a_few_steps_lower_the_loss_and_the_skill_loads_what_they_wrote(
    model, drawn, script, tmp_path, monkeypatch, capsys
):
    losses = []
    for module, name in ((drawn.owl, "train_owl"), (drawn.segmenter, "train_sam")):
        monkeypatch.setattr(module, "BATCH", 4)
        train = getattr(module, name)
        monkeypatch.setattr(script, name, lambda *a, _t=train, **k: losses.extend(_t(*a, **k)))
    monkeypatch.setattr(drawn.steps, "TELL", 4)
    asked = [str(tmp_path), "--model", model, "--count", "4", "--unseen", "1"]
    figures = script.main([*asked, "--steps", "4" if model == "yolo" else "12"])
    if model == "yolo":
        losses = list(drawn.yolo.losses(tmp_path / "yolo"))
    assert losses[-1] < 0.97 * losses[0]
    assert all(0 <= figure <= 1 for figure in figures.values())
    assert not (tmp_path / model / "training.pt").exists()
    told = capsys.readouterr().out
    assert "(seed 0, unseen 1). Use it with --backend " in told


def test_what_is_found_right_counts_and_what_is_named_wrong_does_not(drawn, monkeypatch):
    scenes = [drawn.scenes.scene(number, seed=2) for number in range(4)]
    wrong = dict(zip(drawn.scenes.NAMES, drawn.scenes.NAMES[::-1], strict=True))

    def precision(names=None, boxes=None):
        def found(_skills, _skill, scene, **_):
            labels = scene.names if names is None else tuple(names[name] for name in scene.names)
            return Boxes(boxes or scene.boxes, labels=labels, scores=(0.9,) * len(labels))

        monkeypatch.setattr(drawn.measure, "_called", found)
        return drawn.measure.average_precision("detect=builtin", scenes)

    assert precision() == pytest.approx(1)
    assert precision(wrong) < 0.1
    assert drawn.measure.average_precision("detect=builtin", []) == 0


@pytest.mark.slow
@pytest.mark.skipif(WHOLE not in os.environ, reason=f"takes 90 minutes: {WHOLE}=FOLDER pytest …")
@pytest.mark.parametrize("model", ["owlv2", "sam", pytest.param("yolo", marks=YOLO)])
def test_trained_to_the_end_it_finds_and_outlines_unseen_shapes(model, script):
    figures = script.main([os.environ[WHOLE], "--model", model])
    for name, figure in figures.items():
        assert figure >= (0.9 if name == "mAP50" else 0.85), (name, figure)
