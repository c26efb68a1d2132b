"""Drawn scenes and photographs."""

import numpy as np
import pytest

from llava_plus.data_gen.pictures import (
    drawn_pictures,
    ground_truth,
    photographs,
    sign_picture,
)


@pytest.fixture(scope="module")
def holding(scenes):
    return lambda what: [scene for scene in scenes if what in scene.holds]


def test_the_same_seed_draws_the_same_scenes(scenes):
    again = list(drawn_pictures(6, seed=0))
    assert [one.image.digest for one in again] == [one.image.digest for one in scenes[:6]]
    assert again == scenes[:6]
    other = list(drawn_pictures(6, seed=1))
    assert not {one.image.digest for one in other} & {one.image.digest for one in again}


def test_scenes_differ_and_each_kind_of_content_occurs(scenes, holding):
    assert len({scene.image.digest for scene in scenes}) == len(scenes)
    for what in ("face", "text", "code"):
        assert holding(what)
    assert any(not scene.holds for scene in scenes)


def test_objects_lie_inside_the_scene_and_apart(scenes):
    for scene in scenes:
        assert scene.objects
        for x0, y0, x1, y1 in scene.objects:
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1
        middles = {(round(x0 + x1, 2), round(y0 + y1, 2)) for x0, y0, x1, y1 in scene.objects}
        assert len(middles) == len(scene.objects)


def test_an_object_is_drawn_where_the_ground_truth_says(scenes):
    told_apart = []
    for scene in (one for one in scenes if not one.holds):
        pixels = scene.image.rgb().astype(float)
        height, width = pixels.shape[:2]
        bare = np.ones(width, bool)  # columns without any object
        for x0, _, x1, _ in scene.objects:
            bare[int(x0 * width) : int(x1 * width) + 1] = False
        for x0, y0, x1, y1 in scene.objects:
            row = pixels[int((y0 + y1) / 2 * height)]  # the ground has one color a row
            off = np.abs(row - np.median(row[bare], axis=0)).max(axis=1)
            told_apart.append(np.median(off[int(x0 * width) + 2 : int(x1 * width) - 2]) > 12)
    assert len(told_apart) > 8
    assert np.mean(told_apart) > 0.9


@pytest.mark.parametrize("what", ["face", "code"])
def test_what_a_scene_holds_is_found_by_the_real_skills(holding, skills, what):
    detect = skills["detect"].function
    found = [len(detect(image=scene.image, label=what)) for scene in holding(what)]
    assert min(found) >= 1


def test_codes_in_scenes_can_be_read(holding, skills):
    for scene in holding("code"):
        assert len(skills["read_codes"].function(image=scene.image)) == 1


@pytest.mark.slow
def test_signs_in_scenes_can_be_read(holding, skills):
    assert len(skills["ocr"].function(image=holding("text")[0].image)) >= 1
    sign = sign_picture("Mathematics", seed=0)
    assert "Mathematics" in skills["ocr"].function(image=sign.image).texts


def test_what_a_scene_does_not_hold_is_not_found(scenes, skills):
    detect = skills["detect"].function
    for what in ("face", "code"):
        empty = [scene for scene in scenes if what not in scene.holds]
        found = [scene.name for scene in empty if len(detect(image=scene.image, label=what))]
        assert len(found) <= 0.1 * len(empty), found


def test_photographs_hold_what_they_say(skills):
    pytest.importorskip("skimage")
    shown = {one.name: one for one in photographs()}
    assert {"astronaut", "chelsea", "coffee"} <= shown.keys()
    assert max(max(one.image.width, one.image.height) for one in shown.values()) <= 320
    detect = skills["detect"].function
    for name, one in shown.items():
        if "face" in one.holds:
            assert len(detect(image=one.image, label="face")) == 1, name
        assert one.licence
        assert one.origin


def test_ground_truth_finds_all_objects_under_any_name(scene):
    boxes = ground_truth(scene, "brown kangaroo")
    assert len(boxes) == len(scene.objects)
    assert set(boxes.labels) == {"brown kangaroo"}
    assert np.allclose(boxes.xyxy, scene.objects)
    assert boxes.cite().endswith("kangaroos")
