"""Traces go to a line of JSON and come back the same."""

import json

import pytest

from llava_plus.agent import Trace
from llava_plus.errors import SetupError


@pytest.fixture
def trace(session, picture):
    chat = session(
        "detect(img_1, 'face') & detect(img_1, 'cat')", '{"x', "blur(img_1, boxes_1)", "{img_2}"
    )
    chat.run_sync("weichzeichnen -> 模糊\u2028\x85 line\nbreaks", [picture])
    chat.point("img_2", 0.1, 0.7)
    chat.call_sync("read", {"image": "img_2"})
    return chat.trace


def test_the_round_trip_is_exact(trace):
    line = trace.to_json()
    again = Trace.from_json(line, trace.artifacts.store)
    assert again.to_json() == line
    assert again.turns == trace.turns
    assert dict(again.artifacts.items()) == dict(trace.artifacts.items())


def test_it_is_one_line_without_pixels(trace):
    line = trace.to_json()
    assert len(line.splitlines()) == 1
    assert "模糊" in line
    plain = json.loads(line)
    assert plain["turns"][0]["steps"][0]["actions"][0]["skill"] == "detect"
    assert plain["artifacts"][0]["value"]["digest"] == trace.artifacts["img_1"].value.digest


def test_a_saved_trace_is_whole(trace, tmp_path):
    trace.save(tmp_path / "one.jsonl")
    again = Trace.load(tmp_path / "one.jsonl")
    assert again.to_json() == trace.to_json()
    assert again.artifacts["img_2"].value == trace.artifacts["img_2"].value


def test_versions_of_the_skills_are_noted(trace, skills):
    assert trace.skills == {spec.name: spec.version for spec in skills}
    assert trace.planner == "scripted"
    assert trace.turns[0].steps[0].observations[0].backend


def test_a_trace_does_not_change_when_the_session_goes_on(session, picture):
    chat = session("a", "blur(img_1)", "b")
    before = chat.run_sync("one", [picture])
    line = before.to_json()
    chat.run_sync("two")
    assert before.to_json() == line


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "{}", '{"format":2}', '{"format":1}', '{"format":1,"artifacts":[]}']
)
def test_what_is_no_trace_is_refused(line, trace):
    with pytest.raises(SetupError, match="trace"):
        Trace.from_json(line, trace.artifacts.store)
