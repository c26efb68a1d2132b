"""Every command of examples/README.md works, and every example stands in it."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from llava_plus.agent import ScriptedPlanner
from llava_plus.ui.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "examples" / "README.md").read_text()
COMMANDS = re.findall(r"^llava-plus (.+)$", README, re.M)


@pytest.fixture
def folder(tmp_path, monkeypatch, weights):
    """A folder that holds what the commands name."""
    monkeypatch.setenv("IN_FOCUS_WEIGHTS", str(weights))
    monkeypatch.setenv("LLAVA_PLUS_SKILL_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ui").symlink_to(ROOT / "ui")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    shutil.copy(ROOT / "ui" / "examples" / "coffee.jpg", tmp_path / "sketch.png")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.split()[:2]))
def test_the_command_works(command, folder, capsys):
    words = shlex.split(command)
    try:
        main(words, load=lambda name, device: ScriptedPlanner(()))
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    assert code == 0, capsys.readouterr()
    if "-o" in words:
        assert (folder / words[words.index("-o") + 1]).stat().st_size > 1000


def test_the_training_command_names_pictures_that_are_there():
    (command,) = re.findall(r"^python (.+)$", README, re.M)
    assert all((ROOT / word).is_file() for word in shlex.split(command))


def test_every_example_is_listed_and_shown():
    for file in (ROOT / "examples").glob("*.py"):
        assert f"[{file.name}]({file.name})" in README
        if "@skill" in file.read_text():
            assert f"--skills examples/{file.name}" in README
