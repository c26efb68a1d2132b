"""Kept chats, reloading, approval and stopping in a real browser; see test_page.py."""

import asyncio
import shutil
import threading
import time
import zipfile

import pytest

from llava_plus.agent import Agent, ScriptedPlanner, SessionStore
from llava_plus.errors import SetupError
from llava_plus.skills import Image, SkillRegistry, Text, default_registry, skill
from llava_plus.ui.examples import FOLDER

POSTED = []
PHOTO = str(FOLDER / "coffee.jpg")


@skill(approval=True, cache=False, isolation="inline")
def post(image: Image, words: str) -> Text:
    """Put a picture where all can see it."""
    POSTED.append(words)
    return Text("posted")


class Waiting:
    """Plays a script for each request; "wait" goes on when it is allowed to."""

    name = "scripted"
    scripts = {  # noqa: RUF012
        "wait": ["The waiting is over."],
        "Flip it.": ["flip(img_1)", "It is flipped in {img_2}."],
        "Post it.": ["post(img_1, '<b>Look</b>')", "It is online."],
        "Post this.": ["post(img_1, 'Look')", "Then I leave it: {error}"],
    }

    def __init__(self):
        self.go = threading.Event()

    async def plan(self, view):
        turn = view.turns[-1]
        if turn.message == "wait":
            yield '{"thought":"Waiting for'
            while not self.go.is_set():
                await asyncio.sleep(0.05)
        line = self.scripts[turn.message][len(turn.steps)]
        async for piece in ScriptedPlanner([line]).plan(view):
            yield piece


@pytest.fixture(scope="module")
def planner():
    return Waiting()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def address(planner, home):
    from llava_plus.ui.serve import serve

    skills = default_registry().merge(SkillRegistry([post]))
    server = serve(lambda: Agent(planner, skills, home=home), store=SessionStore(home))
    yield server.address
    server.close()


def idle(page):
    page.wait_for_selector("button:has-text('Stop')[disabled]")
    page.wait_for_timeout(500)


def listed(page):
    page.click("#shelf button:has-text('Kept chats')")
    page.wait_for_selector("#chats label")


def test_reload_open_rename_export_and_delete(page, planner, send, said, shoot, reload):
    one = page()
    send(one, "wait")
    said(one, "Waiting for")
    reload(one)
    said(one, "Waiting for")
    one.wait_for_selector("button:has-text('Stop'):not([disabled])")
    shoot(one, "20_reloaded_mid_run")
    context = one.context
    one.close()  # the run goes on without a page
    planner.go.set()
    again = page(context)
    assert "Waiting" not in again.inner_text("#chat")
    listed(again)
    shoot(again, "21_list")
    again.click("#chats label:has-text('wait')")
    again.click("#shelf button:has-text('Open')")
    said(again, "The waiting is over.")
    again.get_by_label("New title").fill("All my waiting")
    again.click("#chats label:has-text('wait')")
    again.click("#shelf button:has-text('Rename')")
    again.wait_for_selector("#chats label:has-text('All my waiting')")
    again.click("#chats label:has-text('All my waiting')")
    with again.expect_download() as download:
        again.click("#shelf button:has-text('Export')")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert "trace.json" in archive.namelist()
    shoot(again, "22_opened_and_renamed")
    again.get_by_role("button", name="Delete", exact=True).click()
    again.wait_for_selector("#sure:has-text('All my waiting')")
    shoot(again, "23_delete_asks")
    again.click("text=Delete for good")
    again.wait_for_selector("text=Try one of these")
    assert again.locator("#chats label").count() == 0


def test_a_call_waits_to_be_allowed_or_refused(page, send, said, shoot):
    page = page()
    page.set_input_files("input[type=file]", PHOTO)
    page.wait_for_selector(".stage:not([hidden])")
    send(page, "Post it.")
    page.wait_for_selector("#asking:has-text('<b>Look</b>')")
    assert page.locator("#asking b").count() == 0
    shoot(page, "24_approve")
    assert not POSTED
    page.get_by_role("button", name="Allow", exact=True).click()
    said(page, "It is online.")
    assert POSTED == ["<b>Look</b>"]
    page.wait_for_selector("#asking", state="hidden")
    idle(page)
    send(page, "Post this.")
    page.wait_for_selector("#asking:has-text('Look')")
    page.fill("#asking textarea", "not that one")
    page.get_by_role("button", name="Refuse", exact=True).click()
    said(page, "refused post: not that one")
    idle(page)
    shoot(page, "25_refused")
    send(page, "Post it.")
    page.wait_for_selector("#asking:has-text('Look')")
    page.get_by_role("button", name="Stop", exact=True).click()
    said(page, "Stopped.")
    page.wait_for_selector("#asking", state="hidden")
    shoot(page, "26_stopped_while_asking")
    assert POSTED == ["<b>Look</b>"]


@pytest.fixture
def broken_off(home, tmp_path):
    """Put a session among the kept ones as a kill in the middle of its request leaves it."""

    def leave(view):
        shutil.copytree(tmp_path / "home", tmp_path / "left")
        return "late"

    planner = ScriptedPlanner(["flip(img_1)", leave])
    session = Agent(planner, default_registry(), home=tmp_path / "home").session("half")
    session.run_sync("Flip it.", [PHOTO])
    session.close()
    shutil.copytree(tmp_path / "left", home, dirs_exist_ok=True)


@pytest.mark.usefixtures("broken_off")
def test_a_broken_off_request_is_shown_and_goes_on(page, said, shoot):
    page = page()
    listed(page)
    page.click("#chats label:has-text('Flip it.')")
    page.get_by_role("button", name="Open", exact=True).click()
    page.wait_for_selector("#broken-off:has-text('was broken off')")
    said(page, "Step 1: flip")
    shoot(page, "29_broken_off")
    page.get_by_role("button", name="Go on", exact=True).click()
    said(page, "It is flipped in img_2.")
    page.wait_for_selector("#broken-off", state="hidden")
    page.wait_for_selector("#gallery .caption-label:text('img_2')")
    page.wait_for_selector("#chats label:has-text('requests: 1')")
    assert "broken off" not in page.inner_text("#chats")
    shoot(page, "30_went_on")


def test_a_second_tab_follows_and_a_closed_page_gives_its_chat_free(
    page, planner, home, send, said, shoot
):
    planner.go.clear()
    one = page()
    send(one, "wait")
    said(one, "Waiting for")
    two = page(one.context)
    listed(two)
    two.click("#chats label:has-text('running')")
    two.get_by_role("button", name="Open", exact=True).click()
    said(two, "Waiting for")
    planner.go.set()
    said(one, "The waiting is over.")
    said(two, "The waiting is over.")
    idle(two)
    planner.go.clear()
    send(one, "wait")  # the second tab has to notice by itself
    two.wait_for_selector("button:has-text('Stop'):not([disabled])")
    shoot(two, "31_second_tab")
    planner.go.set()
    idle(two)
    idle(one)
    assert two.inner_text("#chat").count("The waiting is over.") == 2
    place = one.evaluate("sessionStorage.getItem('llava-plus-chat')")
    one.close()
    two.close()
    end = time.monotonic() + 180
    while not free(home, place):
        assert time.monotonic() < end, "the chat is still held"
        time.sleep(0.2)


def free(home, id):
    try:
        Agent(ScriptedPlanner([]), home=home).session(id).close()
    except SetupError:
        return False
    return True
