import asyncio
from pathlib import Path

import gradio as gr
import pytest

from llava_plus.agent import Agent, ScriptedPlanner
from llava_plus.ui.app import Page
from llava_plus.ui.examples import EXAMPLES
from llava_plus.ui.lobby import Lobby
from llava_plus.ui.state import Visit

BLUR = ("detect(img_1, 'face')", "blur(img_1, region=boxes_1)", "I blurred {boxes_1}.")


@pytest.fixture(scope="module")
def page(skills):
    page = Page(Lobby(lambda: Agent(ScriptedPlanner(BLUR), skills)))
    yield page
    page.blocks.close(verbose=False)


def test_a_turn_goes_from_the_box_through_the_page(page, inbox, upload):
    visit = Visit(page.lobby, inbox)

    async def sent(message):
        return [await page._send(visit, message), *[one async for one in page._follow(visit)]]

    updates = asyncio.run(sent({"text": "Blur the face.", "files": [upload()]}))
    assert updates[0][page.message] == {"text": "", "files": []}
    chats = [page.chat.postprocess(one[page.chat]) for one in updates if page.chat in one]
    titles = [(m.metadata or {}).get("title") for m in chats[-1].root]
    assert [title for title in titles if title] == ["Step 1: detect", "Step 2: blur"]
    assert [caption for _, caption in updates[-1][page.pictured.gallery]] == ["img_1", "img_2"]
    assert visit.session.trace.turns[0].reason == "answered"


def test_what_cannot_be_carried_out_stays_in_the_box(page, inbox):
    visit = Visit(page.lobby, inbox)
    with pytest.warns(UserWarning, match="No skill &#x27;&lt;b&gt;"):
        updates = asyncio.run(page._send(visit, {"text": "/<b>", "files": []}))
    assert updates[page.message]["text"] == "/<b>"


def test_every_visitor_gets_a_visit_of_their_own(page):
    class Request:
        headers = {"accept-language": "zh-CN"}  # noqa: RUF012
        session_hash = "tab"

    one, two = (page._open("", "", Request())[page.visit] for _ in range(2))
    assert one is not two
    assert one.session is not two.session
    assert one.language == "中文"


def test_the_language_changes_every_label(page, inbox):
    visit = Visit(page.lobby, inbox)
    english = page._words(visit)
    chinese = page._speak(visit, "中文")
    changed = {key for key in english if str(english[key]) != str(chinese[key])}
    assert changed == set(english)


def test_nothing_of_the_page_is_open_to_other_programs(page):
    config = page.blocks.get_config_file()
    assert {one["api_visibility"] for one in config["dependencies"]} == {"private"}


def test_addresses_are_not_fetched(page):
    with pytest.raises(gr.Error, match="not fetched"):
        asyncio.run(page.message.async_move_resource_to_block_cache("http://example.com/a.png"))


def test_the_examples_are_there_and_small():
    for example in EXAMPLES:
        assert Path(example.path).stat().st_size <= 60_000
