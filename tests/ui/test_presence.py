"""Two pages on one chat, and pages that are closed or cut off."""

import asyncio

import pytest

from llava_plus.agent import Agent, ScriptedPlanner
from llava_plus.errors import SetupError
from llava_plus.ui.lobby import AWAY
from llava_plus.ui.state import Visit


class Clock:
    """Seconds that pass when they are told to."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def shell(skills, tmp_path):
    """Open a kept session as another process does."""

    def open_it(id, *script):
        return Agent(ScriptedPlanner(script), skills, home=tmp_path / "home").session(id)

    return open_it


def words(chat):
    return " ".join(part for one in chat for part in one["content"] if isinstance(part, str))


async def begun(visit, text, *paths):
    """Send a message and wait until its second step waits to go on."""
    visit.begin(visit.prepare(text, paths))
    async for turn in visit.conversation.watch():
        if len(turn.steps) == 2:
            return


async def over(conversation):
    async for _ in conversation.watch():
        pass


def test_a_page_sees_what_another_one_began_on_the_same_chat(page, gate, inbox, upload, tell):
    gate.go.set()
    one, two = Visit(page.lobby, inbox), Visit(page.lobby, inbox)
    tell(one, "First", upload())
    two.open(one.session.id)
    gate.go.clear()

    async def both():
        assert page.chat not in await page._glance(two)
        await begun(one, "Second", upload("b.png", shift=9))
        seen = await page._glance(two)
        assert "Second" in words(seen[page.chat])
        assert words(seen[page.chat]).count("blur") == 2  # each step once
        assert seen[page.stop].interactive
        assert page.chat not in await page._glance(two)  # nothing new
        gate.go.set()
        await over(one.conversation)
        return await page._glance(two), await page._glance(two)

    last, after = asyncio.run(both())
    assert words(last[page.chat]).count("Second&#58;") == 1
    assert [name for _, name in last[page.pictured.gallery]] == ["img_1", "img_2", "img_3", "img_4"]
    assert not last[page.stop].interactive
    assert page.chat not in after
    one._keep()
    assert len(two.chat) == len(one.chat) > 0


def test_a_page_that_follows_a_run_is_not_shown_it_twice(page, gate, inbox, upload):
    visit = Visit(page.lobby, inbox)

    async def followed():
        await begun(visit, "Mine", upload())
        chats = visit.follow()
        await anext(chats)
        assert page.chat not in await page._glance(visit)
        gate.go.set()
        async for _ in chats:
            pass
        return await page._glance(visit)

    asyncio.run(followed())
    assert words(visit.chat).count("Mine&#58;") == 1


def test_the_list_tells_on_all_pages_that_a_request_begins_and_ends(page, gate, inbox, upload):
    one, two = Visit(page.lobby, inbox), Visit(page.lobby, inbox)
    page.shelf.updates(two)

    async def listed():
        await begun(one, "Mine", upload())
        begins = await page._glance(two)
        assert page.shelf.list not in await page._glance(two)
        gate.go.set()
        await over(one.conversation)
        return begins, await page._glance(two)

    begins, ends = asyncio.run(listed())
    ((line, id),) = begins[page.shelf.list].choices
    assert ("Mine" in line, "running" in line, id) == (True, True, one.session.id)
    assert "value" not in begins[page.shelf.list].constructor_args  # what is chosen stays chosen
    ((line, _),) = ends[page.shelf.list].choices
    assert ("running" in line, "requests: 1" in line) == (False, True)


def test_a_closed_page_gives_its_chat_free_at_once(page, gate, inbox, upload, tell, shell):
    class Request:
        headers = {}  # noqa: RUF012
        session_hash = "tab"

    gate.go.set()
    visit = page._open("", "", Request())[page.visit]
    visit._inbox = visit.desk._inbox = inbox
    tell(visit, "Mine", upload())
    with pytest.raises(SetupError, match="open already"):
        shell(visit.session.id)
    page.presence.left(Request())
    shell(visit.session.id).close()


def test_a_page_unheard_of_for_a_while_gives_its_chat_free(
    lobby, gate, inbox, upload, tell, shell, clock
):
    lobby = lobby(clock=clock)
    gate.go.set()
    visit = Visit(lobby, inbox)
    tell(visit, "Mine", upload())
    clock.now += AWAY - 1
    visit.stay()
    clock.now += AWAY - 1
    lobby.release_absent()
    with pytest.raises(SetupError, match="open already"):
        shell(visit.session.id)
    clock.now += 2
    lobby.release_absent()
    shell(visit.session.id).close()


def test_what_runs_is_not_free_before_it_ends(lobby, gate, inbox, upload, shell, clock):
    lobby = lobby(clock=clock)

    async def left():
        visit = Visit(lobby, inbox)
        await begun(visit, "Mine", upload())
        clock.now += AWAY + 1
        lobby.release_absent()
        with pytest.raises(SetupError, match="open already"):
            shell(visit.session.id)
        gate.go.set()
        await over(visit.conversation)
        return visit

    visit = asyncio.run(left())
    kept = shell(visit.session.id)
    assert [turn.reason for turn in kept.trace.turns] == ["answered"]
    kept.close()


def test_a_page_that_comes_back_has_lost_nothing(page, gate, inbox, upload, tell, shell):
    gate.go.set()
    visit = Visit(page.lobby, inbox)
    tell(visit, "Mine", upload())
    visit.desk.attach([upload("b.png", shift=9)])
    visit.desk.mark([0.5, 0.5])
    visit.rest()
    other = shell(visit.session.id, "From the shell.")
    with pytest.raises(SetupError, match="open already"):
        visit.prepare("Now?", visit.desk.unsent)
    other.run_sync("Hello shell")
    other.close()
    visit.stay()
    seen = asyncio.run(page._glance(visit))
    assert words(seen[page.chat]).count("Hello shell") == 1
    assert words(seen[page.chat]).count("Mine&#58;") == 1
    assert (len(visit.desk.unsent), len(visit.desk.marks)) == (1, 1)
    tell(visit, "Now?", *visit.desk.unsent)
    turns = visit.session.trace.turns
    assert [turn.message for turn in turns] == ["Mine", "Hello shell", "Now?"]
    assert (turns[2].images, turns[2].pointers) == (("img_3",), ("points_1",))


def test_a_chat_that_is_another_one_now_is_shown_as_it_is(lobby, gate, inbox, upload, tell, shell):
    lobby = lobby()
    gate.go.set()
    visit = Visit(lobby, inbox)
    tell(visit, "Mine", upload())
    visit.rest()
    lobby.store.delete(visit.session.id)
    other = shell(visit.session.id, "Another beginning.")
    other.run_sync("Hello shell")
    other.close()
    visit.stay()
    assert [turn.message for turn in visit.session.trace.turns] == ["Hello shell"]
    assert "Mine" not in words(visit.chat)


def test_what_is_not_kept_stays_with_a_page_that_is_away(lobby, gate, inbox, upload, clock):
    lobby = lobby(kept=False, clock=clock)

    async def away():
        visit = Visit(lobby, inbox)
        await begun(visit, "Mine", upload())
        visit.rest()
        clock.now += AWAY + 1
        lobby.release_absent()
        assert visit.running
        gate.go.set()
        await over(visit.conversation)
        visit.stay()
        return visit.session.trace.turns[0].reason

    assert asyncio.run(away()) == "answered"


def test_a_page_that_the_server_has_forgotten_says_what_to_do(page):
    class Request:
        headers = {"accept-language": "zh"}  # noqa: RUF012

    lost = page.presence.lost(Request())
    assert "重新加载" in lost[page.presence.gone].value
    assert not lost[page.presence.clock].active
