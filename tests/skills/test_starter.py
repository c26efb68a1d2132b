"""The template that ``llava-plus skills new`` writes: it works, passes its test and is tidy."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import Boxes, SkillRegistry, default_registry, load_skills, write_skill

ROOT = Path(__file__).parents[2]


@pytest.fixture
def write(tmp_path):
    """Write a skill of a name into the folder."""
    return lambda name, folder=tmp_path: write_skill(name, folder, default_registry())


def test_the_template_works_on_a_real_picture(write, coffee, her_face):
    skill, _ = write("dim_it")
    spec = load_skills([skill]).skills["dim_it"]
    assert spec.isolation == "worker"
    assert spec.source == str(skill)
    darker = spec.function(coffee, her_face, strength=0.5).pixels.astype(int)
    share = float(np.mean(darker != coffee.pixels))
    (left, top, right, bottom), *_ = her_face.xyxy
    assert share == pytest.approx((right - left) * (bottom - top), rel=0.1)
    with pytest.raises(SkillError, match="The region is empty"):
        spec.function(coffee, Boxes(()))


def test_the_test_of_the_template_passes_and_fails_with_the_skill(write, tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder in (good, bad):
        folder.mkdir()
        skill, _ = write("dim_it", folder)
    skill.write_text(skill.read_text().replace("*= 1 - strength", "*= strength"))
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider"]
    command += ["--import-mode=importlib", "good", "bad"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    ended = {line for line in done.stdout.splitlines() if line.startswith(("PASSED", "FAILED"))}
    strange = "test_strength_0_changes_nothing"
    assert any(line.startswith("PASSED good/") and strange in line for line in ended), done.stdout
    assert any(line.startswith("FAILED bad/") and strange in line for line in ended)
    assert not any(line.startswith("FAILED good/") for line in ended)


@pytest.mark.parametrize("name", ["dim", "a_name_of_25_letters_xyzq"])
def test_what_is_written_is_tidy(write, tmp_path, name):
    write(name)
    for command in ("check", "format --check"):
        ruff = [sys.executable, "-m", "ruff", *command.split(), "--no-cache"]
        settings = ["--config", str(ROOT / "pyproject.toml")]
        done = subprocess.run([*ruff, *settings, str(tmp_path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Dim", "'Dim' cannot be the name of a skill. Take up to 25 small letters, digits and _"),
        ("dim-it", "cannot be the name of a skill"),
        ("../dim", "cannot be the name of a skill"),
        ("", "cannot be the name of a skill"),
        ("class", "cannot be the name of a skill"),
        ("d" * 26, "cannot be the name of a skill"),
        (
            "count",
            "There is a skill 'count' already, of LLaVA-Plus itself. "
            "Take another name, such as 'my_count'.",
        ),
        ("json", "'json' is the name of a Python module, which your file would hide"),
        ("numpy", "'numpy' is the name of a Python module"),
        ("np", "has a meaning in the file itself. Take 'my_np'"),
        ("test_dim", "has a meaning in the file itself"),
    ],
)
def test_a_name_that_cannot_be_had_is_refused(write, tmp_path, name, words):
    with pytest.raises(SetupError) as caught:
        write(name)
    assert words in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_another_name_of_a_skill_is_taken_too(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from llava_plus.skills import Image, skill\n\n"
        '@skill(aliases=["mirror"])\ndef turn_over(image: Image) -> Image:\n    """Turn over."""\n'
    )
    with pytest.raises(SetupError) as caught:
        write_skill("mirror", tmp_path, SkillRegistry.from_file(file))
    assert f"'mirror' already, of {file} (there it is another name of 'turn_over')" in str(
        caught.value
    )


@pytest.mark.parametrize("name", ["dim.py", "test_dim.py"])
def test_nothing_is_overwritten(write, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(SetupError, match=f"{name} is there already, and is not overwritten"):
        write("dim")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_is_made_where_it_is_not_there(write, tmp_path):
    skill, test = write("dim", tmp_path / "new" / "folder")
    assert skill.parent == test.parent == tmp_path / "new" / "folder"


def test_a_folder_that_is_a_file_is_refused(write, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match=r"Cannot write into .*file: .*Name a folder of yours"):
        write("dim", tmp_path / "file")
