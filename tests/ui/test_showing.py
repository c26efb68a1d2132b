"""The page that shows traces: its list, its filters, one trace in full."""

import pytest

from llava_plus.data_gen.browsing import TraceIndex
from llava_plus.ui.showing import ANY, SIZE, Browser

NONE = ("", ANY, ANY, ANY)


@pytest.fixture
def browser(llava, home, small, tmp_path):
    """A page of a folder with a kept trace and a dropped one."""
    for number, words in enumerate(("turn it <b>left</b>", "put it upright, 7 times")):
        more = " 77 times" if number else ""
        said = ("rotate(img_1, degrees=90)", f"Done{more}: {{img_2}}.")
        assert llava("chat", small, "-m", words, "--session", f"s{number}", script=said)[0] == 0
        assert llava("sessions", "export", f"s{number}", f"traces/s{number}")[0] == 0
    options = ("--licence", "CC0-1.0", "--no-replay")
    assert llava("data", "verify", "traces", "-o", "good", *options)[0] == 0
    index = TraceIndex(tmp_path / "good")
    browser = Browser(index, tmp_path / "shown")
    yield browser
    index.close()
    browser.blocks.close(verbose=False)


class Chosen:
    def __init__(self, row):
        self.index = [row, 0]


def test_the_list_fills_and_filters(browser):
    updates = browser.tick(0, *NONE)
    assert updates[browser.list] == []
    assert updates[browser.timer].active is True
    browser.index.fill()
    updates = browser.tick(0, *NONE)
    assert len(updates[browser.list]) == 2
    assert updates[browser.timer].active is False
    assert updates[browser.place] == "1 to 2 of 2"
    assert updates[browser.verifier].choices == [(ANY, ANY), ("grounded", "grounded")]
    (row,) = browser.first("", "rotate", "dropped", "grounded")[browser.list]
    assert row[2].startswith("dropped, grounded: turn 1: the answer says 77")
    assert browser.first("UPRIGHT", ANY, ANY, ANY)[browser.place] == "1 to 1 of 1"
    assert browser.first("nowhere", ANY, ANY, ANY)[browser.place] == "0 to 0 of 0"


def test_pages_do_not_lead_beyond_the_ends(browser):
    browser.index.fill()
    assert browser.later(5, *NONE)[browser.page] == 0
    assert browser.earlier(0, *NONE)[browser.page] == 0
    assert SIZE >= 10


def test_a_trace_is_shown_with_its_pictures_and_verdicts(browser):
    browser.index.fill()
    shown = browser.first("", ANY, "kept", ANY)[browser.shown]
    updates = browser.choose(shown, Chosen(0))
    contents = [part for message in updates[browser.chat] for part in message["content"]]
    pictures = [part["alt_text"] for part in contents if isinstance(part, dict)]
    assert pictures == ["img_1", "img_2: rotate"]
    assert "✓ schema, licence" in updates[browser.facts]
    assert "<b>" not in str([part for part in contents if isinstance(part, str)])
    shown = browser.first("", ANY, "dropped", ANY)[browser.shown]
    assert "✗ grounded" in browser.choose(shown, Chosen(0))[browser.facts]
    assert browser.chat not in browser.choose(shown, Chosen(9))


def test_nothing_of_the_page_is_open_to_other_programs(browser):
    config = browser.blocks.get_config_file()
    assert {one["api_visibility"] for one in config["dependencies"]} == {"private"}
