"""Copies of a conversation about other things."""

import itertools
import random
import re
from threading import Event

import pytest

from llava_plus.agent import PlanView
from llava_plus.agent.dialects import json as dialect
from llava_plus.data_gen import refill
from llava_plus.data_gen.nouns import Nouns, several
from llava_plus.data_gen.refill import named, refilled
from llava_plus.data_gen.requests import LABEL, copied_labels
from llava_plus.data_gen.traces import make_trace, truth_registry
from llava_plus.skills.nouns import singular


@pytest.fixture(scope="module")
def nouns():
    return Nouns(("zebra", "ice cube", "old vase", "cherry"), invented=0.0)


@pytest.fixture(scope="module")
def told(scene):
    """Follow a request on a scene and write it as a conversation."""

    def conversation(request):
        trace = make_trace(request, scene)
        return dialect.render(
            PlanView(
                turns=trace.turns,
                artifacts=trace.artifacts,
                skills=truth_registry(scene),
                cancel=Event(),
            )
        )

    return conversation


def texts(conversation):
    return [(message.role, message.text) for message in conversation]


def copies(conversation, nouns, count=12):
    rng = random.Random(0)
    return [refilled(conversation, nouns, rng) for _ in range(count)]


WISHES = [
    ("blur the kayak", 'detect(img_1, "kayak") ; blur(img_1, boxes_1)'),
    ("how many Kayaks are there", 'detect(img_1, "kayak")'),
    (
        "crop to the left red kayak, then erase an oar",
        'detect(img_1, "red kayak") & detect(img_1, "oar")'
        ' ; select(boxes_1, by="left") ; crop(img_1, boxes_3)',
    ),
]


@pytest.mark.parametrize(("text", "plan"), WISHES)
def test_a_copy_says_what_running_it_again_would_give(told, nouns, ask, text, plan):
    request = copied_labels(ask(text, plan))
    for copy in copies(told(request), nouns):
        words = copy[1].text.removeprefix("img_1 ")
        labels = [call.args["label"] for call in calls(copy) if "label" in call.args]
        renamed = iter(labels)
        plan = LABEL.sub(lambda found, names=renamed: f'detect({found[1]}, "{next(names)}")', plan)
        again = told(ask(words, plan))
        assert texts(again) == texts(copy)
        assert all(label in words for label in labels)


@pytest.mark.parametrize(("text", "plan"), WISHES)
def test_another_thing_takes_the_place_of_the_first_everywhere(told, nouns, ask, text, plan):
    conversation = told(copied_labels(ask(text, plan)))
    new = {form for name in nouns.names for form in (name, several(name))}
    for copy in copies(conversation, nouns):
        words = " ".join(message.text for message in copy).lower()
        assert "kayak" not in words
        assert "oar" not in words.split()
        assert set(map(str.lower, named(copy))) <= new


def calls(conversation):
    ids = (f"c{n}" for n in itertools.count())
    said = [message.text for message in conversation if message.role == "assistant"]
    return [call for text in said for call in dialect.parse(text, ids).calls]


def test_pictures_handles_and_what_is_learned_stay(told, nouns, ask):
    conversation = told(ask(*WISHES[0]))
    for copy in copies(conversation, nouns):
        for before, after in zip(conversation, copy, strict=True):
            assert (before.role, before.supervised) == (after.role, after.supervised)
            assert [one.digest for one in before.images] == [one.digest for one in after.images]
        assert [call.skill for call in calls(copy)] == ["detect", "blur"]


def test_articles_agree_with_the_new_thing(told, nouns, ask):
    conversation = told(ask("is there a kayak", 'detect(img_1, "kayak")'))
    seen = " | ".join(copy[1].text.lower() for copy in copies(conversation, nouns, count=40))
    assert "a zebra" in seen
    assert "an ice cube" in seen
    assert "a ice cube" not in seen
    assert "an zebra" not in seen


def test_case_follows_the_word_that_stood_there(told, nouns, ask):
    conversation = told(copied_labels(ask("ERASE THE KAYAK", 'detect(img_1, "kayak")')))
    for copy in copies(conversation, nouns):
        name = named(copy)[0]
        assert name == name.upper()
        assert name in copy[1].text


def test_a_stated_angle_changes_in_words_and_call_together(told, nouns, ask):
    conversation = told(ask("tilt by 12 degrees to the left", "rotate(img_1, degrees=-12)"))
    seen = set()
    for copy in copies(conversation, nouns):
        degrees = calls(copy)[0].args["degrees"]
        assert f"by {-degrees} " in copy[1].text.lower()
        seen.add(degrees)
    assert len(seen) > 3


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("rotate it 90 degrees", "rotate(img_1, degrees=90)"),
        ("straighten it a little", "rotate(img_1, degrees=3)"),
        ("blur every face", 'detect(img_1, "face") ; blur(img_1, boxes_1)'),
    ],
)
def test_quarter_turns_unsaid_angles_and_common_things_stay(told, nouns, ask, text, plan):
    conversation = told(ask(text, plan))
    for copy in copies(conversation, nouns):
        assert calls(copy) == calls(conversation)
        assert texts(copy[2:]) == texts(conversation[2:])


def test_the_same_random_numbers_give_the_same_copies(told, nouns, ask):
    conversation = told(ask(*WISHES[0]))
    first = [texts(copy) for copy in copies(conversation, nouns)]
    assert [texts(copy) for copy in copies(conversation, nouns)] == first
    assert len({str(copy) for copy in first}) > 3


@pytest.mark.parametrize("name", ["label", "box"])
def test_a_thing_may_be_called_like_a_word_of_the_format(told, nouns, ask, name):
    conversation = told(ask(f"blur the {name}", f'detect(img_1, "{name}") ; blur(img_1, boxes_1)'))
    (copy,) = copies(conversation, nouns, count=1)
    assert list(calls(copy)[0].args) == ["image", "label"]
    assert "boxes: " in copy[3].text
    assert singular(named(copy)[0].lower()) in nouns.names


def test_other_things_of_a_request_change_too_but_not_what_decides_it(told, ask):
    nouns = Nouns(("zebra", "kayak", "harbour", "face"), invented=1.0)
    plan = 'detect(img_1, "kayak") ; blur(img_1, boxes_1)'
    talk = told(copied_labels(ask("at the harbour, blur the kayak and no face", plan)))
    users = [copy[1].text for copy in copies(talk, nouns, count=40)]
    assert 4 < sum("harbour" not in text.lower() for text in users) < 36
    assert all("face" in text.lower() for text in users)
    assert not any("kayak" in text.lower() for text in users)


def test_what_is_said_beside_a_request_changes_neither_its_words_nor_its_calls(
    told, nouns, ask, monkeypatch
):
    monkeypatch.setattr(refill, "_retyped", lambda message, names, rng: message)
    monkeypatch.setattr(refill, "ASIDES", 1)
    beside = set()
    for copy in copies(told(ask("rotate it left", "rotate(img_1, degrees=-90)")), nouns, 40):
        assert [(call.skill, call.args["degrees"]) for call in calls(copy)] == [("rotate", -90)]
        before, _, after = copy[1].text.partition("rotate it left")
        beside.add((bool(before.removeprefix("img_1 ")), bool(after)))
    assert beside == {(True, False), (False, True)}


def test_every_aside_says_where_it_stands_and_orders_nothing(skills):
    orders = {spec.name.split("_")[0] for spec in skills} | {"remove", "hide", "find", "brighter"}
    assert len(refill.asides()) > 200
    for place, words in refill.asides():
        assert place in ("before", "after")
        assert orders.isdisjoint(re.findall("[a-z]+", words.lower())), words
        assert not re.search("[{}]", words.replace("{s}", "").replace("{}", ""))
