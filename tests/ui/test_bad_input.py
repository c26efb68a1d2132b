"""Whatever comes in, a sentence says what to do, and nothing is lost."""

import asyncio
import warnings

import pytest

from llava_plus.errors import SetupError
from llava_plus.ui.examples import FOLDER
from llava_plus.ui.state import LONGEST, Visit

PHOTO = (FOLDER / "coffee.jpg").read_bytes()


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (PHOTO[: len(PHOTO) // 3], "Copy or download it again"),
        (b"This is a text, no picture.\n" * 20, "Give a PNG, JPEG or WebP file"),
        (b"", "it is empty"),
    ],
)
def test_a_bad_file_is_named_once_and_the_words_stay(page, inbox, content, advice):
    visit, path = Visit(page.lobby, inbox), inbox / "bad.jpg"
    path.write_bytes(content)
    message = {"text": "Crop it.", "files": [str(path)]}
    with pytest.warns(UserWarning, match=rf"bad\.jpg.*{advice}"):
        left = asyncio.run(page._attach(visit, message))
    assert left[page.message] == {"text": "Crop it.", "files": []}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # browsers tell of a change twice
        asyncio.run(page._attach(visit, message))


def test_thirty_pictures_at_once_are_all_there_in_order(page, inbox, upload, tell, gate):
    gate.go.set()
    visit = Visit(page.lobby, inbox)
    paths = [upload(f"{number}.png", shift=number) for number in range(30)]
    asyncio.run(page._attach(visit, {"text": "", "files": paths}))
    assert [entry.handle for entry in visit.desk.entries()] == [f"img_{n}" for n in range(1, 31)]
    tell(visit, "How many?", *paths)
    assert len(visit.session.trace.turns[0].images) == 30


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "Write what to do"),
        (" \n\t", "Write what to do"),
        ("word! " * 16_667, f"has 100,001 characters. Write at most {LONGEST:,}"),
        ("/", "/help lists the skills"),
        ("/nosuchskill", "No skill 'nosuchskill'. Known: blur, detect"),
        ("/blur", "blur needs a picture; add one first"),
    ],
)
def test_a_message_that_cannot_be_carried_out_says_what_to_do(page, inbox, text, advice):
    visit = Visit(page.lobby, inbox)
    with pytest.raises(SetupError, match=advice):
        visit.prepare(text, [])
    assert not visit.running
    assert visit.lobby.listed("") == []


@pytest.mark.parametrize(
    ("title", "advice"),
    [("", "in a few words"), (" \n", "in a few words"), ("x" * 9999, "at most")],
)
def test_a_title_that_is_none_is_refused_and_the_old_one_stays(
    lobby, gate, inbox, upload, tell, title, advice
):
    lobby = lobby()
    gate.go.set()
    visit = Visit(lobby, inbox)
    tell(visit, "Mine", upload())
    with pytest.raises(SetupError, match=advice):
        lobby.rename("", visit.session.id, title)
    assert [one.info.title for one in lobby.listed("")] == ["Mine"]


@pytest.mark.parametrize(("id", "advice"), [("", "Choose one in the list"), ("gone", "not there")])
def test_what_is_done_to_no_chat_says_so(page, inbox, id, advice):
    visit, lobby = Visit(page.lobby, inbox), page.lobby
    for attempt in (
        lambda: visit.open(id),
        lambda: lobby.rename("", id, "Mine"),
        lambda: lobby.export("", id, inbox),
        lambda: lobby.delete("", id),
    ):
        with pytest.raises(SetupError, match=advice):
            attempt()
    with pytest.warns(UserWarning, match=advice):
        assert not page.shelf.ask(visit, id)[page.shelf.sure].visible


def test_a_deleted_chat_is_not_exported(lobby, gate, inbox, upload, tell):
    lobby = lobby()
    gate.go.set()
    visit = Visit(lobby, inbox)
    tell(visit, "Mine", upload())
    lobby.delete("", visit.session.id)
    with pytest.raises(SetupError, match=r"not there any more\. Choose another"):
        lobby.export("", visit.session.id, inbox)


def test_stop_twice_and_once_more_does_no_harm(play, lobby, gate, inbox, upload, tell):
    visit = Visit(lobby(), inbox)

    async def stopped():
        chats = play(visit, visit.prepare("Mine", [upload()]))
        await anext(chats)
        visit.stop()
        visit.stop()
        async for _ in chats:
            pass

    asyncio.run(stopped())
    visit.stop()
    gate.go.set()
    tell(visit, "Again")
    assert [turn.reason for turn in visit.session.trace.turns] == ["cancelled", "answered"]
