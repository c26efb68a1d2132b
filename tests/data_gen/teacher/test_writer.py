"""What a teacher's writer writes, carried out with real skills on drawn scenes."""

import json
from dataclasses import replace

import pytest

from llava_plus.data_gen.sources.item import Truth
from llava_plus.data_gen.teacher import SelfConsistent, TeacherError, TeacherWriter
from llava_plus.data_gen.teacher.facts import facts_of
from llava_plus.data_gen.teacher.pool import likeness
from llava_plus.data_gen.verify import Sieve, standard_verifiers
from llava_plus.errors import SetupError
from llava_plus.skills import Image

from .conftest import lesson, words_of


def only(*kinds):
    return dict.fromkeys(kinds, 1.0)


def observed(trace):
    return [seen for turn in trace.turns for step in turn.steps for seen in step.observations]


def test_the_teacher_asks_chooses_arguments_and_answers_on_what_really_came_back(
    written, teacher_file, drawn, looking, server
):
    writer = TeacherWriter(teacher=teacher_file(), kinds=only("fly"), follow_ups=0)
    traces = written(writer, drawn)
    sieve = Sieve(standard_verifiers(looking))
    assert [sieve.sift(trace)[1] for trace in traces] == [True] * 3, traces
    for trace in traces:
        (seen,) = observed(trace)
        assert seen.version == looking[seen.skill].version
        assert trace.planner == "teacher:big"
        assert trace.tags == {"kind": "fly", "language": "en", "bank": "big"}
    asked = [words_of(body) for body in server.bodies]
    requests = [words for words in asked if "Write one new request" in words]
    assert len(requests) == 3
    label = drawn[0].truth.things[0].label
    assert label in requests[0]  # it knows what is in the picture
    acts = [words for words in asked if "You show how" in words]
    assert '"colors"' in acts[0] or "colors(" in acts[0]  # the signatures are there
    assert not any(label in turn.message for trace in traces for turn in trace.turns)


def test_seeds_are_multiplied_and_what_is_nearly_the_same_is_left_out(
    written, teacher_file, drawn, server, looking, tmp_path
):
    (tmp_path / "seeds.txt").write_text("please be so kind\n\n", encoding="utf-8")
    same = json.dumps({"requests": ["how big is it?", "HOW BIG IS IT", "show me its size"]})
    server.rule = lambda body: same if "You collect" in words_of(body) else lesson(body)
    kinds, seeds = only("fly"), str(tmp_path / "seeds.txt")
    writer = TeacherWriter(teacher=teacher_file(), kinds=kinds, seeds=seeds, rounds=1)
    written(writer, drawn[:1], skills=looking.subset("image_info"))
    examples = list(looking["image_info"].examples)
    assert writer._pools == {"image_info": [*examples, "please be so kind", "show me its size"]}
    assert likeness("what is in the box", "What is in that box?") == pytest.approx(0.8)
    assert likeness("图里有什么", "图里有谁") == pytest.approx(2 * 3 / 9)


def test_all_tools_looks_with_every_skill_first(written, teacher_file, drawn, looking):
    writer = TeacherWriter(teacher=teacher_file(), kinds=only("all tools"))
    (trace,) = written(writer, drawn[:1])
    first, last = trace.turns[0].steps
    looks = ["colors", "detect", "image_info", "read_codes"]
    assert sorted(call.skill for call in first.actions) == looks
    assert all(seen.ok for seen in first.observations)
    assert last.actions == ()
    assert Sieve(standard_verifiers(looking)).sift(trace)[1]


@pytest.mark.parametrize("kind", ["conversation", "detail", "reasoning"])
def test_instructions_without_skills_have_thoughts_and_no_actions(
    written, teacher_file, drawn, looking, kind
):
    writer = TeacherWriter(teacher=teacher_file(), kinds=only(kind))
    (trace,) = written(writer, drawn[:1])
    assert len(trace.turns) == (2 if kind == "conversation" else 1)
    assert [step.thought for turn in trace.turns for step in turn.steps] == ["I look."] * len(
        trace.turns
    )
    assert not observed(trace)
    assert [turn.images for turn in trace.turns][:1] == [("img_1",)]


def test_such_answers_may_rest_on_what_the_source_knows_and_on_nothing_else(
    written, teacher_file, drawn, looking, server
):
    (label, number), *_ = drawn[0].truth.counts().items()
    said = []
    for count in (number, number + 37):
        talk = {"question": "How many are there?", "answer": f"There are {count} of {label}."}
        server.rule = lambda body, talk=talk: json.dumps({"turns": [talk]})
        writer = TeacherWriter(teacher=teacher_file(model=str(count)), kinds=only("detail"))
        said += written(writer, drawn[:1])
    kept = [Sieve(standard_verifiers(looking)).sift(trace) for trace in said]
    assert [stays for _, stays in kept] == [True, False]
    assert "which nobody said" in kept[1][0].verdicts["grounded"]["reason"]


def test_a_conversation_may_go_on_with_what_was_made(written, teacher_file, drawn, looking):
    writer = TeacherWriter(teacher=teacher_file(), kinds=only("fly"), follow_ups=1, rounds=0)
    (trace,) = written(writer, drawn[:1], skills=looking.subset("adjust", "rotate"))
    assert [turn.reason for turn in trace.turns] == ["answered", "answered"]
    assert observed(trace)[1].skill == "rotate"


def test_nonsense_is_asked_again_and_then_costs_the_item(written, teacher_file, drawn, server):
    replies = ["Sure!", '{"turns": []}']
    server.rule = lambda body: replies.pop(0) if replies else lesson(body)
    writer = TeacherWriter(teacher=teacher_file(), kinds=only("detail"))
    assert len(written(writer, drawn[:1])) == 1
    server.rule = lambda body: "[1, 2"
    with pytest.raises(TeacherError, match="nothing of use in 3 tries: no JSON object in"):
        written(writer, drawn[1:2])


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("I would rather not.", "There is no JSON object"),
        ('{"thought": "The notes say so.", "answer": "Blue."}', "gives away what only it knew"),
    ],
)
def test_a_teacher_that_decides_nothing_of_use_loses_that_conversation(
    written, teacher_file, drawn, server, reply, said
):
    server.rule = lambda body: reply if "You show how" in words_of(body) else lesson(body)
    writer = TeacherWriter(teacher=teacher_file(), kinds=only("fly"))
    with pytest.raises(TeacherError, match=f"decided nothing of use in 3 tries: .*{said}"):
        written(writer, drawn[:1])


def test_a_picture_of_which_nothing_is_known_needs_a_teacher_that_sees(
    written, teacher_file, drawn, server
):
    unknown = replace(drawn[0], truth=Truth())
    writer = TeacherWriter(teacher=teacher_file(), kinds=only("detail"))
    with pytest.raises(TeacherError, match="sees: true"):
        written(writer, [unknown])
    seeing = TeacherWriter(teacher=teacher_file(sees=True), kinds=only("detail"))
    assert len(written(seeing, [unknown])) == 1
    (picture, _) = server.bodies[-1]["messages"][0]["content"]
    assert picture["image_url"]["url"].startswith("data:image/jpeg;base64,")
    flying = TeacherWriter(teacher=teacher_file(sees=True), kinds=only("fly"))
    assert len(written(flying, [unknown])) == 1
    assert "image_url" in str(server.bodies[-1]["messages"][1])


def test_chinese_is_asked_for_in_chinese(written, teacher_file, drawn, server):
    talk = {"question": "图里有什么?", "thought": "我看看。", "answer": "一个场景。"}
    server.rule = lambda body: json.dumps({"turns": [talk]}, ensure_ascii=False)
    writer = TeacherWriter(teacher=teacher_file(language="Chinese"), kinds=only("reasoning"))
    (trace,) = written(writer, drawn[:1])
    assert trace.tags["language"] == "zh"
    assert "只回复一个 JSON 对象" in words_of(server.bodies[0])


def test_what_a_teacher_does_not_say_again_is_dropped(
    written, teacher_file, teacher, drawn, server, tmp_path
):
    writer = TeacherWriter(teacher=teacher_file(), kinds=only("fly"), follow_ups=0, samples=2)
    (trace,) = written(writer, drawn[:1])
    (verifier,) = writer.verifiers()
    assert isinstance(verifier, SelfConsistent)
    assert verifier.check(trace).ok
    foreign = trace.model_copy(update={"planner": "nano"})
    before = len(server.bodies)
    assert verifier.check(foreign).ok
    assert len(server.bodies) == before

    disagree = json.dumps({"agree": [False, False]})
    server.rule = lambda body: disagree if "agrees" in words_of(body) else lesson(body)
    fresh = teacher(cache=str(tmp_path / "first.sqlite"))
    verdict = SelfConsistent(fresh, samples=2).check(trace)
    assert not verdict.ok
    assert "step 2: asked 2 times again, the teacher gave the same answer 0 times" in verdict.reason

    other = json.dumps({"thought": "t", "actions": [{"skill": "segment", "args": {}}]})
    server.rule = lambda body: other if "You show how" in words_of(body) else lesson(body)
    verdict = SelfConsistent(teacher(cache=str(tmp_path / "second.sqlite")), samples=2).check(trace)
    assert "step 1: asked 2 times again, the teacher gave the same calls 0 times" in verdict.reason


def test_options_that_make_no_sense_are_refused(teacher_file):
    with pytest.raises(SetupError, match="no kind 'poem'"):
        TeacherWriter(teacher=teacher_file(), kinds={"poem": 1})
    with pytest.raises(SetupError, match="weight 0"):
        TeacherWriter(teacher=teacher_file(), kinds={"fly": 0})
    with pytest.raises(SetupError, match="Cannot read the seeds"):
        TeacherWriter(teacher=teacher_file(), seeds="nowhere.txt")


def test_what_is_known_is_told_in_words(drawn):
    facts = facts_of(drawn[0])
    truth = drawn[0].truth
    assert all(thing.label in facts for thing in truth.things)
    assert all(f'"{line}"' in facts for line in truth.text().texts)
    assert "0." in facts
    assert isinstance(drawn[0].image(), Image)
