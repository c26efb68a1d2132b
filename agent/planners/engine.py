"""What a planner's model has to do, and what it counts while doing it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from llava_plus.messages import Conversation

MAX_TOKENS = 1024  # of one output


@dataclass
class Stats:
    """How much work was done so far, in tokens and pictures."""

    prefilled: int = 0  # tokens of prompts that were read
    reused: int = 0  # tokens of prompts that were still in a cache
    decoded: int = 0  # tokens that the model chose
    forced: int = 0  # tokens that only the grammar allowed
    images: int = 0  # pictures that went through the tower


class Engine(Protocol):
    """A model that continues conversations."""

    stats: Stats

    def write(
        self,
        conversation: Conversation,
        *,
        grammar: str | None,
        stop: Callable[[], bool],
        emit: Callable[[str], None],
    ) -> str:
        """Write the next message of the assistant and return it.

        Args:
            conversation: All that was said.
            grammar: A Lark grammar that the output follows.
            stop: Asked before each token; true ends the work with `HaltedError`.
            emit: Gets the text in pieces as it comes.
        """

    def forget(self) -> None:
        """Drop all that was kept of conversations and pictures."""
