"""What a page shows of a conversation: its turns as chat messages, rendered once each."""

import asyncio
import threading
from pathlib import Path

from llava_plus.agent import Turn

from .conversation import Conversation
from .labels import Labels
from .pictures import Pictures
from .render import ChatMessage, render_turn


class Transcript:
    """The chat as one page shows it.

    Args:
        conversation: What is shown; another object that is the same chat may take its place.
        inbox: The folder in which copies of its pictures lie.
    """

    def __init__(self, conversation: Conversation, inbox: Path) -> None:
        self.conversation = conversation
        self.files = Pictures(inbox)
        self.chat: list[ChatMessage] = []  # what is over
        self.turns: tuple[Turn, ...] = ()
        self._lock = threading.Lock()

    def keep(self, labels: Labels) -> None:
        """Render what the session has done since the last time."""
        with self._lock:  # a tick and the end of a request may come at once
            for turn in self.conversation.session.trace.turns[len(self.turns) :]:
                self.chat += self._render(turn, labels)
                self.turns += (turn,)

    def broken_off(self, turn: Turn, labels: Labels) -> list[ChatMessage]:
        """Return the chat, with a request that was broken off."""
        return [*self.chat, *self._render(turn.model_copy(update={"reason": "cancelled"}), labels)]

    async def growing(self, turn: Turn, labels: Labels) -> list[ChatMessage]:
        """Return the chat, with the turn that runs."""
        progress = self.conversation.progress
        return [*self.chat, *await asyncio.to_thread(self._render, turn, labels, progress)]

    def _render(self, turn: Turn, labels: Labels, progress: str = "") -> list[ChatMessage]:
        return render_turn(
            turn,
            self.conversation.session.artifacts,
            show=self.files.show,
            earlier=self.turns,
            progress=progress,
            labels=labels,
        )
