"""Make the pictures of docs/sessions.md: ``CHROMIUM=… python docs/make_screenshots.py``.

Needs the package playwright, and a browser, whose path CHROMIUM is. Every scene opens a page of its
own on a free port, with the example photographs and chats that are deleted afterwards; names of
scenes after the command make only those.
"""

import asyncio
import os
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from PIL import Image as Pillow
from playwright.sync_api import Browser, Page, sync_playwright

from llava_plus.agent import (
    Agent,
    Decision,
    Limits,
    Planner,
    PlanView,
    ScriptedPlanner,
    SessionStore,
    load_planner,
)
from llava_plus.agent.scripted import read_line
from llava_plus.errors import SetupError
from llava_plus.skills import Image, SkillRegistry, Text, default_registry, skill
from llava_plus.ui.examples import FOLDER
from llava_plus.ui.late import LatePlanner
from llava_plus.ui.serve import serve

PICTURES = Path(__file__).parent / "pictures"
LIMIT = 150_000  # bytes of a picture
WIDE, PHONE = (1180, 860), (390, 844)  # pixels
PATIENCE = 900.0  # seconds for everything: a busy machine gives the same pictures
BOX = "#message textarea"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SCRIPTS = {  # of each request: a thought and what follows; "…" waits until it may go on
    "Blur the face.": (
        ("I need to know where the face is.", "detect(img_1, 'face')"),
        ("Found. Now I blur it so strongly that nobody knows her …", "blur(img_1, boxes_1, 0.9)"),
        ("Done.", "I blurred {boxes_1}: see {img_2}."),
    ),
    "Make it look old.": (
        ("First all colour has to go.", "adjust(img_1, grayscale=True)"),
        ("Now I think about what else makes a photograph old …", "It is old in {img_2}."),
    ),
    "Post it.": (
        ("It goes online only if the person agrees.", "post(img_1, 'Good morning!')"),
        ("Done.", "It is online."),
    ),
    "模糊人脸。": (
        ("先找到人脸。", "detect(img_1, 'face')"),
        ("再把它模糊。", "blur(img_1, boxes_1, 0.9)"),
        ("好了。", "人脸已模糊,见 {img_2}。"),
    ),
}


@skill(approval=True, cache=False, isolation="inline")
def post(image: Image, words: str) -> Text:
    """Put a picture where all can see it."""
    return Text("posted")


class Play:
    """Plays the script of each request.

    Args:
        held: Whether "…" waits; `go` lets it go on.
    """

    name = "scripted"

    def __init__(self, *, held: bool = False) -> None:
        self.go = threading.Event()
        if not held:
            self.go.set()

    async def plan(self, view: PlanView) -> AsyncIterator[str | Decision]:
        """Yield the next line of the script as a model would write it."""
        turn = view.turns[-1]
        thought, line = SCRIPTS[turn.message][len(turn.steps)]
        if thought.endswith("…"):
            yield f'{{"thought":"{thought}'
            while not self.go.is_set():
                await asyncio.sleep(0.05)
        done = read_line(line, view)
        decision = Decision(thought=thought, calls=done.calls, answer=done.answer)
        async for piece in ScriptedPlanner([decision]).plan(view):
            yield piece


def main() -> None:
    """Play the scenes that the command line names, or all."""
    scenes: dict[str, Callable[[Browser, Path], None]] = {
        "running": running,
        "planner": planner,
        "visitors": visitors,
        "words": words,
    }
    chosen = sys.argv[1:] or list(scenes)
    if unknown := set(chosen) - set(scenes):
        raise SetupError(f"No scene {', '.join(sorted(unknown))}. There are: {', '.join(scenes)}.")
    if not Path(chromium := os.environ.get("CHROMIUM", "")).is_file():
        raise SetupError(f"CHROMIUM is {chromium!r}, no browser. Set it to the path of one.")
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=chromium, args=FLAGS)
        for name in chosen:
            with tempfile.TemporaryDirectory() as home:
                scenes[name](browser, Path(home))
        browser.close()


def running(browser: Browser, home: Path) -> None:
    """A request runs, the page is reloaded, another request is stopped; then the list."""
    play = Play(held=True)
    with opened(home, play) as address:
        page = visited(browser, address)
        send(page, "Blur the face.", "astronaut.jpg")
        said(page, "nobody knows her")
        shoot(page, "running")
        page.reload()
        said(page, "nobody knows her")
        shoot(page, "reloaded")
        play.go.set()
        said(page, "I blurred 1 face")
        idle(page)
        play.go.clear()
        page.click("text=New chat")
        page.wait_for_selector("text=Try one of these")
        send(page, "Make it look old.", "rocket.jpg")
        said(page, "what else makes")
        press(page, "Stop")
        said(page, "Stopped.")
        idle(page)
        shoot(page, "stopped")
        listed(page)
        choose(page, "Blur the face.")
        page.get_by_label("New title").fill("The astronaut, made unknown")
        press(page, "Rename")
        choose(page, "The astronaut")
        shoot(page, "list")


def planner(browser: Browser, home: Path) -> None:
    """A call asks to be allowed; then the chat goes on with the bundled planner."""
    planners = {
        "scripted": LatePlanner(Play, name="scripted"),
        "nano": LatePlanner(lambda: load_planner("nano", device="cpu"), name="nano"),
    }
    first = planners["scripted"].start()
    with opened(home, first, planners=planners) as address:
        page = visited(browser, address)
        send(page, "Post it.", "coffee.jpg")
        page.wait_for_selector("#asking:has-text('Good morning')")
        page.locator("#asking button").last.scroll_into_view_if_needed()
        shoot(page, "asked")
        press(page, "Allow")
        said(page, "It is online.")
        idle(page)
        shoot(page, "allowed")
        page.click("#planner input")
        page.click("[role=option]:has-text('nano')")
        page.wait_for_selector("#status:has-text('Planner: nano')")
        send(page, "Turn it black and white.")
        page.wait_for_selector("#gallery .caption-label:text('img_2')")
        idle(page)
        shoot(page, "planner")


def visitors(browser: Browser, home: Path) -> None:
    """Two people on a page that others reach, too."""
    with opened(home, Play(), host="0.0.0.0") as address:
        first, second = (visited(browser, address, size=(760, 860)) for _ in range(2))
        send(first, "Blur the face.", "astronaut.jpg")
        said(first, "I blurred 1 face")
        idle(first)
        for page in (first, second):
            page.click("#shelf button:has-text('Kept chats')")
        first.wait_for_selector("#chats label")
        second.wait_for_selector("text=No chat is kept yet.")
        shoot(first, "visitors", beside=second)


def words(browser: Browser, home: Path) -> None:
    """The page in Chinese, and on a phone."""
    with opened(home, Play()) as address:
        page = visited(browser, address, locale="zh-CN")
        send(page, "模糊人脸。", "astronaut.jpg")
        said(page, "人脸已模糊")
        idle(page)
        page.click("#shelf button:has-text('已保存的对话')")
        choose(page, "模糊人脸")
        shoot(page, "chinese")
        phone = visited(browser, address, size=PHONE)
        send(phone, "Blur the face.", "astronaut.jpg")
        said(phone, "I blurred 1 face")
        idle(phone)
        phone.locator("#chat").scroll_into_view_if_needed()
        shoot(phone, "phone")


@contextmanager
def opened(
    home: Path,
    planner: Planner,
    *,
    host: str = "127.0.0.1",
    planners: Mapping[str, LatePlanner] | None = None,
) -> Iterator[str]:
    """Open the page and give its address."""
    specs = default_registry().merge(SkillRegistry([post]))
    skills = SkillRegistry(replace(spec, time_limit=PATIENCE) for spec in specs)
    limits, store = Limits(seconds=PATIENCE), SessionStore(home)
    server = serve(
        lambda: Agent(planner, skills, limits=limits, home=home),
        host=host,
        store=store,
        planners=planners,
    )
    try:
        yield server.address
    finally:
        server.close()


def visited(
    browser: Browser, address: str, *, size: tuple[int, int] = WIDE, locale: str = "en-GB"
) -> Page:
    """Come to the page as a new visitor, ``size`` being width and height in pixels."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, locale=locale)
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    page.goto(address)
    page.wait_for_selector(f"{BOX}:not([disabled])")
    return page


def send(page: Page, text: str, picture: str = "") -> None:
    """Send a request, with one of the example photographs."""
    if picture:
        page.set_input_files("input[type=file]", str(FOLDER / picture))
        page.wait_for_selector(".stage:not([hidden])")
    page.fill(BOX, text)
    page.press(BOX, "Enter")


def said(page: Page, text: str) -> None:
    """Wait until the chat says so."""
    page.wait_for_function("t => document.querySelector('#chat')?.innerText.includes(t)", arg=text)


def idle(page: Page) -> None:
    """Wait until nothing runs."""
    page.wait_for_selector(".buttons button.stop[disabled]")


def press(page: Page, name: str) -> None:
    """Press a button."""
    page.get_by_role("button", name=name, exact=True).click()


def listed(page: Page) -> None:
    """Open the list of kept chats."""
    page.click("#shelf button:has-text('Kept chats')")
    page.wait_for_selector("#chats label")


def choose(page: Page, title: str) -> None:
    """Choose a chat in the list."""
    page.click(f"#chats label:has-text('{title}')")
    page.wait_for_selector(f"#chats label.selected:has-text('{title}')")


def shoot(page: Page, name: str, *, beside: Page | None = None) -> None:
    """Write what is seen, with what another visitor sees at its right, in few colours."""
    pages = [page] if beside is None else [page, beside]
    for one in pages:
        one.wait_for_timeout(1500)
    shots = [Pillow.open(BytesIO(one.screenshot())).convert("RGB") for one in pages]
    whole = Pillow.new("RGB", (sum(one.width for one in shots), shots[0].height))
    for number, shot in enumerate(shots):
        whole.paste(shot, (number * shot.width, 0))
    place = PICTURES / f"{name}.png"
    for colors in (256, 128, 64, 32):
        whole.quantize(colors, dither=Pillow.Dither.NONE).save(place, optimize=True)
        if place.stat().st_size <= LIMIT:
            break
    sys.stdout.write(f"{place.name}: {colors} colours, {place.stat().st_size} bytes\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
