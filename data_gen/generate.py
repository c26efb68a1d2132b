"""A run of the generator: parts made by whoever, put together in order, the same on every run."""

from __future__ import annotations

import fcntl
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from llava_plus.errors import SetupError

from .crew import Crew, Setup, here, processes
from .folders import DROPPED as ASIDE
from .folders import MANIFEST, PICTURES
from .mixture import Mixture
from .output import Output, Shards, writing
from .progress import COUNTS, SHOWN, Progress
from .recipe import LIMITS, Recipe
from .remembered import LazyPictures, link
from .verify import Signature, Unique, Verdict, Yield
from .workshop import DROPPED, PARTS, Facts, Job, part_path

ENGINES = ("processes", "ray")
AHEAD = 4  # parts for each worker that may be done before the one that is waited for
_RECIPE = "recipe.sha256"


Tick = Callable[[Progress], object]


def generate(
    recipe: Recipe,
    out: Path,
    *,
    cache: Path | None = None,
    engine: str = "processes",
    finish: bool = False,
    tick: Tick = lambda progress: None,
) -> Progress:
    """Make traces into a folder; a run that was broken off goes on where it was.

    What comes out depends on the recipe alone: not on the number of workers, the engine, the
    cache or how often the run was killed. Not covered: skills that give another result each time
    without saying so (``cache=False``), and time limits that are reached on a busy machine.

    Args:
        recipe: What the run is made of.
        out: A new folder, or the one of a run that was broken off.
        cache: A folder where results are remembered from run to run; nothing is, if left out.
        engine: Who makes the parts, see ``ENGINES``.
        finish: Whether to make nothing more and close the run with what it has.
        tick: Called as the run gets on.

    Raises:
        SetupError: Something cannot be read, written or begun; the same command goes on later.
        SpentError: A writer's budget is used up; likewise.
    """
    if finish:
        _begun(out, recipe)
    with _alone(out, recipe):
        progress = Progress(wanted=recipe.traces)
        run = _Run(recipe, out, progress)
        aside = Shards(run.output, f"{ASIDE}/traces")
        with run.problems, Shards(run.output) as kept, aside as gone:

            def take() -> None:
                for path in run.ready():
                    run.take(path, kept, gone)
                    tick(progress)

            take()  # what an earlier run has made
            progress.begin()
            if not (finish or progress.over):
                setup = Setup(recipe=recipe, out=out, cache=cache)
                crew = _crew(engine, setup, run, lambda: tick(progress))
                with closing(crew) as parts:
                    for _ in parts:
                        take()
                        if progress.over:
                            break
        run.close()
    return progress


def _crew(engine: str, setup: Setup, run: _Run, tick: Callable[[], object]) -> Crew:
    """Return who makes the parts."""
    workers = setup.recipe.workers
    if engine == "ray":
        from .crew_ray import ray_data

        return ray_data(setup, partial(run.next_job, None), workers=workers)
    jobs = partial(run.next_job, AHEAD * workers)
    if workers == 1:
        return here(setup, jobs, tick)
    return processes(setup, jobs, tick, workers=workers)


class _Run:
    """Puts parts together in their order."""

    def __init__(self, recipe: Recipe, out: Path, progress: Progress) -> None:
        self.recipe, self.progress = recipe, progress
        self.parts = out / PARTS
        self.output = Output(out)
        with writing(out):
            self.parts.mkdir(exist_ok=True)
            (self.parts / _RECIPE).write_text(recipe.fingerprint())
        self._given = self._next = 0
        self._unique = Unique(seed=0)
        left_out = Unique.name in recipe.verify.leave_out
        self._compare = None if left_out else self._unique
        self._pictures = LazyPictures(self.parts / PICTURES)
        found = Mixture(recipe.shares(), seed=recipe.seed).problems
        self.problems = self.output.create(f"{ASIDE}/problems.jsonl")
        for problem in found:
            self._note({"where": problem.file, "why": str(problem)})

    def next_job(self, ahead: int | None) -> Job | None:
        """Return the next part that is not there yet, unless enough are on their way."""
        while part_path(self.parts, self._given).exists():
            self._given += 1
        on_the_way = self._given - self._next
        if self.progress.over or self._enough(on_the_way) or on_the_way >= (ahead or math.inf):
            return None
        self._given += 1
        return Job(number=self._given - 1)

    def _enough(self, on_the_way: int) -> bool:
        """Whether what is on its way will do, if it is like what came so far."""
        progress, recipe = self.progress, self.recipe
        each: float = recipe.per_picture * recipe.pictures_per_part
        if progress.parts:
            each = progress.kept / progress.parts
        return on_the_way > 0 and progress.kept + on_the_way * each >= progress.wanted

    def ready(self) -> Iterator[Path]:
        """Yield the parts that come next and are there."""
        while not self.progress.over:
            path = part_path(self.parts, self._next)
            if not path.exists():
                return
            self._next += 1
            yield path

    def take(self, path: Path, kept: Shards, gone: Shards) -> None:
        """Add what a part holds to the output."""
        progress = self.progress
        before = progress.kept
        with path.open(encoding="utf-8") as lines:
            facts = Facts(**json.loads(next(lines)))
            self._count(facts)
            for line in lines:
                if progress.kept >= progress.wanted:
                    break
                mark, digests, trace = line.rstrip("\n").split("\t", 2)
                verdict = self._admitted(mark)
                for digest in filter(None, digests.split(",")):
                    self._keep(digest)
                if verdict is None or not verdict.ok:
                    gone.add(trace if verdict is None else _marked(trace, verdict))
                else:
                    kept.add(trace)
                    progress.kept += 1
        progress.parts += 1
        progress.dry = 0 if progress.kept > before else progress.dry + 1

    def close(self) -> None:
        """Write the manifest and delete the parts."""
        facts = {"name": self.recipe.name, "seed": self.recipe.seed, **self.progress.to_json()}
        self.output.finish({"kind": "traces", **facts})
        shutil.rmtree(self.parts)

    def _admitted(self, mark: str) -> Verdict | None:
        """Return whether a trace is like none before; none where it was dropped already."""
        if mark == DROPPED:
            return None
        if self._compare is None:
            return Verdict(ok=True)
        row = self.progress.yields.setdefault(Unique.name, Yield(name=Unique.name))
        verdict = self._compare.admit(Signature.from_text(mark))
        row.seen += 1
        row.kept += verdict.ok
        row.dropped += not verdict.ok
        return verdict

    def _count(self, facts: Facts) -> None:
        for name in COUNTS:
            self.progress.counts[name] += getattr(facts, name)
        for one in facts.yields:
            row = self.progress.yields.setdefault(one["name"], Yield(name=one["name"]))
            for column in ("seen", "kept", "dropped", "raised"):
                setattr(row, column, getattr(row, column) + one[column])
        if Unique.name in self.progress.yields:  # it comes last
            self.progress.yields[Unique.name] = self.progress.yields.pop(Unique.name)
        for problem in facts.problems:
            self._note(problem)

    def _note(self, problem: dict[str, str]) -> None:
        self.problems.write(json.dumps(problem, ensure_ascii=False) + "\n")
        self.progress.problem_count += 1
        if len(self.progress.problems) < SHOWN:
            self.progress.problems.append(problem)

    def _keep(self, digest: str) -> None:
        """Give a picture its place in the output."""
        target = self._pictures.path(digest).relative_to(self.parts)
        with writing(self.output.folder):
            link(self.parts / target, self.output.folder / target)


def _begun(out: Path, recipe: Recipe) -> None:
    """Refuse to close a run of which no part was made."""
    if not (out / MANIFEST).exists() and not any((out / PARTS).glob("*.part")):
        raise SetupError(
            f"There is nothing to close in {out}: of {recipe.traces} traces that were wanted, none "
            "was made. Name the folder of a run that was broken off, or make traces without "
            "--finish."
        )


@contextmanager
def _alone(out: Path, recipe: Recipe) -> Iterator[None]:
    """Work in a folder that nobody else works in, with what was begun from the same recipe."""
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        folder = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SetupError(f"Another run works in {out}. Wait for it, or stop it.") from error
        if (out / MANIFEST).exists():
            shutil.rmtree(out / PARTS, ignore_errors=True)  # where a run was killed at its very end
            raise SetupError(f"{out} is there already. Name a new folder, or delete it.")
        begun = out / PARTS / _RECIPE
        if begun.exists() and begun.read_text() != recipe.fingerprint():
            raise SetupError(
                f"{out} was begun with another recipe. Name a new folder, delete it, or put the "
                f"recipe back; only {', '.join(LIMITS)} and a writer's limits may change."
            )
        yield
    finally:
        os.close(folder)


def _marked(line: str, verdict: Verdict) -> str:
    """Write into a trace why it was dropped."""
    trace = json.loads(line)
    trace["verdicts"][Unique.name] = {"ok": False, "reason": verdict.reason}
    return json.dumps(trace, ensure_ascii=False, separators=(",", ":"))
