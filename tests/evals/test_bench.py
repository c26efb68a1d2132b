"""The benchmarks measure what they say; how long it takes is no test's business."""

import re
from importlib.util import find_spec

import pytest

from llava_plus.errors import SetupError
from llava_plus.evals import bench, bench_loop, bench_page, bench_peers, bench_remote
from llava_plus.evals.spread import Spread, side_by_side


def test_works_take_turns_after_each_has_warmed_up():
    seen = []
    works = {"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}
    took = side_by_side(works, rounds=2)
    assert seen == ["a", "b", "a", "b", "a", "b"]
    assert list(took) == ["a", "b"]
    assert took["a"].clock.low <= took["a"].clock.middle <= took["a"].clock.high


def test_a_spread_is_its_middle_best_and_worst():
    assert f"{Spread.of([4.0, 1.0, 2.0]).times(10):6.1f}" == "  20.0 (10.0 to 40.0)"


@pytest.mark.parametrize("kept", [False, True])
def test_the_agent_makes_all_its_calls(kept, tmp_path):
    session = bench_loop.agent(tmp_path if kept else None).session()
    turn = session.run_sync("go").turns[0]
    calls = [one for step in turn.steps for one in step.observations]
    assert [call.ok for call in calls] == [True] * bench_loop.CALLS
    assert not any(call.cached for call in calls)


@pytest.mark.parametrize("run", [bench_loop.plain(), bench_loop.plain_kept], ids=["plain", "kept"])
def test_plain_langgraph_makes_as_many_calls(run, monkeypatch):
    calls = []
    real = bench_loop.nothing
    monkeypatch.setattr(bench_loop, "nothing", lambda number: calls.append(number) or real(number))
    run()
    assert calls == [float(number) for number in range(bench_loop.CALLS)]


def test_a_run_that_ends_early_is_not_measured(monkeypatch):
    monkeypatch.setattr(bench_loop.Instant, "plan", None)
    with pytest.raises(RuntimeError, match="the run ended early: error"):
        bench_loop.run_once()


def test_each_request_carries_the_photograph_once_and_begins_with_the_last_one():
    sent = bench_remote.requests()
    assert len(sent) == bench_remote.STEPS
    assert {one.pictures for one in sent} == {1}
    assert bench_remote.grows_only(sent)
    assert not bench_remote.grows_only(sent[::-1])
    words = [len(one.text) for one in sent]
    assert words == sorted(words)
    size = bench_remote.PHOTOGRAPH.stat().st_size
    assert sent[-1].bytes - sent[0].bytes < size  # what the steps add is words


def test_peers_that_are_not_installed_are_said(monkeypatch):
    absent = [name for name in ("smolagents", "pydantic_ai") if find_spec(name) is None]
    assert bench_peers.missing() == [name.replace("_", "-") for name in absent]
    assert len(bench_peers.installed()) == 2 - len(absent)


def test_a_part_is_named_or_refused(capsys):
    bench.main(["remote"])
    out = capsys.readouterr().out
    assert re.search(r"step 20 +\d+, of which \d+ are words", out)
    assert "the photograph in each request: 1 time; each begins with the last one: yes" in out
    assert "nano" not in out
    with pytest.raises(SetupError, match=r"No part 'speed'\. There are: loop, batch"):
        bench.main(["speed"])


@pytest.mark.slow
def test_the_page_shows_the_result_of_a_call():
    opened = bench_page.open_page()
    assert 0 < opened.page < opened.result
