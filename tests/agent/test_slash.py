"""Calls that a person types."""

import numpy as np
import pytest

from llava_plus.agent import parse_call, write_call
from llava_plus.errors import SetupError
from llava_plus.skills import Artifacts, Boxes, Image, Points, model_registry


@pytest.fixture
def artifacts():
    made = Artifacts()
    for shade in (1, 2):
        made.add(Image.from_array(np.full((4, 4, 3), shade, np.uint8)))
    made.add(Boxes(((0, 0, 1, 1),)))
    made.add(Points(((0.5, 0.5),)))
    return made


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("/blur", {"image": "img_2"}),
        ("blur img_1", {"image": "img_1"}),
        (
            "/blur img_1 region=boxes_1 strength=0.9",
            {"image": "img_1", "region": "boxes_1", "strength": 0.9},
        ),
        ("/blur boxes_1", {"image": "img_2", "region": "boxes_1"}),
        ("/blur region=[0, 0, 0.5,1]", {"image": "img_2", "region": [0, 0, 0.5, 1]}),
        ("/blur region=[[0,0,1,1], [0,0,1,1]]", {"image": "img_2", "region": [[0, 0, 1, 1]] * 2}),
        ("/outline points_1 outside", {"image": "img_2", "prompt": "points_1", "outside": True}),
        (
            "/outline points_1 outside=No",
            {"image": "img_2", "prompt": "points_1", "outside": False},
        ),
        ("/detect face", {"image": "img_2", "label": "face"}),
        ("/detect red car img_1", {"image": "img_1", "label": "red car"}),
        ("/detect label='red car'", {"image": "img_2", "label": "red car"}),
        ('/detect "a=b"', {"image": "img_2", "label": "a=b"}),
        ("/detect dog's bowl", {"image": "img_2", "label": "dog's bowl"}),
        ("/detect 12", {"image": "img_2", "label": "12"}),
        ("/detect 红色的车", {"image": "img_2", "label": "红色的车"}),
    ],
)
def test_a_typed_call_is_read(skills, artifacts, text, args):
    call = parse_call(text, skills, artifacts)
    assert call.args == args
    assert list(call.args) == list(args)


@pytest.mark.parametrize(
    "written", ['words=["red car","dog"]', "words='red car, dog'", "'red car' dog"]
)
def test_a_list_of_words_is_read_however_it_is_written(artifacts, written):
    call = parse_call(f"/tag img_1 {written}", model_registry(), artifacts)
    assert call.args == {"image": "img_1", "words": ["red car", "dog"]}
    again = parse_call(write_call(call.skill, call.args), model_registry(), artifacts)
    assert again.args == call.args


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/", "A call names a skill"),
        ("", "A call names a skill"),
        ("/blurr", "Did you mean 'blur'"),
        ("/blur regoin=boxes_1", "Did you mean 'region'"),
        ("/blur points_1", "no place for points_1"),
        ("/blur very much", "what is 'very'"),
        ("/outline", "needs 'prompt'"),
        ("/detect", "needs 'label'"),
    ],
)
def test_mistakes_are_told_to_the_person(skills, artifacts, text, words):
    with pytest.raises(SetupError) as error:
        parse_call(text, skills, artifacts)
    assert words in str(error.value)


def test_without_a_picture_it_asks_for_one(skills):
    with pytest.raises(SetupError, match="needs a picture; add one first"):
        parse_call("/blur", skills, Artifacts())


@pytest.mark.parametrize(
    "args",
    [
        {"image": "img_1", "label": "red car"},
        {"image": "img_1", "label": 'say "hi" [x] a=b'},
        {"image": "img_1", "label": ""},
        {"image": "img_1", "label": "back\\slash \\n"},
    ],
)
def test_what_is_written_is_read_back(skills, artifacts, args):
    assert parse_call(write_call("detect", args), skills, artifacts).args == args


def test_long_input_is_read_in_reasonable_time(skills, artifacts):
    for text in ("/detect " + "[" * 20_000, "/detect " + '"' * 20_001, "/detect " + "'a" * 20_000):
        parse_call(text, skills, artifacts)
