"""Whether the same calls give the same results a second time."""

import hashlib
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from llava_plus.agent import Trace
from llava_plus.agent.waiting import wait
from llava_plus.data_gen.truth import knowing, truths_of
from llava_plus.errors import SkillError
from llava_plus.skills import (
    Artifacts,
    Call,
    Observation,
    ResultCache,
    Runtime,
    SkillRegistry,
    SkillSpec,
    value_to_json,
)
from llava_plus.skills.apis import BY_NAME
from llava_plus.skills.arguments import resolve
from llava_plus.skills.result_cache import call_key

from .moments import Moment, moments
from .verdict import PASSED, Verdict, dropped

NEAR = 1e-6  # how far two numbers of a result may lie apart
MARKS = 100_000  # steps that were run anew, of which a process knows that they gave the same
PATIENCE = 10  # times a skill's time limit: a busy machine makes no trace wrong

Key = tuple[SkillSpec, str] | None  # under which a call's result is kept


class Agreed:
    """Names of steps that ran anew and gave the same.

    Args:
        folder: Where other processes look them up and write theirs.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._known: set[str] = set()

    def __contains__(self, mark: str) -> bool:
        if mark in self._known:
            return True
        return self._folder is not None and (self._folder / mark).exists()

    def add(self, mark: str) -> None:
        """Note a step; what cannot be written is found out again."""
        if len(self._known) >= MARKS:
            self._known.clear()
        self._known.add(mark)
        if self._folder is not None:
            with suppress(OSError):
                self._folder.mkdir(exist_ok=True)
                (self._folder / mark).touch()


class Replay:
    """Each step runs once more on the values that were there before it.

    Not covered: the results of a skill that may answer otherwise each time (``cache=False``), of
    which only the kind is compared. A call that waits for a person's approval is never run, so a
    trace with one is dropped. A call that ran out of time is not run again; it costs the trace,
    unless the next step of the turn worked without it.

    Args:
        skills: What runs; with what a trace's source knows of boxes, its `detect` finds them.
        results: Results of slow skills that earlier runs have kept.
        share: How many of the steps bypass those, drawn by what they call on which values, 0..1;
            the same step runs anew once, and is held to what came of that later.
        seed: Draws them.
        agreed: A folder in which the processes of a run tell each other which of those steps gave
            the same; each process finds out for itself if left out.
        run: Runs to the end what is awaited; a loop of its own each time if left out.
    """

    name = "replay"

    def __init__(
        self,
        skills: SkillRegistry,
        *,
        results: ResultCache | None = None,
        share: float = 0.02,
        seed: int = 0,
        agreed: Path | None = None,
        run: Callable[[Coroutine[Any, Any, Verdict]], Verdict] = wait,
    ) -> None:
        self._run = run
        self.skills = SkillRegistry(
            replace(spec, time_limit=spec.time_limit * PATIENCE) for spec in skills
        )
        self.results = results
        self.share = share
        self.seed = seed
        self.steps = self.fresh = 0  # replayed so far, and those held to what came of it anew
        self._agreed = Agreed(agreed)

    def check(self, trace: Trace) -> Verdict:
        """Run the steps until one differs."""
        return self._run(self._check(trace))

    async def _check(self, trace: Trace) -> Verdict:
        skills = knowing(self.skills, truths_of(trace))
        for moment in moments(trace):
            if why := _unrepeatable(moment, skills):
                return dropped(f"{moment.place}: {why}")
            keys = self._keys(moment, skills)
            fresh, mark = self._drawn(trace, moment, keys)
            known = not fresh or mark in self._agreed
            if known and self._recalled(trace, moment, keys):
                continue
            artifacts = moment.before.copy()
            done = zip(moment.step.actions, moment.step.observations, strict=True)
            pairs = [(call, then) for call, then in done if then.error != "time"]
            runtime = Runtime(skills, artifacts, cache=known, results=self.results)
            now = await runtime.run_many([call for call, _ in pairs])
            for (call, then), again in zip(pairs, now, strict=True):
                if why := _differs(call, then, again, trace.artifacts, artifacts, skills):
                    return dropped(f"{moment.place}: {why}")
            if not known and self._recalled(trace, moment, keys):
                self._agreed.add(mark)
        return PASSED

    def _drawn(self, trace: Trace, moment: Moment, keys: Sequence[Key]) -> tuple[bool, str]:
        """Whether a step bypasses what is remembered; a name for what it calls on which values."""
        names = [key[1] for key in keys if key]
        what = names if len(names) == len(keys) else [trace.id, moment.place]
        mark = hashlib.sha256(" ".join([str(self.seed), *what]).encode()).hexdigest()
        fresh = self.results is None or random.Random(mark).random() < self.share
        self.steps += 1
        self.fresh += fresh
        return fresh, mark

    def _recalled(self, trace: Trace, moment: Moment, keys: Sequence[Key]) -> bool:
        """Whether all that came of a step is what is remembered of its calls."""
        for call, seen, key in zip(
            moment.step.actions, moment.step.observations, keys, strict=True
        ):
            if seen.handle is None or seen.handle not in trace.artifacts or key is None:
                return False
            made = trace.artifacts[seen.handle]
            if self.results is None or made.source != call.id:
                return False
            if made.value != self.results.find(*key):
                return False
        return True

    def _keys(self, moment: Moment, skills: SkillRegistry) -> list[Key]:
        """Return for each call of a step what its result is kept under; None where it is not."""
        return [_key(call, moment.before, skills) for call in moment.step.actions]


def _key(call: Call, before: Artifacts, skills: SkillRegistry) -> Key:
    try:
        spec = skills.find(call.skill)
        args = resolve(spec, call.args, before)
    except SkillError:
        return None
    spec = spec.for_call(args)
    return (spec, call_key(spec, args)) if spec.cache else None


def _unrepeatable(moment: Moment, skills: SkillRegistry) -> str:
    for call, seen in zip(moment.step.actions, moment.step.observations, strict=True):
        if seen.error not in (None, "skill") and not (seen.error == "time" and moment.mended):
            return f"{call.skill} ended by {seen.error}, which the next time may be otherwise"
        if call.skill in skills and skills[call.skill].approval:
            return f"{call.skill} waits for a person's approval, so it was not run again"
    return ""


def _differs(
    call: Call,
    then: Observation,
    now: Observation,
    before: Artifacts,
    after: Artifacts,
    skills: SkillRegistry,
) -> str:
    if (then.ok, then.kind, then.handle) != (now.ok, now.kind, now.handle):
        by = "" if then.backend == now.backend else f", by {now.backend} instead of {then.backend}"
        return f"{call.skill} gave {_shown(then)}, now {_shown(now)}{by}"
    if not then.ok:
        repeated = then.cached  # the loop's own words about a call that failed before
        same = repeated or then.text == now.text
        return "" if same else f"{call.skill} failed with {then.text!r}, now with {now.text!r}"
    if not skills[call.skill].cache and call.skill not in BY_NAME:
        return ""
    assert then.handle is not None
    values = before[then.handle].value, after[then.handle].value
    if not (values[0] == values[1] or _same(*map(value_to_json, values))):
        return f"{call.skill} gave another {then.kind} ({then.text!r}, now {now.text!r})"
    return ""


def _shown(seen: Observation) -> str:
    return f"{seen.handle}" if seen.ok else f"the error {seen.text[:160]!r}"


def _same(one: Any, other: Any) -> bool:
    """Whether plain JSON is the same, but for numbers that are nearly equal."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = one.keys() - {"meta"}
        return names == other.keys() - {"meta"} and all(_same(one[n], other[n]) for n in names)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= NEAR * max(1.0, abs(one))
    return bool(one == other)
