"""A picture, small real skills, and visits and chats with a scripted planner."""

import asyncio
import threading
import time
from contextlib import aclosing

import numpy as np
import pytest

from llava_plus.agent import Agent, Decision, ScriptedPlanner, SessionStore
from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Call, Image, Region, SkillRegistry, Text, TextLines, skill
from llava_plus.ui.cli import main
from llava_plus.ui.lobby import Lobby
from llava_plus.ui.state import Visit


@skill
def detect(image: Image, label: str) -> Boxes:
    """Find things that a word names."""
    if label != "face":
        raise SkillError(f"detect: cannot find {label!r}; it finds faces.")
    return Boxes(((0.1, 0.1, 0.5, 0.5),), labels=("face",), query="face")


@skill
def blur(image: Image, *, region: Region | None = None, strength: float = 0.5) -> Image:
    """Blur a region."""
    return Image.from_array(255 - image.pixels)


@skill
def select(region: Region, *, nth: int = 1) -> Region:
    """Keep one of several."""
    return region.take([nth - 1])


@skill
def read(image: Image) -> TextLines:
    """Read text."""
    square = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.2), (0.0, 0.2))
    return TextLines(("<img src=x onerror=alert(1)>",), (square,))


@skill(cache=False)
def slow(image: Image) -> Text:
    """Take its time."""
    time.sleep(5)
    return Text("done")


class Gate:
    """A planner that blurs, then answers with the request when it is let go on."""

    name = "gate"

    def __init__(self):
        self.go = threading.Event()

    async def plan(self, view):
        turn = view.turns[-1]
        if not turn.steps:
            args = {"image": view.artifacts.handles("image")[-1]}
            yield Decision(calls=(Call(id="call_1", skill="blur", args=args),))
            return
        while not self.go.is_set():
            await asyncio.sleep(0.01)
        yield Decision(answer=f"{turn.message}: {{img_2}}")


@pytest.fixture(scope="session")
def skills():
    return SkillRegistry([detect, blur, select, read, slow])


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.fixture
def inbox(tmp_path):
    """The folder of uploads, with a picture in it."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def upload(inbox, picture):
    """Upload a picture and return its path."""

    def put(name="one.png", shift=0):
        path = inbox / name
        Image.from_array(np.roll(picture, shift, axis=1)).save(path)
        return str(path)

    return put


@pytest.fixture
def visit(skills, inbox):
    """Make a visit whose planner plays a script."""

    def make(*script, planner=None):
        planner = planner or ScriptedPlanner(script)
        return Visit(Lobby(lambda: Agent(planner, skills)), inbox)

    return make


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LLAVA_PLUS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def llava(capsys, monkeypatch, tmp_path):
    """Run the command line in an empty folder; return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments, script=(), typed=()):
        lines = iter(typed)

        def read(*_):
            try:
                return next(lines)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr("builtins.input", read)
        try:
            main(list(map(str, arguments)), load=lambda name, device: ScriptedPlanner(script))
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return run


@pytest.fixture
def small(tmp_path):
    """A small picture in a file."""
    path = tmp_path / "small.png"
    Image.from_array(np.full((20, 30, 3), 200, np.uint8)).save(path)
    return path


@pytest.fixture
def play():
    """Carry a request out in a visit; yield the chat as it grows."""

    async def begin(visit, request):
        visit.begin(request)
        async with aclosing(visit.follow()) as chats:
            async for chat in chats:
                yield chat

    return begin


@pytest.fixture
def tell(play):
    """Send a message in a visit; return the chat as it was after each change."""

    def send(visit, text, *paths):
        async def all_of_them():
            return [list(chat) async for chat in play(visit, visit.prepare(text, paths))]

        return asyncio.run(all_of_them())

    return send


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def lobby(gate, skills, tmp_path):
    def make(*, kept=True, shared=False, planner=gate, **options):
        home = tmp_path / "home" if kept else None
        store = SessionStore(home) if kept else None
        return Lobby(lambda: Agent(planner, skills, home=home), store, shared=shared, **options)

    return make


@pytest.fixture(scope="session")
def built_page(tmp_path_factory):
    """A page with a list of kept chats, built once: that takes half a second."""
    from llava_plus.ui.app import Page

    page = Page(
        Lobby(lambda: Agent(ScriptedPlanner([])), SessionStore(tmp_path_factory.mktemp("k")))
    )
    yield page
    page.blocks.close(verbose=False)


@pytest.fixture
def page(built_page, lobby, monkeypatch):
    """The page, with a lobby of its own."""
    monkeypatch.setattr(built_page, "lobby", lobby())
    return built_page
