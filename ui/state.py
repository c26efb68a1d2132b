"""One visitor's side of the page, without any of gradio."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llava_plus.agent import Agent, AnswerDelta, ThoughtDelta, Turn, parse_call
from llava_plus.errors import ImageError, SetupError
from llava_plus.skills import Call

from .desk import Desk
from .labels import LANGUAGES, Labels
from .pictures import Pictures, data_url
from .progress import advance
from .render import ChatMessage, render_help, render_turn

PAUSE = 0.12  # seconds between two looks at a text that is still growing
HELP = ("/help", "/?")


@dataclass(frozen=True, kw_only=True)
class Request:
    """A message that can be carried out: words for the planner, a call by hand, or neither."""

    text: str
    call: Call | None = None


class Visit:
    """A visitor's chat. Nothing in it is shared with other visitors.

    Args:
        make_agent: Makes the agent of a chat; its planner may be shared, its store not.
        inbox: The folder into which gradio puts what visitors upload.
        language: Of the page.
    """

    def __init__(
        self, make_agent: Callable[[], Agent], inbox: Path, *, language: str = "English"
    ) -> None:
        self.language = language
        self._make_agent = make_agent
        self._inbox = inbox
        self._begin()

    def _begin(self) -> None:
        self.files = Pictures(self._inbox)
        self.agent = self._make_agent()
        self.session = self.agent.session()
        self.desk = Desk(self.session, self._inbox)
        self.chat: list[ChatMessage] = []  # what is over
        self.running = False
        self._stop = threading.Event()
        self._turns: tuple[Turn, ...] = ()
        self._sent: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())  # pictures, pointers

    @property
    def labels(self) -> Labels:
        return LANGUAGES[self.language]

    def prepare(self, text: str, paths: Sequence[str]) -> Request:
        """Take in a message with its pictures and the marks.

        A `SetupError` says why it cannot be carried out; nothing of it is lost then.
        """
        text = text.strip()
        if self.running:
            raise SetupError("One request at a time: wait for this one, or press Stop.")
        if problems := self.desk.attach(paths):
            raise ImageError(" ".join(problems))
        if not text:
            raise SetupError("The request is empty. Write what to do or what you want to know.")
        if text in HELP:
            return Request(text=text)
        if not text.startswith("/") and not self.planner_ready:
            raise SetupError(self.planner_state())
        self.running, self._stop = True, threading.Event()
        try:
            return Request(text=text, call=self._hand_over(text))
        except SetupError:
            self.running = False
            raise

    async def play(self, request: Request) -> AsyncGenerator[list[ChatMessage]]:
        """Carry a message out; yield the chat as it grows."""
        if request.text in HELP:
            self.chat.append(render_help(self.agent.skills, self.labels))
            yield self.chat
            return
        session = self.session
        try:
            async with aclosing(self._play(request)) as chats:
                async for chat in chats:
                    if session is not self.session:
                        return
                    yield chat
        finally:
            if session is self.session:
                self.running = False
                self._keep()
        if session is self.session:
            yield self.chat

    async def _play(self, request: Request) -> AsyncGenerator[list[ChatMessage]]:
        call, shown_at = request.call, 0.0
        (images, pointers), self._sent = self._sent, ((), ())
        turn = Turn(message=request.text, images=images, pointers=pointers)
        yield [*self.chat, *self._render(turn)]
        session, stop = self.session, self._stop
        events = session.call(call.skill, call.args) if call else session.run(request.text)
        async with aclosing(events):
            async for event in events:
                if stop.is_set():  # also when that was before the session had begun
                    session.stop()
                turn = advance(turn, event)
                small = isinstance(event, ThoughtDelta | AnswerDelta)
                if not small or time.monotonic() - shown_at > PAUSE:
                    yield [*self.chat, *await asyncio.to_thread(self._render, turn)]
                    shown_at = time.monotonic()

    def stop(self) -> None:
        """End the running request; it stays in the trace."""
        self._stop.set()
        self.session.stop()

    def new_chat(self) -> None:
        """Begin again, without anything of before."""
        self.close()
        self._begin()

    def close(self) -> None:
        """Let go of everything when the visitor has left."""
        self.stop()
        self.files.close()

    @property
    def planner_ready(self) -> bool:
        problem: str = getattr(self.agent.planner, "problem", "")
        return not (self.planner_pending or problem)

    @property
    def planner_pending(self) -> bool:
        """Whether the planner is still being loaded."""
        loaded: threading.Event | None = getattr(self.agent.planner, "loaded", None)
        return loaded is not None and not loaded.is_set()

    def planner_state(self) -> str:
        """Return a sentence on the planner."""
        planner, labels = self.agent.planner, self.labels
        if problem := getattr(planner, "problem", ""):
            return labels["no_planner"].format(problem=problem)
        if self.planner_pending:
            return labels["planner_loading"]
        return labels["planner_ready"].format(name=planner.name)

    def panel(self) -> dict[str, Any]:
        """Return what the pointing panel shows."""
        entry, named = self.desk.chosen, self.desk.named_marks()
        if entry is None:
            return empty_panel(self.labels)
        names = ", ".join(name for name, _ in named)
        hint = f"{names}: {self.labels['pending']}" if named else self.labels["pointing_hint"]
        here = [(name, mark.numbers) for name, mark in named if mark.picture == entry.key]
        return {
            "src": data_url(entry.image),
            "handle": entry.handle,
            "marks": [{"at": list(numbers), "name": name} for name, numbers in here],
            "hint": hint,
            "pending": bool(named),
        }

    def gallery(self) -> list[tuple[str, str]]:
        """Return the pictures as small copies, with their handles."""
        new = f" {self.labels['new']}"
        return [
            (self.files.thumbnail(entry.image), entry.handle + ("" if entry.sent else new))
            for entry in self.desk.entries()
        ]

    def picture_file(self) -> str | None:
        """Return the path of the chosen picture, with every pixel."""
        entry = self.desk.chosen
        return None if entry is None else self.files.full(entry.image, entry.handle)

    def trace_file(self) -> str | None:
        """Return the path of the trace; None before the first turn."""
        trace = self.session.trace
        if not trace.turns:
            return None
        return self.files.text(f"trace-{trace.id}.jsonl", trace.to_json() + "\n")

    def _hand_over(self, text: str) -> Call | None:
        """Give pictures and marks to the session; return the call that the text is, if any."""
        pictures, pointers = self.desk.hand_over()
        self._sent = (self._sent[0] + pictures, self._sent[1] + pointers)
        if not text.startswith("/"):
            return None
        return parse_call(text, self.agent.skills, self.session.artifacts)

    def _keep(self) -> None:
        """Note what the session has done since the last time."""
        for turn in self.session.trace.turns[len(self._turns) :]:
            self.chat += self._render(turn)
            self._turns += (turn,)
        self.desk.choose(None)

    def _render(self, turn: Turn) -> list[ChatMessage]:
        return render_turn(
            turn,
            self.session.artifacts,
            show=self.files.show,
            earlier=self._turns,
            labels=self.labels,
        )


def empty_panel(labels: Labels) -> dict[str, Any]:
    """Return what the pointing panel shows where there is no picture."""
    return {
        "src": "",
        "handle": "",
        "marks": [],
        "hint": labels["pointing_none"],
        "pending": False,
    }
