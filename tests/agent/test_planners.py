"""The scripted planner, loading by name, and what importing costs."""

import subprocess
import sys

import pytest

from llava_plus.agent import Decision, PlannerError, ScriptedPlanner, load_planner
from llava_plus.errors import SetupError
from llava_plus.skills import Call


def test_a_script_may_be_words_decisions_functions_and_errors(session, picture):
    script = [
        "read(img_1)",
        Decision(thought="t", calls=(Call(id="a", skill="blur", args={"image": "img_1"}),)),
        lambda view: f"detect({view.artifacts.handles('image')[-1]}, 'face') & read(img_1)",
        PlannerError("What?"),
        "It says {lines_1}; done (really).",
    ]
    turn = session(*script).run_sync("go", [picture]).turns[0]
    assert [call.skill for step in turn.steps for call in step.actions] == [
        "read", "blur", "detect", "read",
    ]  # fmt: skip
    assert turn.steps[2].actions[0].args["image"] == "img_2"
    assert turn.answer == 'It says "OPEN"; done (really).'


def test_the_end_of_the_script_is_an_error(session):
    turn = session().run_sync("go").turns[0]
    assert "The script is over after 0 lines" in turn.answer


def test_a_script_goes_on_over_turns():
    assert ScriptedPlanner(["a"], name="double").name == "double"


@pytest.mark.parametrize("name", ["", "./not/there", "/not/there", "~/not/there"])
def test_a_planner_that_is_not_there_is_a_clear_error(name):
    with pytest.raises(SetupError, match="nano"):
        load_planner(name)


def test_neither_torch_nor_langgraph_is_imported_before_it_is_needed():
    code = "import sys, llava_plus.agent; print({'torch', 'gradio', 'langgraph'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
