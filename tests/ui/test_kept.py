"""Kept sessions and approval in a shell."""

import shutil
import zipfile

import pytest

from llava_plus.agent import Agent, ScriptedPlanner

MINE = '''
from pathlib import Path

from llava_plus.skills import Image, Text, skill

@skill(approval=True)
def post(image: Image) -> Text:
    """Put a picture where all can see it."""
    Path(__file__).with_name("posted").touch()
    return Text("posted")
'''
TURN = "rotate(img_1, degrees=90)"

pytestmark = pytest.mark.usefixtures("home")


def test_without_a_name_nothing_is_kept(llava, home):
    assert llava("chat", "-m", "Hi.", script=("Hello.",))[0] == 0
    assert not home.exists()
    code, out, _ = llava("sessions")
    assert (code, "No sessions in" in out) == (0, True)


def test_a_chat_under_a_name_goes_on_the_next_time(llava, small):
    llava("chat", small, "-m", "Turn it.", "--session", "cats", script=(TURN, "{img_2}"))
    code, out, _ = llava("chat", "-m", "/rotate img_2 degrees=90", "--session", "cats")
    assert (code, "img_3: " in out) == (0, True)
    _, out, _ = llava("sessions", "list")
    assert all(words in out for words in ("cats", "Turn it.", "MB"))
    _, out, _ = llava("sessions", "show", "cats")
    assert (
        out.index("> Turn it.")
        < out.index("rotate(image=img_1, degrees=90)")
        < out.index("> /rotate")
    )


def test_a_chat_that_was_broken_off_goes_on_by_itself(llava, home, small, tmp_path, skills):
    def leave(view):
        shutil.copytree(home, tmp_path / "left")
        return "late"

    session = Agent(ScriptedPlanner(["read(img_1)", leave]), skills, home=home).session("cats")
    session.run_sync("read it", [small])
    session.close()
    shutil.rmtree(home)
    (tmp_path / "left").rename(home)
    assert "0 + 1 broken off" in llava("sessions")[1]
    code, out, _ = llava("chat", "-m", "Thanks.", "--session", "cats", script=("Read.", "Bye."))
    assert code == 0
    assert out.index("Going on") < out.index("Read.") < out.index("> Thanks.") < out.index("Bye.")
    assert "broken off" not in llava("sessions")[1]


def test_sessions_are_renamed_exported_and_deleted(llava, small, home, tmp_path):
    llava("chat", small, "-m", "Hi.", "--session", "cats", script=("Hello.",))
    assert llava("sessions", "rename", "cats", "All my cats")[0] == 0
    assert "All my cats" in llava("sessions")[1]
    assert llava("sessions", "export", "cats", "cats.zip")[:2] == (0, "exported cats.zip\n")
    with zipfile.ZipFile(tmp_path / "cats.zip") as archive:
        assert "trace.json" in archive.namelist()
    code, out, _ = llava("sessions", "delete", "cats")
    assert (code, out.startswith("deleted cats, ")) == (0, True)
    assert list((home / "pictures").rglob("*.png")) == []


def test_old_sessions_go_when_asked(llava):
    llava("chat", "-m", "Hi.", "--session", "cats", script=("Hello.",))
    assert llava("sessions", "delete", "--older-than", "1", "--over", "100")[1] == ""
    assert llava("sessions", "delete", "--older-than", "0")[1] == "deleted cats\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "dogs"), "There is no session 'dogs'"),
        (("delete", "../cats"), "cannot be called"),
        (("delete",), "Say what to delete"),
        (("export", "dogs", "x.zip"), "There is no session 'dogs'"),
    ],
)
def test_mistakes_are_a_sentence(llava, arguments, words):
    code, out, err = llava("sessions", *arguments)
    assert (code, out, words in " ".join(err.split())) == (1, "", True)


@pytest.mark.parametrize(
    ("typed", "posted", "words"),
    [
        (["y"], True, "Done."),
        (["n"], False, "the person refused post. Do"),
        (["not that one"], False, "refused post: not that one."),
        ([], False, "nobody was there to allow it"),
    ],
)
def test_the_terminal_asks_before_a_skill_that_needs_it(
    llava, small, tmp_path, typed, posted, words
):
    (tmp_path / "mine.py").write_text(MINE)
    last = "Done." if posted else "{error}"
    code, out, _ = llava(
        "chat", small, "-m", "Post it.", "--skills", "mine.py", script=("post(img_1)", last),
        typed=typed,
    )  # fmt: skip
    assert code == 0
    assert "? post(image=img_1) waits for you" in out
    assert words in out
    assert (tmp_path / "posted").exists() is posted
