"""Where visitors come in: each finds the conversations that are theirs, and no others.

Where a page is for one person, who sits at the machine that it runs on, all kept sessions are
that person's. Where others can reach it, the ids of a visitor's sessions begin with a digest of
a secret that only the visitor's browser knows, and nothing else is shown or opened. Not covered:
several people at one browser, or several that log in to a machine whose page has no token.
"""

import hashlib
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llava_plus.agent import Agent, Retention, SessionInfo, SessionStore
from llava_plus.errors import LlavaPlusError, SetupError

from .conversation import Conversation
from .late import LatePlanner

if TYPE_CHECKING:
    from llava_plus.data_gen.feedback import Collection

HOUR = 3600.0  # seconds
AWAY = 75.0  # seconds; a browser lets a hidden page speak once a minute
LONGEST_TITLE = 200
KEY = re.compile(r"[0-9a-f]{32}")  # what a browser makes up, see assets/memory.js
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A kept session in the list of a page."""

    info: SessionInfo
    running: bool


class Lobby:
    """The conversations that are open in this process, and those that were kept.

    Args:
        make_agent: Makes an agent for each conversation; where ``store`` is given, with its home.
        store: The kept sessions; without it a conversation is gone when the last visitor leaves.
        shared: Whether visitors are different people, who must not meet.
        planners: What the page offers to plan with, by name; the first is that of new chats.
        collection: Where chats go that visitors give for training; nobody is asked without it.
        clock: Returns seconds that only grow.
    """

    def __init__(
        self,
        make_agent: Callable[[], Agent],
        store: SessionStore | None = None,
        *,
        shared: bool = False,
        planners: Mapping[str, LatePlanner] | None = None,
        collection: "Collection | None" = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.collection = collection
        self.planners = dict(planners or {})
        self._clock = clock
        self._edits = 0  # of the list, by hand
        self._make_agent = make_agent
        self._shared = shared
        self._open: dict[str, Conversation] = {}
        self._lock = threading.RLock()

    def owner(self, key: str) -> str:
        """Return how the ids of a visitor's sessions begin.

        Args:
            key: The secret of the visitor's browser; without one, nothing is found again.
        """
        if not self._shared:
            return ""
        secret = key if KEY.fullmatch(key) else secrets.token_hex(16)
        return hashlib.sha256(secret.encode()).hexdigest()[:32] + "-"

    def begin(self, owner: str, visitor: object) -> Conversation:
        """Begin a conversation."""
        return self._enter(owner + secrets.token_hex(8), visitor)

    def has(self, owner: str, id: str) -> bool:
        """Say whether the visitor may go on with a conversation, open or kept."""
        with self._lock:
            return self._owns(owner, id) and (id in self._open or self._keeps(id))

    def check(self, owner: str, id: str) -> None:
        """Refuse what is no conversation of the visitor, or none at all."""
        if not id:
            raise SetupError("No chat is chosen. Choose one in the list first.")
        if not self.has(owner, id):
            raise SetupError("That chat is not there any more. Choose another, or begin a new one.")

    def enter(self, owner: str, id: str, visitor: object) -> Conversation:
        """Go on with a conversation; one that is not there, or not theirs, is refused.

        To enter again is to say that the visitor is still there.
        """
        with self._lock:
            self.check(owner, id)
            return self._enter(id, visitor)

    def leave(self, conversation: Conversation, visitor: object) -> None:
        """Look at it no more; what is kept runs on to its end, what is not stops."""
        with self._lock:
            conversation.visitors.pop(visitor, None)
            self._tidy(conversation)

    def release(self, conversation: Conversation, visitor: object) -> None:
        """Let others open a kept conversation while its visitor is away, who may enter again.

        What is not kept stays open, for it would be lost.
        """
        with self._lock:
            if self._keeps(conversation.id):
                self.leave(conversation, visitor)

    def release_absent(self) -> None:
        """Do so for all who have not been seen for `AWAY`."""
        with self._lock:
            latest = self._clock() - AWAY
            seen = [(c, *one) for c in self._open.values() for one in c.visitors.items()]
            for conversation, visitor, when in seen:
                if when < latest:
                    self.release(conversation, visitor)

    def listed(self, owner: str) -> list[Listed]:
        """Return the visitor's kept sessions, the newest first."""
        infos = [] if self.store is None else self.store.infos()
        return [
            Listed(info=info, running=self._runs(info.id))
            for info in infos
            if self._owns(owner, info.id)
        ]

    def state(self, owner: str) -> object:
        """Return what tells, at no cost, whether the visitor's list has become another one."""
        with self._lock:
            turns = {id: one.turn for id, one in self._open.items() if self._owns(owner, id)}
        begun = {id for id, turn in turns.items() if turn is not None and turn.steps}
        return self._edits, begun

    def rename(self, owner: str, id: str, title: str) -> None:
        """Give a kept session another title."""
        store = self._kept(owner, id)
        if len(title) > LONGEST_TITLE:
            raise SetupError(f"The title has {len(title)} characters. Use at most {LONGEST_TITLE}.")
        store.rename(id, title)
        self._edits += 1

    def export(self, owner: str, id: str, folder: Path) -> Path:
        """Write a kept session as a zip file into a folder, and return its path."""
        target = folder / secrets.token_hex(8) / f"session-{id[-16:]}.zip"
        return self._kept(owner, id).export(id, target)

    def delete(self, owner: str, id: str) -> None:
        """Delete a kept session, and what was given of it, unless a request runs in it."""
        store = self._kept(owner, id)
        with self._lock:
            if self._runs(id):
                raise SetupError("A request runs in that chat. Stop it first, then delete.")
            if self.collection is not None:  # later nobody could take it back
                self.collection.forget(id)
            if (conversation := self._open.pop(id, None)) is not None:
                conversation.close()
            store.delete(id)
            self._edits += 1

    def _enter(self, id: str, visitor: object) -> Conversation:
        with self._lock:
            if id not in self._open:
                agent = self._make_agent()
                self._open[id] = Conversation(agent, agent.session(id), self._over)
            self._open[id].visitors[visitor] = self._clock()
            return self._open[id]

    def _over(self, conversation: Conversation) -> None:
        with self._lock:
            self._tidy(conversation)

    def _tidy(self, conversation: Conversation) -> None:
        """Close what nobody looks at, unless it is kept and still runs."""
        stays = conversation.visitors or (conversation.running and self.store is not None)
        if not stays and self._open.get(conversation.id) is conversation:
            del self._open[conversation.id]
            conversation.close()

    def _runs(self, id: str) -> bool:
        return id in self._open and self._open[id].running

    def _owns(self, owner: str, id: str) -> bool:
        return id.startswith(owner)

    def _keeps(self, id: str) -> bool:
        try:
            return self.store is not None and self.store.home.folder(id).is_dir()
        except SetupError:  # no session can have such an id
            return False

    def _kept(self, owner: str, id: str) -> SessionStore:
        self.check(owner, id)
        if self.store is None:
            raise SetupError("No chats are kept here. Start the page with --keep.")
        return self.store


def prune_hourly(store: SessionStore, retention: Retention) -> threading.Thread:
    """Delete what is too old or too much, now and every hour, while the process lasts."""

    def work() -> None:
        while True:
            try:
                store.prune(retention)
            except (LlavaPlusError, OSError) as error:
                log.warning("cannot delete old sessions: %s", error)
            time.sleep(HOUR)

    thread = threading.Thread(target=work, name="session-pruner", daemon=True)
    thread.start()
    return thread


def release_regularly(lobby: Lobby, over: threading.Event) -> threading.Thread:
    """Let the chats of absent visitors go again and again, until it is over."""

    def work() -> None:
        while not over.wait(AWAY / 5):
            lobby.release_absent()

    thread = threading.Thread(target=work, name="absence-watcher", daemon=True)
    thread.start()
    return thread
