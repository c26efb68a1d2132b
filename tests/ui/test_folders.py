import sys
from pathlib import Path

import pytest

from llava_plus.errors import SetupError
from llava_plus.ui.folders import data_folder, open_results


@pytest.mark.parametrize(
    ("platform", "env", "folder"),
    [
        ("linux", {"LLAVA_PLUS_HOME": "/data/mine"}, "/data/mine"),
        ("darwin", {"LLAVA_PLUS_HOME": "/data/mine"}, "/data/mine"),
        ("linux", {"XDG_DATA_HOME": "/xdg"}, "/xdg/llava-plus"),
        ("linux", {"XDG_DATA_HOME": "not/absolute"}, "/home/ann/.local/share/llava-plus"),
        ("linux", {}, "/home/ann/.local/share/llava-plus"),
        ("darwin", {}, "/home/ann/Library/Application Support/llava-plus"),
    ],
)
def test_the_data_folder_is_where_the_system_or_the_person_wants_it(
    monkeypatch, platform, env, folder
):
    monkeypatch.delenv("LLAVA_PLUS_HOME")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    for name, value in ({"HOME": "/home/ann"} | env).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert data_folder() == Path(folder)


def test_the_page_and_the_command_line_keep_as_much_as_they_are_told(monkeypatch):
    assert open_results() is None
    monkeypatch.setenv("LLAVA_PLUS_CACHE_MB", "5")
    assert open_results().cap == 5_000_000
    assert open_results().root == data_folder() / "results"
    monkeypatch.setenv("LLAVA_PLUS_CACHE_MB", "much")
    with pytest.raises(SetupError, match="LLAVA_PLUS_CACHE_MB is 'much'"):
        open_results()
