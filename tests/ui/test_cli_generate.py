"""``llava-plus data new | generate``."""

import json

import numpy as np
import pytest
from PIL import Image as Pillow

RECIPE = """
traces: 9
per_picture: 3
pictures_per_part: 1
sources: [{folder: photos, licence: MIT}]
writers:
  - writer: requests
    options:
      requests:
        - {ask: "how [big|large] is it?", plan: image_info(img_1)}
        - {ask: "[flip|mirror] it", plan: 'rotate(img_1, flip="horizontal")'}
        - {ask: "read [this|it]", plan: mood(img_1)}
skills: {use: [image_info, rotate, mood]}
"""
SKILL = '''
from llava_plus.skills import Image, Text, skill

@skill(isolation="inline")
def mood(image: Image) -> Text:
    """Tell the mood of a picture."""
    return Text("dark" if image.rgb().mean() < 128 else "bright")
'''


@pytest.fixture
def place(tmp_path, home):
    """A recipe, pictures and a file of skills in the working folder."""
    (tmp_path / "photos").mkdir()
    for number in range(4):
        pixels = np.full((12, 10 + number, 3), 60 * number, np.uint8)
        pixels[:, 0] = 200
        Pillow.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "my_skills.py").write_text(SKILL)
    return tmp_path


def test_a_recipe_becomes_traces_that_other_commands_read(llava, place):
    run = ("data", "generate", "recipe.yaml", "--skills", "my_skills.py", "-o", "out")
    code, out, err = llava(*run)
    assert (code, err) == (0, "")
    assert ["replay", "9", "9", "0", "0", "100.0%"] in [line.split() for line in out.splitlines()]
    assert "9 of 9 traces are kept in out: 9 conversations about 3 pictures" in out
    code, out, _ = llava("data", "stats", "out", "--json")
    assert json.loads(out)["skills"] == {"image_info": 3, "mood": 3, "rotate": 3}
    export = ("data", "export", "out", "-o", "for-us", "--skills", "my_skills.py")
    code, out, _ = llava(*export, "-f", "conversations", "--side", 32)
    assert (code, out) == (0, "9 of 9 traces are in for-us\n")


def test_what_cannot_be_used_is_told(llava, place):
    (place / "photos" / "0.png").write_bytes(b"no picture")
    run = ("data", "generate", "recipe.yaml", "--skills", "my_skills.py", "-o", "out")
    code, _, err = llava(*run, "--no-remember")
    assert code == 0
    assert "problems, in out/dropped/problems.jsonl, for instance:" in err
    assert "0.png" in err


def test_a_new_recipe_can_be_read_and_is_never_overwritten(llava, place):
    from llava_plus.data_gen.recipe import Recipe

    code, out, _ = llava("data", "new", "mine")
    assert (code, "mine/recipe.yaml is written" in out) == (0, True)
    recipe = Recipe.read(place / "mine" / "recipe.yaml")
    assert (recipe.name, recipe.sources[0].drawn) == ("mine", 200)
    code, _, err = llava("data", "new", "mine")
    assert (code, "is there already" in err) == (1, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("traces: [", "is not YAML"),
        ("- 1", "Input should be a valid dictionary"),
        ("traces: many", "traces: Input should be a valid integer"),
    ],
)
def test_a_recipe_that_cannot_be_read_is_one_sentence(llava, place, text, said):
    (place / "recipe.yaml").write_text(text)
    code, _, err = llava("data", "generate", "recipe.yaml", "-o", "out")
    assert (code, said in err) == (1, True)
    assert not (place / "out").exists()


def test_ctrl_c_says_that_nothing_is_lost(llava, place, monkeypatch):
    from llava_plus.data_gen.workshop import Workshop

    def interrupt(self, job, at=None):
        if job.number == 1:
            raise KeyboardInterrupt
        return make(self, job)

    make = Workshop.make
    run = ("data", "generate", "recipe.yaml", "--skills", "my_skills.py", "-o", "out")
    with monkeypatch.context() as patch:
        patch.setattr(Workshop, "make", interrupt)
        code, _, err = llava(*run)
    assert code == 130
    assert "the same command goes on" in err
    code, out, _ = llava(*run)
    assert code == 0
    assert "3 of them were there from a run that was broken off" in out
