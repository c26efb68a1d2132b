"""Skills that nobody has."""

from itertools import count, islice

import pytest

from llava_plus.agent.dialects.json import parse
from llava_plus.agent.notation import parse_plan
from llava_plus.data_gen.invented import added_requests, read_invented
from llava_plus.data_gen.nano import EVALUATION, Wordings, make_conversations
from llava_plus.data_gen.requests import Heldout
from llava_plus.errors import SetupError
from llava_plus.skills import SkillRegistry


@pytest.fixture(scope="module")
def invented():
    return read_invented()


@pytest.fixture(scope="module")
def sessions(invented):
    return list(added_requests([], copies=1, seed=0))


def test_there_are_many_and_none_has_the_name_of_a_skill_that_traces_use(invented, skills):
    assert len(invented) >= 150
    assert len({one.name for one in invented}) == len(invented)
    assert not {one.name for one in invented} & {spec.name for spec in skills}


def test_each_of_them_can_be_declared_and_its_plans_read(invented, skills):
    for one in invented:
        registry = skills.merge(SkillRegistry([one.declared()]))
        assert registry[one.name].description == one.description
        for text in one.requests:
            assert one.name in parse_plan(one.plan(text, one.name), registry).skills


def test_each_is_wanted_in_sessions_that_have_it(invented, sessions, skills):
    for request, registry in sessions:
        plan = parse_plan(request.plan, skills.merge(registry))
        assert {call.skill for call in plan.calls} & {spec.name for spec in registry}
        assert 1 <= len(list(registry)) <= 3
    wanted = {request.origin.removeprefix("invented:") for request, _ in sessions}
    assert wanted == {one.name for one in invented}


def test_some_have_a_name_that_tells_nothing(invented, sessions):
    names = {one.name for one in invented}
    strange = [
        request for request, _ in sessions if not any(name in request.plan for name in names)
    ]
    assert 0.25 < len(strange) / len(sessions) < 0.45


def test_some_sessions_want_none_of_the_added_skills(ask):
    builtin = [ask("blur it", "blur(img_1)")]
    sessions = list(islice(added_requests(builtin, copies=1, seed=0), 300))
    share = sum(request == builtin[0] for request, _ in sessions) / len(sessions)
    assert 0.25 < share < 0.42
    assert all(len(list(registry)) for _, registry in sessions)


def test_the_same_seed_gives_the_same_sessions(sessions):
    for (request, registry), (known, names) in zip(
        islice(added_requests([], copies=1, seed=0), 60), sessions, strict=False
    ):
        assert request == known
        assert [spec.name for spec in registry] == [spec.name for spec in names]


def test_what_is_added_stands_in_the_system_message_and_is_called(scenes, sessions):
    few = [session for session in sessions if "detect" not in session[0].plan][:12]
    conversations = list(make_conversations(few, scenes, Wordings([]), seed=0))
    assert len(conversations) == len(few)
    for (request, registry), conversation in zip(few, conversations, strict=True):
        for spec in registry:
            assert f"+ {spec.signature()}" in conversation[0].text
        called = parse(conversation[2].text, (f"c{n}" for n in count())).calls[0].skill
        assert request.plan.startswith(f"{called}(")
        assert called in {spec.name for spec in registry}


def test_no_request_for_an_added_skill_is_near_the_evaluation(invented):
    heldout = Heldout.read(EVALUATION)
    assert sum(heldout.near(text) for one in invented for text in one.requests) == 0


def test_a_line_of_another_shape_is_named(tmp_path):
    file = tmp_path / "invented.tsv"
    file.write_text("sepia\timage\tMakes it brown.\ta\tb\tc\nx\timage\tToo short.\ta\n")
    with pytest.raises(SetupError, match=r"invented\.tsv:2"):
        read_invented(file)
    file.write_text("sepia\tvideo\tMakes it brown.\ta\tb\tc\n")
    with pytest.raises(SetupError, match=r"invented\.tsv:1"):
        read_invented(file)
