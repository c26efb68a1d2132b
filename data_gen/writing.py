"""The contract between sources, writers, execution and verifiers.

    source ── Item ──▶ writer ── Conversation ──▶ execution ── Trace ──▶ verifiers ──▶ kept, or not

A *source* hands out pictures with what is known of each (`sources.Item`). A *writer* gets some of
them and returns conversations: what a person asks, turn by turn, and a planner that decides every
step. *Execution* plays each conversation in a session with the real skills; what an observation
says is what a skill returned, whoever the planner is. *Verifiers* (`verify.Verifier`) look at the
trace; the ones that only its writer can ask come from the writer.

A new writer is a class with the five members of `Writer`. It is made anew in every process, asked
about each item in turn, and never told what became of what it wrote.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from llava_plus.agent import Planner, Trace
from llava_plus.errors import LlavaPlusError
from llava_plus.skills import Boxes, Points, SkillRegistry

from .sources import Item
from .truth import Truth
from .verify import Verifier


class UnwrittenError(LlavaPlusError):
    """Nothing can be written about this item, and why; it costs the item only, and is reported."""


class SpentError(LlavaPlusError):
    """A budget is used up, and which: the run ends here with what it has, and can go on later."""


@dataclass(frozen=True, kw_only=True)
class Tags:
    """What a request is, in words; traces carry them, statistics count them.

    Args:
        kind: What sort of task it is, such as "detect", "compose", "refuse" or "recover".
        language: Of the request, as BCP 47 has it, such as "en" or "zh".
        bank: Which phrase bank, prompt or seed its words come from.
    """

    kind: str = ""
    language: str = "en"
    bank: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the words that are not empty."""
        return {name: word for name, word in vars(self).items() if word}


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a person asks in one turn.

    Args:
        text: The request.
        images: Pictures that come with it, in order: those of the material, or others.
        pointers: Places or boxes that the person marks on the newest picture (visual prompts).
        truth: What is known of the right answer; which turn it is about is filled in.
    """

    text: str
    images: tuple[Item, ...] = ()
    pointers: tuple[Points | Boxes, ...] = ()
    truth: Truth | None = None


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A conversation to be played, of one turn or several.

    Args:
        turns: What is asked, in order; at least one.
        planner: Decides every step of every turn. `PlanView.turns` shows which turn it is and what
            came back so far. It is asked by one session only, and may keep what it needs. A
            grammar knows the plan; a teacher asks its model.
        more: Asked after the last of ``turns`` for a further one, with the trace so far, again
            and again until it returns none.
        skills: A user's own skills that can be called here beside those of the run.
        tags: What sort of conversation it is.
    """

    turns: tuple[Ask, ...]
    planner: Planner
    more: Callable[[Trace], Awaitable[Ask | None]] | None = None
    skills: SkillRegistry | None = None
    tags: Tags = Tags()


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a writer is asked to write about.

    Args:
        index: Which item of the run this is, from 0. When a source is used up it begins again, so
            that a picture may come several times, each time with another index.
        seed: That of the run.
        count: How many conversations are wanted; fewer or more are taken as they come.
        items: The picture to write about, and after it up to three others of the run, for
            conversations about several.
        skills: All that can be called.
    """

    index: int
    seed: int
    count: int
    items: tuple[Item, ...]
    skills: SkillRegistry

    @property
    def item(self) -> Item:
        """The picture to write about."""
        return self.items[0]

    def rng(self, *names: object) -> random.Random:
        """Return a generator that is the same on every run for this seed, index and names."""
        return random.Random(":".join(map(str, (self.seed, self.index, *names))))


class Writer(Protocol):
    """Writes requests about pictures.

    What is drawn by chance depends on `Material.rng` and on nothing else: not on the process, the
    time, other items or `hash` (which differs between processes). So a run gives the same data
    whatever the number of its processes, and goes on after a kill where it was. Where a network
    decides, the writer keeps the answers itself, so that being asked again costs nothing.
    """

    @property
    def name(self) -> str:
        """What traces and reports call it."""

    @property
    def at_once(self) -> int:
        """How many items of one process it may be asked about side by side.

        1 where it only computes; more where it waits for a network.
        """

    async def write(self, material: Material) -> Sequence[Conversation]:
        """Return conversations about an item, none where it has nothing to say.

        Raises:
            UnwrittenError: Nothing can be written about this item.
            SpentError: A budget is used up.
        """

    def verifiers(self) -> Sequence[Verifier]:
        """Return what is to be asked about its traces beside the standard verifiers.

        Each sees one trace at a time and remembers nothing from one to the next.
        """

    def close(self) -> None:
        """Let go of what is open, such as a connection; nothing is asked any more."""
