import asyncio
import json
import threading
from pathlib import Path

import pytest

from llava_plus.agent import ScriptedPlanner
from llava_plus.errors import ImageError, SetupError
from llava_plus.skills import Image
from llava_plus.ui.late import LatePlanner

BLUR = ("detect(img_1, 'face')", "blur(img_1, region=boxes_1)", "I blurred {boxes_1}.")


def words(chat):
    parts = [part for one in chat for part in one["content"]]
    return " ".join(part for part in parts if isinstance(part, str))


def pictures(chat):
    return [part["path"] for one in chat for part in one["content"] if isinstance(part, dict)]


def test_a_message_is_carried_out_step_by_step(visit, tell, upload):
    visit = visit(*BLUR)
    chats = tell(visit, "Blur the face.", upload())
    assert "1 face" not in words(chats[0])
    assert "1 face" in words(chats[-1])
    assert chats[-1] == visit.chat
    assert all(Path(path).is_file() for path in pictures(chats[-1]))
    assert [caption for _, caption in visit.gallery()] == ["img_1", "img_2"]


def test_the_first_look_already_shows_the_request_and_its_picture(visit, tell, upload):
    first = tell(visit("Yes."), "Nice?", upload())[0]
    assert "Nice" in words(first)
    assert len(pictures(first)) == 1


def test_visitors_do_not_mix(visit, tell, upload, skills):
    one, two = visit("One."), visit("Two.")
    tell(one, "Hello one", upload("a.png"))
    assert not two.chat
    assert not two.gallery()
    tell(two, "Hello two", upload("b.png", shift=7))
    assert "one" not in words(two.chat)
    assert one.session.artifacts["img_1"].value != two.session.artifacts["img_1"].value
    assert one.session.artifacts.store is not two.session.artifacts.store
    assert not set(pictures(one.chat)) & set(pictures(two.chat))
    assert one.files.folder != two.files.folder


def test_a_mark_on_an_unsent_picture_goes_with_the_message(visit, tell, upload):
    visit = visit("blur(img_1, region=boxes_1)", "Done.")
    path = upload()
    visit.desk.attach([path])
    visit.desk.mark([0.9, 0.8, 0.1, 0.2])
    panel = visit.panel()
    assert panel["marks"] == [{"at": [0.1, 0.2, 0.9, 0.8], "name": "boxes_1"}]
    assert "pending" in panel["hint"]
    tell(visit, "blur this", path)
    turn = visit.session.trace.turns[0]
    assert (turn.images, turn.pointers) == (("img_1",), ("boxes_1",))
    assert visit.session.artifacts["boxes_1"].value.xyxy == ((0.1, 0.2, 0.9, 0.8),)
    assert not visit.panel()["marks"]


def test_a_mark_stays_on_its_picture_when_another_comes_in_between(visit, upload):
    visit = visit()
    visit.desk.attach([upload("a.png")])
    visit.desk.mark([0.5, 0.5])
    visit.session.attach([Image.from_array(visit.desk.entries()[0].image.pixels[::-1])])
    visit.desk.hand_over()
    assert visit.session.artifacts["points_1"].source == "user:img_2"


def test_marks_of_a_picture_that_was_taken_back_are_gone(visit, upload):
    visit = visit()
    visit.desk.attach([upload()])
    visit.desk.mark([0.5, 0.5])
    visit.desk.attach([])
    assert not visit.desk.marks


def test_the_newest_picture_is_pointed_at_unless_another_is_chosen(visit, tell, upload):
    visit = visit(*BLUR)
    tell(visit, "Blur the face.", upload())
    assert visit.panel()["handle"] == "img_2"
    visit.desk.choose(0)
    assert visit.panel()["handle"] == "img_1"
    visit.desk.choose(99)
    assert visit.panel()["handle"] == "img_2"


@pytest.mark.parametrize(
    "data", [None, [], [0.5], [0.5, 2], ["a", "b"], [0, 0, 1], {"at": 1}, [float("nan"), 0]]
)
def test_a_mark_that_a_browser_made_up_is_refused(visit, upload, data):
    visit = visit()
    visit.desk.attach([upload()])
    with pytest.raises(SetupError, match="no place"):
        visit.desk.mark(data)


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside.png", "https://example.com/a.png"])
def test_only_uploads_are_opened(visit, inbox, picture, path):
    outside = inbox.parent / "outside.png"
    Image.from_array(picture).save(outside)
    path = str(inbox / path) if path.startswith("..") else path
    with pytest.raises(ImageError, match="not uploaded"):
        visit().prepare("Look.", [path])


def test_a_bad_picture_is_named_and_the_good_one_stays(visit, inbox, upload):
    (inbox / "bad.png").write_text("no picture")
    visit = visit()
    with pytest.raises(ImageError, match=r"bad\.png"):
        visit.prepare("Look.", [upload(), str(inbox / "bad.png")])
    assert [entry.handle for entry in visit.desk.entries()] == ["img_1"]
    assert not visit.session.trace.turns


def test_a_call_by_hand_needs_no_planner(visit, tell, upload):
    visit = visit()
    tell(visit, "/blur strength=0.9", upload())
    turn = visit.session.trace.turns[0]
    assert (turn.by, turn.reason, turn.images) == ("person", "answered", ("img_1",))
    assert [caption for _, caption in visit.gallery()] == ["img_1", "img_2"]


def test_a_call_that_cannot_be_read_loses_nothing(visit, tell, upload):
    visit = visit()
    path = upload()
    visit.desk.attach([path])
    visit.desk.mark([0.5, 0.5])
    with pytest.raises(SetupError, match="Did you mean 'blur'"):
        visit.prepare("/blurr", [path])
    assert not visit.desk.unsent
    tell(visit, "/blur")
    turn = visit.session.trace.turns[0]
    assert (turn.images, turn.pointers) == (("img_1",), ("points_1",))


def test_help_is_shown_without_a_turn(visit, tell):
    visit = visit()
    assert "detect" in words(tell(visit, "/help")[-1])
    assert not visit.session.trace.turns


def test_an_empty_message_says_what_is_missing(visit):
    with pytest.raises(SetupError, match="empty"):
        visit().prepare("  ", [])


class Waiting:
    """A planner that never comes to an end."""

    name = "waiting"

    async def plan(self, view):
        yield '{"thought":"Hm'
        await asyncio.sleep(60)


@pytest.mark.parametrize("text", ["Wait.", "/slow"])
def test_stop_ends_a_turn_and_keeps_it(play, visit, upload, text):
    visit = visit(planner=Waiting())

    async def stopped():
        chats = play(visit, visit.prepare(text, [upload()]))
        await anext(chats)
        asyncio.get_running_loop().call_later(0.2, visit.stop)
        async for _ in chats:
            pass

    asyncio.run(stopped())
    assert visit.session.trace.turns[-1].reason == "cancelled"
    assert "Stopped" in words(visit.chat)
    assert not visit.running


def test_a_second_message_waits_for_the_first(play, visit, upload):
    visit = visit(planner=Waiting())

    async def two():
        chats = play(visit, visit.prepare("Wait.", []))
        await anext(chats)
        with pytest.raises(SetupError, match="One request at a time"):
            visit.prepare("And this?", [])
        visit.stop()
        return [chat async for chat in chats]

    assert asyncio.run(two())


def test_a_second_message_is_refused_before_the_first_has_begun(visit):
    visit = visit("One.", "Two.")
    visit.prepare("Wait.", [])
    with pytest.raises(SetupError, match="One request at a time"):
        visit.prepare("And this?", [])


def test_a_new_chat_has_nothing_of_the_old_one(visit, tell, upload):
    visit = visit(*BLUR)
    tell(visit, "Blur the face.", upload())
    folder = visit.files.folder
    visit.new_chat()
    assert (visit.chat, visit.gallery(), visit.trace_file()) == ([], [], None)
    assert not folder.exists()


def test_an_old_turn_does_not_end_up_in_a_new_chat(play, visit):
    visit = visit(planner=Waiting())

    async def renewed():
        chats = play(visit, visit.prepare("Wait.", []))
        await anext(chats)
        visit.new_chat()
        return [chat async for chat in chats]

    assert asyncio.run(renewed()) == []
    assert visit.chat == []


def test_trace_and_picture_can_be_downloaded(visit, tell, upload):
    visit = visit(*BLUR)
    assert (visit.trace_file(), visit.picture_file()) == (None, None)
    tell(visit, "Blur the face.", upload())
    trace = json.loads(Path(visit.trace_file()).read_text())
    assert trace["turns"][0]["message"] == "Blur the face."
    assert Path(visit.picture_file()).name == "img_2.png"


def test_while_the_planner_loads_calls_work_and_requests_stay(visit, tell, upload):
    go = threading.Event()

    def load():
        go.wait(10)
        return ScriptedPlanner(["Hello."])

    late = LatePlanner(load, name="nano").start()
    visit = visit(planner=late)
    tell(visit, "/blur", upload())
    with pytest.raises(SetupError, match="still loading"):
        visit.prepare("Hello?", [])
    assert "loading" in visit.planner_state()
    go.set()
    late.loaded.wait(10)
    assert "Hello" in words(tell(visit, "Hello?")[-1])
    assert visit.planner_state() == "Planner: scripted"


def test_a_planner_that_cannot_be_loaded_says_why(visit, tell, upload):
    def load():
        raise SetupError("No weights here.")

    late = LatePlanner(load, name="nano").start()
    late.loaded.wait(10)
    visit = visit(planner=late)
    assert "No weights here." in visit.planner_state()
    with pytest.raises(SetupError, match="No weights here"):
        visit.prepare("Hello?", [])
    tell(visit, "/blur", upload())
    assert visit.session.trace.turns[0].reason == "answered"
