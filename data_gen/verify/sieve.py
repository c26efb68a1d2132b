"""Verifiers one after the other, what each lets through, and a folder of what is left."""

import json
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llava_plus.agent import Trace
from llava_plus.agent.waiting import wait
from llava_plus.data_gen.folders import DROPPED, PICTURES, Problem, TraceFolder
from llava_plus.data_gen.output import Output, Shards
from llava_plus.errors import SetupError
from llava_plus.skills import ArtifactStore, Image, ResultCache, SkillRegistry

from .answers import Grounded, MatchesTruth, NoLeak
from .claims import Evidence
from .duplicates import Unique
from .permission import ALLOWED, Licences, Refusals
from .replayed import Replay
from .schema import Schema
from .verdict import Verdict, Verifier

_log = logging.getLogger(__name__)
SHOWN = 5  # problems whose words a report keeps


@dataclass(kw_only=True)
class Yield:
    """What came to a verifier, and what became of it."""

    name: str
    seen: int = 0
    kept: int = 0
    dropped: int = 0  # raised is not among them
    raised: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {**vars(self), "share": round(self.kept / self.seen, 4) if self.seen else None}


@dataclass(kw_only=True)
class Report:
    """What a run made of a folder."""

    read: int = 0
    unreadable: int = 0
    kept: int = 0
    seconds: float = 0.0
    yields: list[Yield] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)  # the first few
    replayed: int = 0  # steps
    fresh: int = 0  # of those, the ones that bypassed the cache

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, without what a clock says, so that equal runs write equal files."""
        counts = {"read": self.read, "unreadable": self.unreadable, "kept": self.kept}
        steps = {"replayed_steps": self.replayed, "replayed_past_the_cache": self.fresh}
        return {**counts, **steps, "yields": [one.to_json() for one in self.yields]}


class Sieve:
    """Verifiers in order; the first that drops a trace ends its way."""

    def __init__(self, verifiers: Sequence[Verifier]) -> None:
        self.verifiers = tuple(verifiers)
        self.yields = [Yield(name=verifier.name) for verifier in verifiers]

    def sift(self, trace: Trace) -> tuple[Trace, bool]:
        """Return the trace with what was said of it, and whether it stays."""
        said: dict[str, Any] = dict(trace.verdicts)
        for verifier, count in zip(self.verifiers, self.yields, strict=True):
            count.seen += 1
            verdict = _asked(verifier, trace, count)
            said[verifier.name] = {"ok": verdict.ok, "reason": verdict.reason}
            if not verdict.ok:
                return trace.model_copy(update={"verdicts": said}), False
            count.kept += 1
        return trace.model_copy(update={"verdicts": said}), True


def standard_verifiers(
    skills: SkillRegistry,
    *,
    results: ResultCache | None = None,
    licences: Sequence[str] = ALLOWED,
    replay: bool = True,
    share: float = 0.02,
    seed: int = 0,
    agreed: Path | None = None,
    run: Callable[[Coroutine[Any, Any, Verdict]], Verdict] = wait,
) -> list[Verifier]:
    """Return all verifiers, what is quick first; only what passed all others is remembered.

    Args:
        skills: What calls are checked against and replayed with.
        results: Results of slow skills that earlier runs have kept.
        licences: Which are allowed, see `Licences`.
        replay: Whether calls run once more.
        share: How many of the steps bypass the kept results, 0..1.
        seed: Draws those.
        agreed: See `Replay`.
        run: See `Replay`.
    """
    again = Replay(skills, results=results, share=share, seed=seed, agreed=agreed, run=run)
    quick: list[Verifier] = [Schema(skills), Licences(licences), Refusals()]
    evidence = Evidence()
    quick += [MatchesTruth(), Grounded(evidence), NoLeak(evidence)]
    return [*quick, *([again] if replay else []), Unique()]


def sift_folder(
    folder: TraceFolder,
    out: str | Path,
    verifiers: Sequence[Verifier],
    *,
    licence: str = "",
    tick: Callable[[], object] = lambda: None,
) -> Report:
    """Verify all traces of a folder; write what is kept, and beside it what is not.

    Args:
        folder: What is read.
        out: A new folder: shards with a manifest, ``artifacts`` with the pictures, ``dropped`` with
            the traces that were dropped and the lines that could not be read.
        verifiers: In order.
        licence: That of the pictures of traces that name none.
        tick: Called after each line.

    Raises:
        SetupError: Something cannot be read or written; what a verifier raises costs one trace.
    """
    report, sieve, began = Report(), Sieve(verifiers), time.monotonic()
    report.yields = sieve.yields
    output = Output(out)
    store = ArtifactStore(output.folder / PICTURES)
    with (
        Shards(output) as kept,
        Shards(output, f"{DROPPED}/traces") as gone,
        Shards(output, f"{DROPPED}/unreadable", suffix=".txt") as unreadable,
    ):
        for found in folder.read():
            report.read += 1
            if isinstance(found, Problem):
                _note(found, report, unreadable)
            else:
                named = {"licence": found.licence or licence}
                trace, stays = sieve.sift(found.model_copy(update=named))
                put_pictures(trace, store)
                (kept if stays else gone).add(trace.to_json())
                report.kept += stays
            tick()
    for verifier in verifiers:
        if isinstance(verifier, Replay):
            report.replayed, report.fresh = verifier.steps, verifier.fresh
    output.finish({"kind": "traces", **report.to_json()})
    report.seconds = time.monotonic() - began
    return report


def put_pictures(trace: Trace, store: ArtifactStore) -> None:
    """Keep all pictures of a trace."""
    for _, artifact in trace.artifacts.items():
        if isinstance(artifact.value, Image):
            store.put(artifact.value)


def _asked(verifier: Verifier, trace: Trace, count: Yield) -> Verdict:
    """Return the verdict; a verifier that raises costs this trace only."""
    try:
        verdict = verifier.check(trace)
    except Exception as error:
        if not isinstance(error, SetupError):
            _log.error("verifier %s, trace %s", verifier.name, trace.id, exc_info=error)
        count.raised += 1
        return Verdict(ok=False, reason=f"the verifier failed: {type(error).__name__}: {error}")
    count.dropped += not verdict.ok
    return verdict


def _note(problem: Problem, report: Report, unreadable: Shards) -> None:
    report.unreadable += 1
    if len(report.problems) < SHOWN:
        report.problems.append(problem)
    facts = {"where": problem.where, "why": problem.why, "line": problem.line}
    unreadable.add(json.dumps(facts, ensure_ascii=False))
