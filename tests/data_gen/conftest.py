"""Pictures, real skills, and a way to see whether a plan could be carried out."""

import pytest

from llava_plus.agent.notation import HANDLE, parse_context, parse_plan, result_prefix
from llava_plus.data_gen.pictures import drawn_pictures
from llava_plus.data_gen.requests import Request
from llava_plus.skills import default_registry
from llava_plus.skills.builtin.planned import PLANNED


@pytest.fixture(scope="session")
def skills():
    """The skills that traces are made of."""
    return default_registry().subset(*PLANNED)


@pytest.fixture(scope="session")
def scenes():
    return list(drawn_pictures(24, seed=0))


@pytest.fixture(scope="session")
def scene(scenes):
    """A scene with at least two objects and nothing that the offline detectors find."""
    return next(one for one in scenes if len(one.objects) >= 2 and not one.holds)


@pytest.fixture(scope="session")
def obstacle(skills):
    """Say what stands in the way of a plan in its context: nothing, for one that can be run."""

    def found(request: Request) -> str:
        context = parse_context(request.context, skills)
        given = {"img": context.images}
        given |= {context.pointer: 1} if context.pointer else {}
        for plan in (*context.turns, parse_plan(request.plan, skills)):
            for step in plan.steps:
                for call in step:
                    for value in call.args.values():
                        if isinstance(value, str) and HANDLE.fullmatch(value):
                            kind, number = value.split("_")
                            if int(number) > given.get(kind, 0):
                                return f"{request.origin}: {value} is not there"
                    lacking = [
                        p.name
                        for p in skills[call.skill].parameters
                        if p.required and p.name not in call.args
                    ]
                    if lacking:
                        return f"{request.origin}: {call.skill} lacks {lacking}"
                for call in step:
                    kind = result_prefix(call, skills)
                    given[kind] = given.get(kind, 0) + 1
        return ""

    return found


@pytest.fixture
def ask():
    """Make a request in short."""
    return lambda text, plan, context="1": Request(
        context=context, text=text, plan=plan, origin="test"
    )
