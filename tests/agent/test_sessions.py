"""What was kept: found, named, exported, deleted."""

import zipfile
from pathlib import Path

import pytest

from llava_plus.agent import Agent, Retention, ScriptedPlanner, SessionStore, Trace, data_home
from llava_plus.errors import SetupError


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def store(home):
    return SessionStore(home)


@pytest.fixture
def keep(skills, home):
    """Keep a session of one turn, and close it unless it shall stay open."""

    def make(id, *images, message="blur it", close=True):
        planner = ScriptedPlanner(["blur(img_1)" if images else "Hi.", "{img_2}"])
        session = Agent(planner, skills, home=home).session(id)
        session.run_sync(message, images)
        if close:
            session.close()
        return session

    return make


def pictures(home):
    return sorted(path.stem for path in (home / "pictures").rglob("*.png"))


def test_the_newest_comes_first_with_its_first_request_as_title(store, keep, picture):
    assert store.infos() == []
    keep("a", picture, message="first\nand more")
    keep("b", message="x" * 200)
    newest, oldest = store.infos()
    assert (newest.id, newest.title, newest.turns) == ("b", "x" * 80, 1)
    assert (oldest.id, oldest.title, oldest.interrupted) == ("a", "first", False)
    assert oldest.bytes > newest.bytes > 0
    assert oldest.changed < newest.changed


def test_a_session_with_nothing_in_it_is_not_kept(store, skills, home):
    Agent(ScriptedPlanner([]), skills, home=home).session("a")
    assert not home.exists()
    assert store.infos() == []


def test_a_new_title_stays(store, keep):
    keep("a")
    store.rename("a", "  Cats\n and dogs ")
    keep("a", message="another")
    assert store.infos()[0].title == "Cats and dogs"
    with pytest.raises(SetupError, match="title is empty"):
        store.rename("a", " ")


@pytest.mark.parametrize("name", ["folder", "file.zip"])
def test_what_is_exported_can_be_loaded_elsewhere(store, keep, picture, tmp_path, name):
    before = keep("a", picture).trace
    target = store.export("a", tmp_path / "out" / name)
    if name.endswith(".zip"):
        with zipfile.ZipFile(target) as archive:
            archive.extractall(tmp_path / "unpacked")
        target = tmp_path / "unpacked"
    trace = Trace.load(target / "trace.json")
    assert trace.to_json() == before.to_json()
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    with pytest.raises(SetupError, match="is there already"):
        store.export("a", tmp_path / "out" / name)


def test_deleting_spares_the_pictures_of_others(store, keep, home, picture):
    keep("a", picture)
    only_a = set(pictures(home))
    keep("b", picture, picture // 2 + 9)
    shared = set(pictures(home))
    assert len(shared) == 3
    assert store.delete("a") > 0
    assert set(pictures(home)) == shared
    assert store.trace("b").artifacts["img_1"].value.digest in only_a
    store.delete("b")
    assert (pictures(home), store.infos()) == ([], [])
    with pytest.raises(SetupError, match="There is no session 'b'"):
        store.delete("b")


def test_an_open_session_is_not_deleted(store, keep, picture):
    open_one = keep("a", picture, close=False)
    with pytest.raises(SetupError, match="open already, in process"):
        store.delete("a")
    assert store.prune(Retention(days=0, bytes=0)) == []
    open_one.close()
    assert store.prune(Retention(days=0)) == ["a"]


def test_a_damaged_session_is_listed_can_be_deleted_and_spares_pictures(store, keep, home, picture):
    keep("a", picture)
    keep("b", picture + 1)
    (home / "sessions" / "a" / "session.sqlite").write_bytes(b"no database" * 1000)
    assert [("damaged" in info.problem, info.id) for info in store.infos()] == [
        (False, "b"),
        (True, "a"),
    ]
    there = pictures(home)
    store.delete("b")
    assert pictures(home) == there  # nobody knows which of them "a" uses
    assert store.prune(Retention(days=0)) == []
    store.delete("a")
    assert store.infos() == []


def test_the_oldest_go_until_the_rest_fits(store, keep, home, picture):
    for number, id in enumerate("abc"):
        keep(id, picture + number)
    sizes = {info.id: info.bytes for info in store.infos()}
    (home / "cache").mkdir()
    (home / "cache" / "big").write_bytes(bytes(10**6))  # results of skills are no sessions
    assert store.prune(Retention(bytes=10**6)) == []
    assert store.prune(Retention(bytes=sizes["b"] + sizes["c"] + 100)) == ["a"]
    assert store.prune(Retention(bytes=sizes["c"] + 100)) == ["b"]


def test_an_agent_prunes_when_a_session_is_opened(store, keep, skills, home):
    keep("a")
    keep("b")
    agent = Agent(ScriptedPlanner(["ok"]), skills, home=home, retention=Retention(days=0))
    agent.session("b").run_sync("go")
    assert [info.id for info in store.infos()] == ["b"]


@pytest.mark.parametrize(
    ("system", "variables", "wanted"),
    [
        ("linux", {}, "~/.local/share/llava-plus"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/llava-plus"),
        ("linux", {"XDG_DATA_HOME": "not/absolute"}, "~/.local/share/llava-plus"),
        ("darwin", {"XDG_DATA_HOME": "/data"}, "~/Library/Application Support/llava-plus"),
        ("linux", {"LLAVA_PLUS_HOME": "~/mine", "XDG_DATA_HOME": "/data"}, "~/mine"),
        ("darwin", {"LLAVA_PLUS_HOME": "/mine"}, "/mine"),
    ],
)
def test_data_lies_where_the_system_keeps_such_things(monkeypatch, system, variables, wanted):
    monkeypatch.setattr("sys.platform", system)
    for name in ("XDG_DATA_HOME", "LLAVA_PLUS_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert data_home() == Path(wanted).expanduser()
