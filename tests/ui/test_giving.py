"""Chats that visitors give for training: only with consent, with thumbs, and back again."""

import asyncio
import json
import warnings

import pytest

from llava_plus.agent import Agent, ScriptedPlanner, SessionStore
from llava_plus.data_gen.feedback import Collection, opinions_of
from llava_plus.data_gen.folders import TraceFolder
from llava_plus.errors import SetupError
from llava_plus.ui.app import Page
from llava_plus.ui.late import LatePlanner
from llava_plus.ui.lobby import Lobby
from llava_plus.ui.state import Visit

FIRST = ("detect(img_1, 'face')", "I found {boxes_1}.")
SECOND = ("blur(img_1, region=boxes_1)", "Blurred.")


@pytest.fixture
def collection(tmp_path):
    return Collection(tmp_path / "given")


@pytest.fixture
def page_of(skills, collection, tmp_path):
    """Build a page whose planner plays a script; kept says whether sessions lie on disk."""
    made = []

    def build(*script, kept=False, offered=True):
        home = tmp_path / "home" if kept else None
        planner = ScriptedPlanner(script)
        lobby = Lobby(
            lambda: Agent(planner, skills, home=home),
            SessionStore(home) if kept else None,
            collection=collection if offered else None,
        )
        made.append(Page(lobby))
        return made[-1]

    yield build
    for page in made:
        page.blocks.close(verbose=False)


def sent(page, visit, text, *files):
    async def all_of_it():
        await page._send(visit, {"text": text, "files": list(files)})
        return [one async for one in page._follow(visit)][-1]

    return asyncio.run(all_of_it())


def ask_again(page, visit):
    async def all_of_it():
        await page.feedback.ask_again(visit)
        return [one async for one in page._follow(visit)]

    return asyncio.run(all_of_it())


def given(collection):
    return [line for file in collection.folder.glob("*.jsonl") for line in file.open()]


def test_nothing_is_kept_until_the_visitor_agrees_and_nothing_after(
    page_of, collection, inbox, upload
):
    page = page_of(*FIRST, *SECOND)
    visit = Visit(page.lobby, inbox)
    updates = sent(page, visit, "Where is the face?", upload())
    assert updates[page.feedback.consent] is False
    assert not given(collection)
    with pytest.warns(UserWarning, match="this chat is not given"):
        page.feedback._judged(visit, liked=True)
    page.feedback._consented(visit, True)
    sent(page, visit, "Blur it.")
    (trace,) = TraceFolder(collection.folder).read()
    assert [turn.message for turn in trace.turns] == ["Where is the face?", "Blur it."]
    assert visit.session.id not in trace.to_json()
    page.feedback._consented(visit, False)
    assert not given(collection)
    assert not [file for file in (collection.folder / "artifacts").rglob("*") if file.is_file()]


def test_consent_is_off_in_every_new_chat(page_of, collection, inbox, upload):
    page = page_of(*FIRST, *FIRST)
    visit = Visit(page.lobby, inbox)
    page.feedback._consented(visit, True)
    sent(page, visit, "Where is the face?", upload())
    visit.new_chat()
    assert page.feedback.updates(visit)[page.feedback.consent] is False
    sent(page, visit, "Where is the face?", upload())
    assert len(given(collection)) == 1


def test_thumbs_and_corrections_belong_to_the_request_that_was_last(
    page_of, collection, inbox, upload
):
    page = page_of(*FIRST, *SECOND)
    visit = Visit(page.lobby, inbox)
    page.feedback._consented(visit, True)
    sent(page, visit, "Where is the face?", upload())
    page.feedback._judged(visit, liked=True)
    sent(page, visit, "Blur it.")
    updates = page.feedback._judged(visit, liked=False)
    assert "👎 for request 2" in updates[page.feedback.told].value
    page.feedback._corrected(visit, " Blurred: {img_2}. ")
    with pytest.warns(UserWarning, match="Write what would be right"):
        page.feedback._corrected(visit, " ")
    (trace,) = TraceFolder(collection.folder).read()
    said = [(one.turn, one.liked, one.better) for one in opinions_of(trace)]
    assert said == [(1, True, ""), (2, False, "Blurred: {img_2}.")]
    again = Visit(page.lobby, inbox)
    again.open(visit.session.id)
    assert page.feedback.updates(again)[page.feedback.consent] is True


def test_a_chat_that_was_taken_back_on_one_page_is_not_kept_by_another(
    page_of, collection, inbox, upload
):
    page = page_of(*FIRST, *SECOND)
    one, other = Visit(page.lobby, inbox), Visit(page.lobby, inbox)
    other.open(one.session.id)
    page.feedback._consented(one, True)
    sent(page, one, "Where is the face?", upload())
    assert page.feedback.updates(other)[page.feedback.consent] is True
    page.feedback._consented(one, False)
    assert page.feedback.updates(other)[page.feedback.consent] is False
    sent(page, other, "Blur it.")
    assert not given(collection)


def test_deleting_a_kept_chat_takes_back_what_was_given_of_it(page_of, collection, inbox, upload):
    page = page_of(*FIRST, kept=True)
    visit = Visit(page.lobby, inbox)
    sent(page, visit, "Where is the face?", upload())
    page.feedback._consented(visit, True)
    assert len(given(collection)) == 1
    assert collection.folder.stat().st_mode & 0o077 == 0
    page.lobby.delete(visit.owner, visit.session.id)
    assert not [one for one in collection.folder.rglob("*") if one.is_file()]


def test_a_chat_that_cannot_be_taken_back_is_still_shown_as_given(
    page_of, collection, inbox, upload, monkeypatch
):
    page = page_of(*FIRST)
    visit = Visit(page.lobby, inbox)
    page.feedback._consented(visit, True)
    sent(page, visit, "Where is the face?", upload())

    def refuse(id):
        raise SetupError("The folder cannot be written.")

    monkeypatch.setattr(collection, "forget", refuse)
    with pytest.warns(UserWarning, match="cannot be written"):
        updates = page.feedback._consented(visit, False)
    assert (updates[page.feedback.consent], len(given(collection))) == (True, 1)


def test_asking_again_leaves_the_chat_as_it_is_where_the_planner_is_not_ready(
    page_of, collection, inbox, upload
):
    page = page_of(*FIRST)
    visit = Visit(page.lobby, inbox)
    page.feedback._consented(visit, True)
    sent(page, visit, "Where is the face?", upload())
    before = visit.session.id
    visit.session.planner = LatePlanner(lambda: ScriptedPlanner([]), name="slow")
    with pytest.warns(UserWarning, match="loading"):
        ask_again(page, visit)
    assert visit.session.id == before
    assert [turn.message for turn in visit.session.trace.turns] == ["Where is the face?"]


@pytest.mark.parametrize("kept", [False, True])
def test_asking_again_makes_a_second_answer_to_the_same_prompt(
    llava, page_of, collection, inbox, upload, kept, tmp_path
):
    other = ("blur(img_1, region=boxes_1, strength=1)", "Here: {img_2}.")
    page = page_of(*FIRST, *SECOND, *other, kept=kept)
    visit = Visit(page.lobby, inbox)
    page.feedback._consented(visit, True)
    sent(page, visit, "Where is the face?", upload())
    sent(page, visit, "Blur it.")
    page.feedback._judged(visit, liked=False)
    before = visit.session.id

    ask_again(page, visit)
    page.feedback._judged(visit, liked=True)
    assert visit.session.id != before
    trace = visit.session.trace
    assert [turn.message for turn in trace.turns] == ["Where is the face?", "Blur it."]
    assert trace.turns[1].answer == "Here: img_2."
    if kept:
        page.lobby.leave(visit.conversation, visit)
        assert SessionStore(tmp_path / "home").trace(trace.id).turns == trace.turns
    code, _, err = llava("data", "export", collection.folder, "-o", "pairs", "-f", "dpo")
    assert (code, err) == (0, "")
    (line,) = (tmp_path / "pairs" / "dpo-00000.jsonl").read_text().splitlines()
    pair = json.loads(line)
    assert pair["source"] == "two answers"
    assert pair["prompt"][-1]["content"][-1]["text"].endswith("Blur it.")
    assert pair["chosen"][-1]["content"] == [{"type": "text", "text": "Here: {img_2}."}]
    assert pair["rejected"][-1]["content"] == [{"type": "text", "text": "Blurred."}]
    manifest = json.loads((tmp_path / "pairs" / "manifest.json").read_text())
    assert manifest["pairs"] == {"two answers": 1, "correction": 0}


def test_nobody_is_asked_where_no_folder_was_named(page_of, inbox, upload):
    page = page_of(*FIRST, offered=False)
    visit = Visit(page.lobby, inbox)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sent(page, visit, "Where is the face?", upload())
        assert page.feedback.updates(visit) == {}
    box = next(c for c in page.blocks.config["components"] if c["props"].get("elem_id") == "giving")
    assert box["props"]["visible"] is False
