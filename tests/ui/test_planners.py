"""Which planner a chat has, where the program was started with several."""

import pytest

from llava_plus.agent import Agent, ScriptedPlanner
from llava_plus.errors import SetupError
from llava_plus.ui.late import LatePlanner
from llava_plus.ui.lobby import Lobby
from llava_plus.ui.planners import plan_with, planner_of
from llava_plus.ui.state import Visit


@pytest.fixture
def loads():
    """The names of the planners that were loaded."""
    return []


@pytest.fixture
def lobby(skills, loads):
    def late(name):
        def load():
            loads.append(name)
            return ScriptedPlanner([f"{name} answers."] * 3)

        return LatePlanner(load, name=name)

    planners = {"small": late("small"), "large": late("large")}
    first = planners["small"].start()
    first.loaded.wait(10)
    return Lobby(lambda: Agent(first, skills), planners=planners)


@pytest.fixture
def visit(lobby, inbox):
    return Visit(lobby, inbox)


def answers(visit):
    return [turn.answer for turn in visit.session.trace.turns]


def test_the_next_request_goes_to_the_planner_that_was_chosen(visit, tell, loads):
    tell(visit, "Hello?")
    plan_with(visit, "large")
    visit.lobby.planners["large"].loaded.wait(10)
    tell(visit, "And now?")
    plan_with(visit, "small")
    tell(visit, "Again?")
    assert answers(visit) == ["small answers.", "large answers.", "small answers."]
    assert loads == ["small", "large"]


def test_a_planner_loads_when_it_is_chosen_first(visit, loads):
    assert loads == ["small"]
    for _ in range(2):
        plan_with(visit, "large")
    visit.lobby.planners["large"].loaded.wait(10)
    assert loads == ["small", "large"]


def test_other_chats_keep_their_planner_and_another_page_sees_the_chats_own(visit, lobby, inbox):
    other = Visit(lobby, inbox)
    plan_with(visit, "large")
    assert (planner_of(visit), planner_of(other)) == ("large", "small")
    other.open(visit.session.id)
    assert planner_of(other) == "large"
    other.new_chat()
    assert planner_of(other) == "small"


def test_a_planner_that_was_not_named_at_the_start_is_refused(visit):
    with pytest.raises(SetupError, match="no planner 'openai:x@http://evil'"):
        plan_with(visit, "openai:x@http://evil")
    assert planner_of(visit) == "small"


def test_where_one_planner_is_all_nothing_is_offered(skills, inbox):
    visit = Visit(Lobby(lambda: Agent(ScriptedPlanner(["Hello."]), skills)), inbox)
    assert planner_of(visit) is None
