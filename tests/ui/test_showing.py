"""The page that shows traces: its list, its filters, one trace in full."""

import numpy as np
import pytest

from llava_plus.agent import Agent, ScriptedPlanner
from llava_plus.data_gen.browsing import TraceIndex
from llava_plus.data_gen.folders import TraceFolder
from llava_plus.data_gen.verify import sift_folder, standard_verifiers
from llava_plus.skills import default_registry
from llava_plus.ui import showing
from llava_plus.ui.showing import ANY, Browser

NONE = ("", ANY, ANY, ANY)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder with a kept trace and a dropped one."""
    place, skills = tmp_path_factory.mktemp("traces"), default_registry()
    picture = np.full((20, 30, 3), 200, np.uint8)
    for number, words in enumerate(("turn it <b>left</b>", "put it upright, 7 times")):
        more = " 77 times" if number else ""
        planner = ScriptedPlanner(["rotate(img_1, degrees=90)", f"Done{more}: {{img_2}}."])
        trace = Agent(planner, skills).session(f"s{number}").run_sync(words, [picture])
        (place / "in" / trace.id).mkdir(parents=True)
        trace.save(place / "in" / trace.id / "trace.json")
    verifiers = standard_verifiers(skills, replay=False)
    sift_folder(TraceFolder(place / "in"), place / "good", verifiers, licence="CC0-1.0")
    return place / "good"


@pytest.fixture
def browser(good, tmp_path):
    index = TraceIndex(good)
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


def test_pages_go_on_and_do_not_lead_beyond_the_ends(browser, monkeypatch):
    monkeypatch.setattr(showing, "SIZE", 1)
    browser.index.fill()
    second = browser.later(0, *NONE)
    assert (second[browser.page], second[browser.place]) == (1, "2 to 2 of 2")
    assert browser.later(5, *NONE)[browser.list] == second[browser.list]
    assert browser.earlier(1, *NONE)[browser.place] == "1 to 1 of 2"
    assert browser.earlier(0, *NONE)[browser.page] == 0


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
