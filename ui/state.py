"""One visitor's side of the page, without any of gradio."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llava_plus.agent import Agent, Session, Turn, parse_call
from llava_plus.errors import ImageError, SetupError, SkillError
from llava_plus.skills import Call

from .conversation import Conversation
from .desk import Desk, panel
from .labels import LANGUAGES, Labels
from .late import is_ready, told
from .lobby import Lobby
from .pictures import Pictures
from .render import ChatMessage, render_help
from .transcript import Transcript

HELP = ("/help", "/?")
LONGEST = 10_000  # characters of a message; the bundled planner reads 8,192 tokens in all


@dataclass(frozen=True, kw_only=True)
class Request:
    """A message that can be carried out: words for the planner, a call by hand, or neither."""

    conversation: Conversation
    text: str
    call: Call | None = None


class Visit:
    """A page in somebody's browser: the conversation that it shows, and what lies on its desk.

    Args:
        lobby: Where conversations are found.
        inbox: The folder into which gradio puts what visitors upload.
        key: The secret of the visitor's browser.
        language: Of the page.
    """

    def __init__(
        self, lobby: Lobby, inbox: Path, *, key: str = "", language: str = "English"
    ) -> None:
        self.language = language
        self.lobby = lobby
        self.owner = lobby.owner(key)
        self.listing: object = None  # of what state the list is that the page shows, if it does
        self.asked: Call | None = None  # the call that the page shows as waiting
        self._inbox = inbox
        self._settle(lobby.begin(self.owner, self))

    def _settle(self, conversation: Conversation) -> None:
        """Show a conversation, with all that has happened in it."""
        self.conversation = conversation
        self.transcript = Transcript(conversation, self._inbox)
        self.desk = Desk(self.session, self._inbox)
        self._followers: set[object] = set()
        self._glimpsed: object = None  # the turn that ran when `glance` last looked
        self._sent: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())  # pictures, pointers
        self._keep()

    @property
    def agent(self) -> Agent:
        return self.conversation.agent

    @property
    def session(self) -> Session:
        return self.conversation.session

    @property
    def files(self) -> Pictures:
        return self.transcript.files

    @property
    def chat(self) -> list[ChatMessage]:
        return self.transcript.chat  # what is over

    @property
    def running(self) -> bool:
        return self.conversation.running

    @property
    def interrupted(self) -> bool:
        """Whether a request was broken off and waits to go on."""
        return self.session.interrupted and not self.running

    @property
    def labels(self) -> Labels:
        return LANGUAGES[self.language]

    def prepare(self, text: str, paths: Sequence[str]) -> Request:
        """Take in a message with its pictures and the marks.

        A `SetupError` says why it cannot be carried out; nothing of it is lost then.
        """
        text = text.strip()
        self.stay()
        if self.running:
            raise SetupError("One request at a time: wait for this one, or press Stop.")
        if self.interrupted:
            raise SetupError("The last request was broken off. Go on with it, or end it, first.")
        if problems := self.desk.attach(paths):
            raise ImageError(" ".join(problems))
        if not text:
            raise SetupError("The request is empty. Write what to do or what you want to know.")
        if (length := len(text)) > LONGEST:
            raise SetupError(f"The request has {length:,} characters. Write at most {LONGEST:,}.")
        if text in HELP:
            return Request(conversation=self.conversation, text=text)
        if not text.startswith("/") and not is_ready(self.session.planner):
            raise SetupError(self.planner_state())
        conversation = self.conversation
        conversation.claim()
        try:
            return Request(conversation=conversation, text=text, call=self._hand_over(text))
        except SetupError:
            conversation.unclaim()
            raise

    def begin(self, request: Request) -> None:
        """Carry out what was prepared; call it where an event loop runs."""
        if request.text in HELP:
            self.chat.append(render_help(self.agent.skills, self.labels))
            return
        call, session = request.call, request.conversation.session
        (images, pointers), self._sent = self._sent, ((), ())
        turn = Turn(message=request.text, images=images, pointers=pointers)
        events = session.call(call.skill, call.args) if call else session.run(request.text)
        request.conversation.start(turn, events)

    def resume(self) -> None:
        """Go on with the request that was broken off; call it where an event loop runs."""
        self.stay()
        self.conversation.claim()
        if (turn := self.session.unfinished) is None:
            self.conversation.unclaim()
            raise SetupError("No request of this chat was broken off. Make a new one.")
        self.conversation.start(turn, self.session.resume())

    def give_up(self) -> None:
        """End the request that was broken off, as it is."""
        self.stay()
        if self.interrupted:
            self.session.stop()
            self._keep()

    async def follow(self) -> AsyncGenerator[list[ChatMessage]]:
        """Yield the chat as it grows, until nothing runs or another one is shown."""
        conversation, followers, me = self.conversation, self._followers, object()
        followers.add(me)
        try:
            async with aclosing(conversation.watch()) as turns:
                async for turn in turns:
                    growing = await self._growing(conversation, turn)
                    if conversation is not self.conversation:
                        return
                    yield growing
        finally:
            followers.discard(me)
            if conversation is self.conversation:
                self._keep()
        if conversation is self.conversation:
            yield self.shown()

    @property
    def behind(self) -> bool:
        """Whether more has happened, by another page, than this one shows or follows."""
        more = len(self.session.trace.turns) > len(self.transcript.turns)
        return not self._followers and (more or self.conversation.turn is not self._glimpsed)

    async def glance(self) -> list[ChatMessage] | None:
        """Return the chat as it stands just now; None if another one is shown meanwhile."""
        conversation = self.conversation
        self._glimpsed = turn = conversation.turn
        if turn is None:
            self._keep()
            return self.shown()
        growing = await self._growing(conversation, turn)
        return growing if conversation is self.conversation else None

    def shown(self) -> list[ChatMessage]:
        """Return the chat, with the request that was broken off, if one was."""
        broken = self.session.unfinished if self.interrupted else None
        return self.chat if broken is None else self.transcript.broken_off(broken, self.labels)

    def stop(self) -> None:
        """End the running request; it stays in the trace."""
        self.conversation.stop()

    def new_chat(self) -> None:
        """Begin again, without anything of before."""
        self._move(self.lobby.begin(self.owner, self))

    @property
    def last_request(self) -> int | None:
        """Which turn, from 1, is the last that a planner worked on; None where none did."""
        turns = enumerate(self.session.trace.turns, 1)
        return max((number for number, turn in turns if turn.by == "planner"), default=None)

    def again(self) -> Request:
        """Make the last request once more, in a new chat that knows what this one knew before."""
        trace, number = self.session.trace, self.last_request
        if number is None or self.running:
            raise SetupError("There is no request to make again. Wait for its answer first.")
        if not is_ready(planner := self.session.planner):
            raise SetupError(self.planner_state())
        self.new_chat()
        self.session.planner = planner
        text = self.session.take_up(trace, number)
        turn = trace.turns[number - 1]
        self._sent = (turn.images, turn.pointers)
        self._keep()
        return self.prepare(text, ())

    def open(self, id: str) -> None:
        """Show another conversation; a `SetupError` says why that cannot be, and nothing moves."""
        if id != self.session.id:
            self._move(self.lobby.enter(self.owner, id, self))

    def stay(self) -> None:
        """Say that the page is there; after an absence it comes back to what its chat is now."""
        conversation = self.lobby.enter(self.owner, self.session.id, self)
        if conversation is self.conversation:
            return
        seen = self.transcript.turns
        if conversation.session.trace.turns[: len(seen)] == seen:
            self.conversation = self.transcript.conversation = conversation  # the desk stays
            self.desk.session = conversation.session
            self._glimpsed = self  # no turn: there is something to look at
        else:
            self.files.close()
            self._settle(conversation)

    def rest(self) -> None:
        """Let others open the chat while the page is away."""
        self.lobby.release(self.conversation, self)

    def close(self) -> None:
        """Let go of everything when the visitor has left."""
        self.lobby.leave(self.conversation, self)
        self.files.close()

    def _move(self, conversation: Conversation) -> None:
        before = self.conversation
        self.close()
        self._settle(conversation)
        before.nudge()  # only now does `follow` see that another one is shown

    def planner_state(self) -> str:
        """Return a sentence on the planner."""
        return told(self.session.planner, self.labels)

    def panel(self) -> dict[str, Any]:
        """Return what the pointing panel shows."""
        return panel(self.desk, self.labels)

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
        name = f"trace-{trace.id}.jsonl"
        return self.files.text(name, trace.to_json() + "\n") if trace.turns else None

    def _hand_over(self, text: str) -> Call | None:
        """Give pictures and marks to the session; return the call that the text is, if any."""
        pictures, pointers = self.desk.hand_over()
        self._sent = (self._sent[0] + pictures, self._sent[1] + pointers)
        by_hand = text.startswith("/")
        return parse_call(text, self.agent.skills, self.session.artifacts) if by_hand else None

    def _keep(self) -> None:
        """Note what the session has done since the last time."""
        self.transcript.keep(self.labels)
        self.desk.choose(None)

    async def _growing(self, conversation: Conversation, turn: Turn) -> list[ChatMessage]:
        """Return the chat with the running turn; nothing if another chat is shown meanwhile."""
        try:
            return await self.transcript.growing(turn, self.labels)
        except (OSError, SkillError):  # its pictures have been put away
            if conversation is self.conversation:
                raise
            return []
