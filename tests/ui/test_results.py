import pytest

from llava_plus.agent import data_home
from llava_plus.errors import SetupError
from llava_plus.ui.results import open_results


def test_the_page_and_the_command_line_keep_as_much_as_they_are_told(monkeypatch):
    assert open_results() is None
    monkeypatch.setenv("LLAVA_PLUS_CACHE_MB", "5")
    assert open_results().cap == 5_000_000
    assert open_results().root == data_home() / "cache"
    monkeypatch.setenv("LLAVA_PLUS_CACHE_MB", "much")
    with pytest.raises(SetupError, match="LLAVA_PLUS_CACHE_MB is 'much'"):
        open_results()
