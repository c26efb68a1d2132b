"""What one process of a run does: from a few pictures to a file of verified traces."""

import asyncio
import json
import logging
import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from llava_plus.agent import Trace
from llava_plus.errors import LlavaPlusError, SetupError
from llava_plus.skills import Image
from llava_plus.skills.store import write_whole

from .execution import play
from .mixture import Mixture
from .recipe import Recipe
from .remembered import KeptResults, KeptScenes, LinkedPictures
from .sources import Item
from .verify import ALLOWED, Replay, Sieve, Unique, Verifier, signature, standard_verifiers
from .writers import open_writer
from .writing import Conversation, Material, SpentError, UnwrittenError, Writer

_log = logging.getLogger(__name__)
PARTS = "parts"  # folder of what is not yet put together
OTHERS = 3  # further pictures that a writer may use
DROPPED = "-"  # in the place of a signature


@dataclass(frozen=True, kw_only=True)
class Job:
    """A part to be made; items that ended a process before are passed over, with the reason."""

    number: int
    passed_over: tuple[tuple[int, str], ...] = ()


@dataclass(kw_only=True)
class Facts:
    """What became of a part, the first line of its file."""

    items: int = 0
    written: int = 0  # conversations
    played: int = 0  # traces
    lines: int = 0
    replayed: int = 0  # steps
    fresh: int = 0  # of those, the ones that bypassed what is remembered
    yields: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)


class Workshop:
    """Sources, writers, skills and verifiers of a run, opened in one process.

    Args:
        recipe: What the run is made of.
        out: Its folder.
        cache: Where results are remembered from run to run; nowhere if left out.
    """

    def __init__(self, recipe: Recipe, out: Path, cache: Path | None) -> None:
        self.recipe = recipe
        self.folder = out / PARTS
        self.results = KeptResults(cache) if cache else None
        self.mixture = Mixture(
            recipe.shares(),
            seed=recipe.seed,
            side=recipe.side,
            scenes=KeptScenes(self.results) if self.results else None,
        )
        self.mixture.problems.clear()  # whoever began the run has told of those
        self.skills = recipe.registry()
        opened = [(open_writer(part.writer, part.options), part.weight) for part in recipe.writers]
        self.writers = [(writer, weight, writer.verifiers()) for writer, weight in opened]
        kept = self.results.pictures if self.results else None
        self.pictures = LinkedPictures(self.folder / "artifacts", kept)
        self._loop = asyncio.new_event_loop()
        self.verifiers = self._standard()

    def make(self, job: Job, at: Callable[[int], object] = lambda index: None) -> Path:
        """Make a part and write its file, which is there as a whole or not at all.

        Args:
            job: Which one.
            at: Called with the index of each item before work on it begins.

        Raises:
            SetupError: Something cannot be written, or a source is gone.
            SpentError: A writer's budget is used up.
        """
        path = part_path(self.folder, job.number)
        if path.exists():
            return path
        facts, lines = Facts(), []
        sieves = {id(writer): Sieve(own) for writer, _, own in self.writers}
        standard, before = Sieve(self.verifiers), self._replays()
        material = self._material(job, facts, at)
        for chunk in _chunks(material, max(writer.at_once for writer, _, _ in self.writers)):
            for one in chunk:
                at(one.index)
            for writer, traces in self._loop.run_until_complete(self._played(chunk, facts)):
                for trace in traces:
                    lines.append(_line(trace, standard, sieves[id(writer)]))
        facts.lines = len(lines)
        counts = [*standard.yields, *(count for own in sieves.values() for count in own.yields)]
        facts.yields = [count.to_json() for count in counts]
        facts.replayed, facts.fresh = (
            now - then for now, then in zip(self._replays(), before, strict=True)
        )
        write_part(path, facts, lines)
        return path

    def close(self) -> None:
        """Let go of the writers and of the loop."""
        for writer, _, _ in self.writers:
            writer.close()
        self._loop.close()

    def _material(self, job: Job, facts: Facts, at: Callable[[int], object]) -> list[Material]:
        """Take the pictures of a part; each comes with some others of the part."""
        size, passed_over = self.recipe.pictures_per_part, dict(job.passed_over)
        items: dict[int, Item] = {}
        for index in range(job.number * size, (job.number + 1) * size):
            facts.items += 1
            if index in passed_over:
                note(facts, f"item {index}", passed_over[index])
                continue
            at(index)
            if (item := self._item(index, facts)) is not None:
                items[index] = item
        found = list(items)
        return [
            Material(
                index=index,
                seed=self.recipe.seed,
                count=self.recipe.per_picture,
                items=(items[index], *_others(items, found, index)),
                skills=self.skills,
            )
            for index in found
        ]

    def _item(self, index: int, facts: Facts) -> Item | None:
        try:
            item = self.mixture.take(index)
        except Exception as error:
            _unless_expected(error, LlavaPlusError, f"item {index}")
            note(facts, f"item {index}", _said(error))
            item = None
        for problem in self.mixture.problems:
            note(facts, f"item {index}", str(problem))
        self.mixture.problems.clear()
        return item

    async def _played(
        self, chunk: Sequence[Material], facts: Facts
    ) -> list[tuple[Writer, list[Trace]]]:
        """Write about some items side by side, and play what was written."""
        writers = [self._writer(one) for one in chunk]
        bounds = {id(writer): asyncio.Semaphore(writer.at_once) for writer in writers}
        notes: list[Facts] = [Facts() for _ in chunk]  # so that problems come in order

        async def work(one: Material, writer: Writer, said: Facts) -> list[Trace]:
            async with bounds[id(writer)]:
                return await self._about(one, writer, said)

        pairs = zip(chunk, writers, notes, strict=True)
        traces = await asyncio.gather(*(work(*pair) for pair in pairs))
        for said in notes:
            facts.written += said.written
            facts.played += said.played
            facts.problems += said.problems
        return list(zip(writers, traces, strict=True))

    async def _about(self, one: Material, writer: Writer, facts: Facts) -> list[Trace]:
        """Let a writer write about an item; what goes wrong costs a conversation, or the item."""
        place = f"item {one.index} ({one.item.id})"
        try:
            conversations = await writer.write(one)
        except SpentError:
            raise
        except Exception as error:
            _unless_expected(error, UnwrittenError, f"writer {writer.name}, {place}")
            note(facts, place, f"{writer.name}: {_said(error)}")
            return []
        facts.written += len(conversations)
        traces = []
        for number, conversation in enumerate(conversations):
            id = f"{self.recipe.name}-{self.recipe.seed}-{one.index:07d}-{number:02d}"
            try:
                traces.append(await self._trace(conversation, id, writer))
            except SpentError:
                raise
            except Exception as error:
                if isinstance(error, SetupError) and isinstance(error.__cause__, OSError):
                    raise  # a disk that cannot be written ends the run, not one conversation
                _unless_expected(error, LlavaPlusError, id)
                note(facts, f"{place}, conversation {number}", _said(error))
        facts.played += len(traces)
        return traces

    async def _trace(self, conversation: Conversation, id: str, writer: Writer) -> Trace:
        return await play(
            conversation,
            id=id,
            skills=self.skills,
            store=self.pictures,
            results=self.results,
            seed=self.recipe.seed,
            writer=writer.name,
        )

    def _writer(self, material: Material) -> Writer:
        """Draw who writes about an item."""
        weights = [weight for _, weight, _ in self.writers]
        return material.rng("writer").choices(self.writers, weights)[0][0]

    def _standard(self) -> list[Verifier]:
        left_out = {*self.recipe.verify.leave_out, Unique.name}
        found = standard_verifiers(
            self.skills,
            results=self.results,
            licences=[*ALLOWED, *self.recipe.verify.licences],
            share=self.recipe.verify.bypass,
            seed=self.recipe.seed,
            agreed=self.folder / "agreed",
            run=self._loop.run_until_complete,
        )
        return [verifier for verifier in found if verifier.name not in left_out]

    def _replays(self) -> tuple[int, int]:
        replay = next((one for one in self.verifiers if isinstance(one, Replay)), None)
        return (replay.steps, replay.fresh) if replay else (0, 0)


def _line(trace: Trace, standard: Sieve, own: Sieve) -> str:
    """Verify a trace; write what is remembered of it, its pictures, and itself."""
    trace, stays = standard.sift(trace)
    if stays:
        trace, stays = own.sift(trace)
    mark = DROPPED
    if stays:  # it is compared with the others when all is put together
        mark = signature(trace).to_text()
        passed = {Unique.name: {"ok": True, "reason": ""}}
        trace = trace.model_copy(update={"verdicts": {**trace.verdicts, **passed}})
    values = [artifact.value for _, artifact in trace.artifacts.items()]
    digests = dict.fromkeys(value.digest for value in values if isinstance(value, Image))
    return f"{mark}\t{','.join(digests)}\t{trace.to_json()}"


def _chunks(material: Sequence[Material], size: int) -> Iterator[Sequence[Material]]:
    for start in range(0, len(material), size):
        yield material[start : start + size]


def part_path(folder: Path, number: int) -> Path:
    """Return where a part lies, or would lie."""
    return folder / f"{number:07d}.part"


def write_part(path: Path, facts: Facts, lines: Sequence[str]) -> None:
    """Write a part, whole."""
    text = "".join(f"{line}\n" for line in (json.dumps(asdict(facts), ensure_ascii=False), *lines))

    def write(file: Any) -> None:
        file.write(text.encode("utf-8", "replace"))
        file.flush()
        os.fsync(file.fileno())

    try:
        write_whole(path, write)
    except OSError as error:
        raise SetupError(
            f"Cannot write to {path.parent}: {error.strerror or error}. Free some space there, "
            "then run the same command again: it goes on where it was."
        ) from error


def note(facts: Facts, where: str, why: str) -> None:
    """Add a problem to what a part says of itself."""
    facts.problems.append({"where": where, "why": why})


def _others(items: dict[int, Item], found: Sequence[int], index: int) -> list[Item]:
    others = [other for other in found if other != index]
    drawn = random.Random(f"others:{index}").sample(others, min(OTHERS, len(others)))
    return [items[other] for other in drawn]


def _unless_expected(error: Exception, kind: type[Exception], place: str) -> None:
    if not isinstance(error, kind):
        _log.error("%s", place, exc_info=error)


def _said(error: Exception) -> str:
    words = str(error) or "no words"
    return words if isinstance(error, LlavaPlusError) else f"{type(error).__name__}: {words}"
