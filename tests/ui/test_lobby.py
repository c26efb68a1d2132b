"""Who finds which conversation, and what goes on while nobody looks."""

import asyncio
import shutil
import time
import zipfile

import numpy as np
import pytest

from llava_plus.agent import Retention
from llava_plus.errors import SetupError
from llava_plus.skills import Image
from llava_plus.ui.lobby import prune_hourly
from llava_plus.ui.state import Visit

ALICE, BOB = "a" * 32, "b" * 32


def words(chat):
    return " ".join(part for one in chat for part in one["content"] if isinstance(part, str))


def ids(lobby, visit):
    return [one.info.id for one in lobby.listed(visit.owner)]


async def begun(visit, text, *paths):
    """Send a message and wait until the first step is over."""
    visit.begin(visit.prepare(text, paths))
    async for turn in visit.conversation.watch():
        if turn.steps and turn.steps[0].observations:
            return


async def ended(visit):
    return [chat async for chat in visit.follow()][-1]


@pytest.mark.parametrize("kept", [False, True])
def test_a_reloaded_page_comes_back_to_what_runs_and_sees_its_end(lobby, gate, inbox, upload, kept):
    lobby = lobby(kept=kept)

    async def reloaded():
        before = Visit(lobby, inbox)
        await begun(before, "Mine", upload())
        after = Visit(lobby, inbox)
        after.open(before.session.id)
        before.close()
        assert after.running
        first = await anext(after.follow())
        assert "Mine" in words(first)
        assert [name for _, name in after.gallery()] == ["img_1", "img_2"]
        gate.go.set()
        return words(await ended(after))

    assert "Mine: img" in asyncio.run(reloaded()).replace("&#95;", "_").replace("&#58;", ":")


def test_a_kept_run_ends_with_nobody_there_and_is_opened_with_its_pictures(
    lobby, gate, inbox, upload
):
    lobby = lobby()

    async def left():
        visit = Visit(lobby, inbox)
        await begun(visit, "Mine", upload())
        conversation = visit.conversation
        visit.close()
        assert conversation.running
        gate.go.set()
        async for _ in conversation.watch():
            pass
        return conversation.id

    id = asyncio.run(left())
    visit = Visit(lobby, inbox)
    (one,) = lobby.listed("")
    assert (one.info.id, one.info.title, one.info.turns, one.running) == (id, "Mine", 1, False)
    visit.open(id)
    shown = [part for one in visit.shown() for part in one["content"]]
    assert sum(isinstance(part, dict) for part in shown) == 2
    assert [name for _, name in visit.gallery()] == ["img_1", "img_2"]


def test_what_is_not_kept_stops_when_its_last_page_has_left(lobby, inbox, upload):
    lobby = lobby(kept=False)

    async def left():
        visit = Visit(lobby, inbox)
        await begun(visit, "Mine", upload())
        visit.close()
        async for _ in visit.conversation.watch():
            pass
        return visit.session.trace.turns[-1].reason, lobby.has("", visit.session.id)

    assert asyncio.run(left()) == ("cancelled", False)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("key", [BOB, "", "no key"])
def test_on_a_shared_page_nobody_reaches_what_is_another_visitors(
    lobby, gate, inbox, upload, tell, key, kept
):
    lobby = lobby(shared=True, kept=kept)
    gate.go.set()
    alice, other = Visit(lobby, inbox, key=ALICE), Visit(lobby, inbox, key=key)
    tell(alice, "Mine", upload())
    id = alice.session.id
    assert lobby.listed(other.owner) == []
    assert not lobby.has(other.owner, id)
    for attempt in (
        lambda: other.open(id),
        lambda: lobby.rename(other.owner, id, "Mine"),
        lambda: lobby.export(other.owner, id, inbox),
        lambda: lobby.delete(other.owner, id),
    ):
        with pytest.raises(SetupError, match="not there any more"):
            attempt()
    assert Visit(lobby, inbox, key=ALICE).owner == alice.owner != other.owner
    assert ids(lobby, alice) == ([id] if kept else [])


def test_without_a_key_a_visitor_owns_nothing_twice(lobby):
    lobby = lobby(shared=True)
    assert lobby.owner("") != lobby.owner("") != ""


@pytest.mark.parametrize("id", ["", "../..", "x" * 99, "gone"])
def test_a_chat_that_a_browser_made_up_is_refused_and_nothing_moves(lobby, inbox, id):
    visit = Visit(lobby(), inbox)
    before = visit.session
    with pytest.raises(SetupError, match="not there any more" if id else "No chat is chosen"):
        visit.open(id)
    assert visit.session is before


def test_twenty_visitors_at_once_mix_nothing(lobby, gate, inbox, picture):
    lobby = lobby(shared=True)
    visits = [Visit(lobby, inbox, key=f"{n:032x}") for n in range(20)]
    seen = []

    async def talk(number, visit):
        path = inbox / f"{number}.png"
        Image.from_array(np.full((16 + number, 20, 3), number * 9, np.uint8)).save(path)
        await begun(visit, f"visitor {number} here", str(path))
        seen.append(number)
        if len(seen) == 20:  # all of them are in the middle of their runs
            gate.go.set()
        return words(await ended(visit))

    async def together():
        return await asyncio.gather(*(talk(*one) for one in enumerate(visits)))

    said = asyncio.run(together())
    for number, visit in enumerate(visits):
        others = set(range(20)) - {number}
        assert f"visitor {number} here" in said[number]
        assert not any(f"visitor {other} here" in said[number] for other in others)
        (turn,) = visit.session.trace.turns
        assert (turn.reason, turn.answer[:14]) == ("answered", f"visitor {number} here"[:14])
        there = visit.session.artifacts
        heights = {there[handle].value.height for handle in there.handles("image")}
        assert heights == {16 + number}
        assert int(there["img_2"].value.pixels[0, 0, 0]) == 255 - number * 9
        assert ids(lobby, visit) == [visit.session.id]
    assert len({visit.files.folder for visit in visits}) == 20


def test_a_chat_without_a_request_is_not_kept(lobby, inbox):
    lobby = lobby()
    visit = Visit(lobby, inbox)
    with pytest.raises(SetupError, match="No skill 'nonsense'"):
        visit.prepare("/nonsense", [])
    assert lobby.listed("") == []
    assert not visit.running


def test_kept_chats_are_renamed_exported_and_deleted(lobby, gate, inbox, upload, tell):
    lobby = lobby()
    gate.go.set()
    visit = Visit(lobby, inbox)
    tell(visit, "Mine", upload())
    id = visit.session.id
    lobby.rename("", id, "All my cats")
    assert [one.info.title for one in lobby.listed("")] == ["All my cats"]
    with zipfile.ZipFile(lobby.export("", id, visit.files.folder)) as archive:
        assert sum(name.endswith(".png") for name in archive.namelist()) == 2
    lobby.delete("", id)  # though this page has it open
    assert lobby.listed("") == []
    with pytest.raises(SetupError, match="not there any more"):
        visit.prepare("And now?", [upload()])
    assert not visit.running


def test_a_chat_in_which_a_request_runs_is_not_deleted(lobby, inbox, upload):
    lobby = lobby()

    async def tried():
        visit = Visit(lobby, inbox)
        await begun(visit, "Mine", upload())
        assert lobby.listed("")[0].running
        with pytest.raises(SetupError, match="Stop it first"):
            lobby.delete("", visit.session.id)
        visit.stop()
        await ended(visit)
        lobby.delete("", visit.session.id)

    asyncio.run(tried())
    assert lobby.listed("") == []


@pytest.fixture
def broken_off(lobby, inbox, upload, tmp_path):
    """Leave a session as a kill in the middle of its first turn does; return its id."""

    async def killed():
        visit = Visit(lobby(), inbox)
        await begun(visit, "Mine", upload())
        await asyncio.sleep(0.1)  # until the step's checkpoint is there
        shutil.copytree(tmp_path / "home", tmp_path / "left")
        visit.stop()
        await ended(visit)
        visit.close()
        return visit.session.id

    id = asyncio.run(killed())
    shutil.rmtree(tmp_path / "home")
    (tmp_path / "left").rename(tmp_path / "home")
    return id


def test_a_broken_off_request_is_shown_and_goes_on(lobby, gate, inbox, upload, broken_off):
    lobby = lobby()
    visit = Visit(lobby, inbox)
    assert lobby.listed("")[0].info.interrupted
    visit.open(broken_off)
    assert visit.interrupted
    assert "Mine" in words(visit.shown())
    assert "blur" in words(visit.shown())
    with pytest.raises(SetupError, match="broken off"):
        visit.prepare("Another", [upload("b.png")])
    gate.go.set()

    async def resumed():
        visit.resume()
        with pytest.raises(SetupError, match="One request at a time"):
            visit.resume()
        return await ended(visit)

    assert "Mine&#58;" in words(asyncio.run(resumed()))
    (turn,) = visit.session.trace.turns
    assert (turn.reason, len(turn.steps), visit.interrupted) == ("answered", 2, False)


def test_a_broken_off_request_can_be_ended_as_it_is(lobby, inbox, broken_off):
    visit = Visit(lobby(), inbox)
    visit.open(broken_off)
    visit.give_up()
    assert visit.session.trace.turns[0].reason == "cancelled"
    assert words(visit.shown()).count("Mine") == 1
    with pytest.raises(SetupError, match="broken off"):
        visit.resume()
    assert not visit.running


def test_a_damaged_chat_is_listed_and_cannot_be_opened(lobby, gate, inbox, upload, tell, tmp_path):
    lobby = lobby()
    gate.go.set()
    visit = Visit(lobby, inbox)
    tell(visit, "Mine", upload())
    id = visit.session.id
    visit.new_chat()
    (tmp_path / "home" / "sessions" / id / "session.sqlite").write_bytes(b"no database" * 999)
    assert lobby.listed("")[0].info.problem
    before = visit.session
    with pytest.raises(SetupError, match="damaged"):
        visit.open(id)
    assert visit.session is before
    lobby.delete("", id)
    assert lobby.listed("") == []


def test_moving_to_another_chat_lets_the_page_go_at_once(lobby, gate, inbox, upload):
    lobby = lobby()

    async def moved():
        visit = Visit(lobby, inbox)
        await begun(visit, "Mine", upload())
        follower = asyncio.create_task(ended_or_moved(visit))
        await asyncio.sleep(0.05)
        first = visit.conversation
        await asyncio.to_thread(visit.new_chat)
        await asyncio.wait_for(follower, 30)
        assert first.running
        assert visit.chat == []
        gate.go.set()
        async for _ in first.watch():
            pass

    async def ended_or_moved(visit):
        return [chat async for chat in visit.follow()]

    asyncio.run(moved())


def test_old_chats_go_at_the_start_but_never_an_open_one(lobby, gate, inbox, upload, tell):
    lobby = lobby()
    gate.go.set()
    visit = Visit(lobby, inbox)
    tell(visit, "Old", upload())
    visit.new_chat()
    tell(visit, "Open", upload())
    assert len(ids(lobby, visit)) == 2
    prune_hourly(lobby.store, Retention(days=0))
    end = time.monotonic() + 60
    while ids(lobby, visit) != [visit.session.id]:
        assert time.monotonic() < end, "the old chat is still there"
        time.sleep(0.05)
