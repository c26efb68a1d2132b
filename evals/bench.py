"""Measure what the loop, the runtime, the planner and the page cost, side by side in one run.

make bench            # or a part: python -m llava_plus.evals.bench loop, remote, page, nano, …

docs/benchmarks.md says what each figure is. All takes about ten minutes on two cores that do
nothing else; on a busy machine only ratios mean something.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence

from llava_plus.errors import SetupError

from . import (
    bench_generate,
    bench_loop,
    bench_nano,
    bench_page,
    bench_peers,
    bench_remote,
    bench_train,
)
from .bench_loop import CALLS, EPISODES
from .spread import Spread, Took, side_by_side

ROUNDS = 15
SESSIONS = 3  # of nano
STARTS = 3  # of the page


def loop() -> Iterator[str]:
    """Compare agents that have nothing to do but to make calls."""
    yield f"ms per call by the clock | on the cores, {CALLS} calls of a skill that does nothing"
    works: dict[str, Callable[[], object]] = {
        "bare loop": bench_loop.bare,
        "plain LangGraph": bench_loop.plain(),
        "agent": bench_loop.run_once,
        "LangGraph, kept": bench_loop.plain_kept,
        "agent, kept": bench_loop.kept,
        **bench_peers.installed(),
        "validation": bench_loop.validation,
        "dispatch": bench_loop.dispatch,
    }
    took = side_by_side(works, rounds=ROUNDS)
    yield from (_row(name, each, CALLS) for name, each in took.items())
    yield from (f"  {name:16} not installed" for name in bench_peers.missing())
    agent, plain = took["agent"], took["plain LangGraph"]
    above = (agent.clock.middle - plain.clock.middle, agent.cores.middle - plain.cores.middle)
    clock, cores = (each * 1000 / CALLS for each in above)
    yield f"  the agent less plain LangGraph: {clock:+.3f} ms, {cores:+.3f} on the cores"


def batch() -> Iterator[str]:
    """Run many episodes at once."""
    steps = EPISODES * CALLS
    yield f"ms per call by the clock | on the cores, {EPISODES} sessions of {CALLS} calls at once"
    took = side_by_side({"agents": bench_loop.episodes}, rounds=3)["agents"]
    yield _row("agents at once", took, steps)
    clock, cores = steps / took.clock.middle, steps / took.cores.middle
    yield f"  {clock:.0f} calls per second by the clock, {cores:.0f} for each core that is busy"


def remote() -> Iterator[str]:
    """Count what goes to a chat server."""
    sent = bench_remote.requests()
    yield f"bytes per request to a chat server, one photograph, {len(sent)} steps"
    for number in (1, len(sent)):
        one = sent[number - 1]
        yield f"  step {number:<11} {one.bytes:9}, of which {len(one.text)} are words"
    often = max(one.pictures for one in sent)
    grows = "yes" if bench_remote.grows_only(sent) else "NO"
    yield f"  the photograph in each request: {often} time; each begins with the last one: {grows}"


def page() -> Iterator[str]:
    """Open the page, and call a skill on it."""
    starts = [bench_page.open_page() for _ in range(STARTS)]
    yield f"s from the command on, {STARTS} starts of llava-plus ui"
    yield f"  page             {Spread.of([start.page for start in starts]):9.1f}"
    yield f"  first result     {Spread.of([start.result for start in starts]):9.1f}"


def nano() -> Iterator[str]:
    """Plan with the bundled planner."""
    steps = bench_nano.planner_costs(bench_nano.nano(), sessions=SESSIONS)
    yield f"nano, ms per step, {SESSIONS} sessions: cache kept | all read again | ratio"
    for number, (kept, again) in enumerate(steps, 1):
        ratio = _seconds(again).middle / _seconds(kept).middle
        yield f"  step {number}: {_told(kept)} | {_told(again)} | {ratio:.2f}"


def generate() -> Iterator[str]:
    """Make training data: nothing remembered, all remembered, and in two processes."""
    yield "the generator of training data, twelve drawn scenes"
    yield from bench_generate.lines()


PARTS = {
    "loop": loop,
    "batch": batch,
    "remote": remote,
    "page": page,
    "nano": nano,
    "generate": generate,
    "train": bench_train.lines,
}


def main(names: Sequence[str] = ()) -> None:
    """Print the named parts, or all."""
    if unknown := [name for name in names if name not in PARTS]:
        raise SetupError(f"No part {unknown[0]!r}. There are: {', '.join(PARTS)}.")
    lines = (line for name in names or PARTS for line in PARTS[name]())
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; middle (best to worst)")  # noqa: T201
    for line in lines:
        print(line, flush=True)  # noqa: T201


def _row(name: str, took: Took, calls: int) -> str:
    clock, cores = took.clock.times(1000 / calls), took.cores.times(1000 / calls)
    return f"  {name:16} {clock:8.3f} | {cores:8.3f}"


def _seconds(costs: Sequence[bench_nano.Cost]) -> Spread:
    return Spread.of([cost.seconds for cost in costs])


def _told(costs: Sequence[bench_nano.Cost]) -> str:
    ms = _seconds(costs).times(1000)
    return f"{ms:5.0f}, {costs[0].read:4} tokens read, {costs[0].written:3} written"


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SetupError as error:
        sys.exit(str(error))
