"""Chatting in a terminal: requests given on the command line, or typed one by one."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from llava_plus.agent import Agent, Event, Session, Turn, parse_call
from llava_plus.errors import LlavaPlusError, SetupError
from llava_plus.skills import Call

from .by_hand import numbers
from .terminal import narrate, save_pictures, say, show_skills

GREETING = "Write what to do. /help lists the skills, /add FILE adds a picture, /quit ends."


class Talk:
    """One conversation in a terminal.

    Args:
        agent: Who answers.
        console: Where its work is shown.
        out: Where pictures are saved.
        name: Of the session, a new one if left out.
    """

    def __init__(self, agent: Agent, console: Console, out: Path, name: str | None = None) -> None:
        self.agent = agent
        self.session: Session = agent.session(name)
        self.console = console
        self.out = out

    def ask(self, text: str) -> Turn:
        """Carry one request or call out, show it, and save what it made."""
        return self._show(self._events(text))

    def go_on(self) -> None:
        """Finish the request that was broken off when the session was last open, if one was."""
        if self.session.interrupted:
            say(self.console, "Going on with the request that was broken off.", "dim")
            self._show(self.session.resume())

    def _show(self, events: AsyncGenerator[Event]) -> Turn:
        with _interruptible(self.session):
            asyncio.run(self._narrate(events))
        trace = self.session.trace
        for path in save_pictures(trace.turns, trace.artifacts, self.out):
            say(self.console, f"saved {path}", "dim")
        return trace.turns[-1]

    def ask_all(self, texts: Sequence[str]) -> list[Turn]:
        """Carry requests out one after the other; stop at the first that is not answered."""
        turns: list[Turn] = []
        for text in texts:
            say(self.console, f"> {text}", "bold")
            turns.append(self.ask(text))
            if turns[-1].reason != "answered":
                break
        return turns

    def prompt(self) -> None:
        """Ask the person for requests until they have none left."""
        say(self.console, GREETING, "dim")
        while (text := self._read()) is not None:
            try:
                self._obey(text)
            except LlavaPlusError as error:
                say(self.console, str(error), "red")

    def _obey(self, text: str) -> None:
        if text == "/help":
            show_skills(self.agent.skills, self.console)
        elif text.startswith("/add "):
            handles = self.session.attach([text.removeprefix("/add ").strip()])
            say(self.console, f"{', '.join(handles)}: the next request uses it", "dim")
        elif text:
            self.ask(text)

    def _read(self) -> str | None:
        """Return a line, None at the end."""
        try:
            text = self.console.input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            return None
        return None if text in ("/quit", "/exit") else text

    async def _narrate(self, events: AsyncGenerator[Event]) -> None:
        await narrate(events, self.console, allow=self._allow)

    def _allow(self, call: Call) -> None:
        """Ask whether a call may run; who is not there refuses."""
        try:
            answer = self.console.input("  run it? y/n ").strip().lower()
        except EOFError:
            self.session.refuse(call.id, "nobody was there to allow it")
        except KeyboardInterrupt:
            self.session.stop()
        else:
            if answer in ("y", "yes"):
                self.session.approve(call.id)
            else:
                self.session.refuse(call.id, "" if answer in ("", "n", "no") else answer)

    def _events(self, text: str) -> AsyncGenerator[Event]:
        if not text.startswith("/"):
            return self.session.run(text)
        call = parse_call(text, self.agent.skills, self.session.artifacts)
        return self.session.call(call.skill, call.args)


def point_at(session: Session, points: Sequence[str], boxes: Sequence[str]) -> None:
    """Note places and boxes, written as numbers in 0..1, on the newest picture."""
    pictures = session.artifacts.handles("image")
    if (points or boxes) and not pictures:
        raise SetupError("There is no picture to point at. Name one.")
    for text in points:
        x, y = numbers(text, 2)
        session.point(pictures[-1], x, y)
    for text in boxes:
        x0, y0, x1, y1 = numbers(text, 4)
        session.box(pictures[-1], x0, y0, x1, y1)


@contextlib.contextmanager
def _interruptible(session: Session) -> Iterator[None]:
    """Let Ctrl-C end the request, and a second one the program."""

    def interrupt(*_: object) -> None:
        session.stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        before = signal.signal(signal.SIGINT, interrupt)
    except ValueError:  # not the main thread: nobody can press Ctrl-C here
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
