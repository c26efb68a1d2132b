"""Which skills a local planner may call and reads about."""

import asyncio
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from llava_plus.agent import Agent, PlanView
from llava_plus.agent.dialects import json
from llava_plus.agent.planners.local import LocalPlanner
from llava_plus.agent.trace import Turn
from llava_plus.errors import SetupError
from llava_plus.model import LMM, LMMProcessor, tiny_config, train_tokenizer
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Image,
    SkillRegistry,
    Table,
    default_registry,
    skill,
)
from llava_plus.skills.builtin.planned import PLANNED

SPARKLE = "+ sparkle(image: Image) -> Image: Put stars on the picture."


@skill
def sparkle(image: Image) -> Image:
    """Put stars on the picture."""
    return image


class Watching:
    """An engine that keeps what it is given, and ends the turn."""

    def write(self, conversation, *, grammar, stop, emit):
        self.conversation, self.grammar = conversation, grammar
        return '{"thought":"","answer":"Done."}'

    def callable(self, skills):
        return {one.name for one in skills if f'skill\\":\\"{one.name}\\"' in self.grammar}


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["find the faces"] * 9, boilerplate=['{"thought":"'])


@pytest.fixture
def watched(tokenizer):
    """Make a planner of a model of ours that knows these skills, and the engine it works with."""

    def make(*skills):
        processor = LMMProcessor(tokenizer, skills=skills)
        model = LMM(tiny_config(len(tokenizer), image_token_id=processor.image_token_id))
        planner = LocalPlanner(model, processor)
        planner._engine = Watching()
        return planner, planner._engine

    return make


@pytest.fixture
def view():
    """A session with a handle of every kind, so that no skill is left out for want of one."""
    artifacts = Artifacts()
    image = Image(np.zeros((8, 8, 3), np.uint8))
    for value in (image, Boxes(((0, 0, 1, 1),)), Table(("a", "b"), (("x", 1),))):
        artifacts.add(value)
    return PlanView(
        turns=(Turn(message="the left one", images=("img_1",)),),
        artifacts=artifacts,
        skills=default_registry(),
        cancel=threading.Event(),
    )


@pytest.fixture
def with_own(view):
    """The same with a skill that a person brought."""
    return replace(view, skills=view.skills.merge(SkillRegistry([sparkle])))


def plan(planner, view):
    async def finish():
        return [item async for item in planner.plan(view)]

    return asyncio.run(finish())[-1]


def test_a_model_that_names_its_skills_is_offered_just_those(watched, view):
    planner, engine = watched(*PLANNED)
    plan(planner, view)
    assert engine.callable(view.skills) == set(PLANNED)
    assert engine.conversation[0].text == ""


def test_it_is_offered_a_persons_own_besides(watched, with_own):
    planner, engine = watched(*PLANNED)
    plan(planner, with_own)
    assert engine.callable(with_own.skills) == {*PLANNED, "sparkle"}
    assert engine.conversation[0].text == SPARKLE


def test_a_persons_own_skill_under_a_name_of_ours_is_offered(watched, view):
    @skill
    def flip(image: Image, *, times: int = 1) -> Image:
        """Flip it over and over."""
        return image

    planner, engine = watched(*PLANNED)
    own = SkillRegistry([*view.skills.subset(*PLANNED), flip])
    plan(planner, replace(view, skills=own))
    assert engine.callable(own) == {*PLANNED, "flip"}
    assert engine.conversation[0].text.startswith("+ flip(image: Image, *, times: int = 1)")


def test_what_it_knows_and_is_not_there_is_listed_as_gone(watched, view):
    planner, engine = watched("blur", "crop")
    plan(planner, replace(view, skills=view.skills.subset("blur", "flip")))
    assert engine.callable(view.skills) == {"blur"}
    assert engine.conversation[0].text == "- crop"


def test_a_model_that_names_none_is_offered_all(watched, with_own):
    planner, engine = watched()
    plan(planner, with_own)
    assert engine.callable(with_own.skills) == {spec.name for spec in with_own.skills}
    assert engine.conversation[0].text == SPARKLE


def test_a_model_that_is_not_ours_is_offered_all(tokenizer, with_own):
    model = LMM(tiny_config(len(tokenizer), image_token_id=0))
    planner = LocalPlanner(model, SimpleNamespace(tokenizer=tokenizer))
    planner._engine = Watching()
    plan(planner, with_own)
    assert planner._engine.callable(with_own.skills) == {spec.name for spec in with_own.skills}
    assert with_own.skills.prompt() in planner._engine.conversation[0].text


def test_what_was_called_by_hand_stays_in_what_it_reads(watched, events_of, picture):
    planner, engine = watched(*PLANNED)
    session = Agent(planner, default_registry()).session()
    session.run_sync("hello", images=[picture])
    events_of(session.call("flip", {"image": "img_1"}))
    session.run_sync("now blur it")
    read = [message.text for message in engine.conversation]
    assert '{"thought":"","actions":[{"skill":"flip","args":{"image":"img_1"}}]}' in read
    assert read[0] == ""
    assert engine.callable(default_registry()) <= set(PLANNED)


def test_a_model_of_skills_that_are_gone_says_which(tokenizer):
    with pytest.raises(SetupError, match=r"trained on sharpen, which .* processor\.json"):
        LocalPlanner(None, LMMProcessor(tokenizer, skills=("blur", "sharpen")))


def test_the_system_text_lists_differences_from_what_a_planner_knows(view):
    known = view.skills.subset("blur", "crop")
    some = replace(view, skills=view.skills.subset("blur", "flip"))
    text = json.render(some, known=known)[0].text
    assert [line[:7] for line in text.splitlines()] == ["+ flip(", "- crop"]
    assert json.render(view, known=default_registry())[0].text == ""
