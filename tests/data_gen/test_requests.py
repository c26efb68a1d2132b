"""Requests by hand, and what keeps them apart from the evaluation."""

import json
from itertools import islice

import pytest

from llava_plus.agent.notation import parse_plan
from llava_plus.data_gen.nano import EVALUATION, Sizes, make_parts
from llava_plus.data_gen.requests import (
    Heldout,
    apart,
    copied_labels,
    hand_requests,
    spelling,
)
from llava_plus.errors import SetupError
from llava_plus.skills.nouns import plural, singular


@pytest.fixture(scope="module")
def hands():
    return hand_requests()


@pytest.fixture
def heldout(tmp_path):
    """An evaluation of three requests."""
    rows = [
        {"context": "1", "request": "Blur the old lighthouse, please!", "plans": [
            'detect(img_1, "lighthouse") ; blur(img_1, boxes_1)']},
        {"context": '1 > detect(img_1, "stray cats")', "request": "crop to those", "plans": [
            "crop(img_1, boxes_1)"]},
        {"context": "1", "request": "hide faces", "plans": ["blur(img_1)",
            'detect(img_1, "face") ; blur(img_1, boxes_1)']},
    ]  # fmt: skip
    file = tmp_path / "requests.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Heldout.read(file)


def test_hands_wrote_more_than_24000_requests(hands):
    assert len(hands) > 24_000
    assert len({request.origin.partition(":")[0] for request in hands}) == 48
    assert len({request.text for request in hands}) > 0.98 * len(hands)


def test_about_a_third_of_them_needs_no_skill(hands):
    share = sum(request.plan.startswith("say(") for request in hands) / len(hands)
    assert 0.30 < share < 0.37


def test_every_plan_by_hand_can_be_carried_out(hands, obstacle):
    assert [why for request in hands if (why := obstacle(request))] == []


def test_every_skill_and_every_kind_of_answer_occurs_often(hands, skills):
    seen = dict.fromkeys([spec.name for spec in skills], 0)
    kinds = dict.fromkeys(["chat", "explain", "ask", "refuse", "cannot", "recall"], 0)
    for request in hands:
        plan = parse_plan(request.plan, skills)
        for name in set(plan.skills):
            seen[name] += 1
        if plan.say:
            kinds[plan.say] += 1
    assert min(seen.values()) >= 50, seen
    assert min(kinds.values()) >= 100, kinds


@pytest.mark.parametrize("line", ["1\tblur it", "1\tblur it\tblur(img_1)\tmore", ""])
def test_a_line_of_another_shape_is_named(tmp_path, line):
    (tmp_path / "hand_99.tsv").write_text(f"1\thi\tsay(chat)\n{line}\n")
    with pytest.raises(SetupError, match=r"hand_99\.tsv:2: wanted context, request and plan"):
        hand_requests(tmp_path)


def test_the_evaluations_nouns_are_its_labels_in_the_singular(heldout):
    assert heldout.nouns == {"lighthouse", "stray cat"}


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("blur the old lighthouse please", True),
        ("please blur the old lighthouse", True),
        ("Blur the old lighthouse, pleease", False),
        ("blur the lighthouse", False),
        ("hide faces!!", True),
        ("hide the faces", False),
    ],
)
def test_a_wording_is_near_when_most_words_are_the_same(heldout, text, near):
    assert heldout.near(text) is near


def test_what_is_near_or_names_a_noun_of_the_evaluation_is_left_out(heldout, ask):
    kept = ask("where is my dog", 'detect(img_1, "dog")')
    faces = ask("any faces here", 'detect(img_1, "face")')
    requests = [
        kept,
        ask("hide faces", 'detect(img_1, "face") ; blur(img_1, boxes_1)'),
        ask("where is the lighthouse", 'detect(img_1, "lighthouse")'),
        ask("count them", 'detect(img_1, "Lighthouses")'),
        faces,
    ]
    assert list(apart(requests, heldout)) == [kept, faces]


@pytest.mark.slow
def test_no_request_to_train_on_is_near_the_evaluation_or_looks_for_its_things(obstacle):
    heldout = Heldout.read(EVALUATION)
    requests = [r for part in make_parts(Sizes(grammar=300)).values() for r in part]
    assert len(requests) > 4500
    assert sum(heldout.near(request.text) for request in requests) == 0
    named = {label.lower() for request in requests for label in request.labels}
    forms = {form for noun in heldout.nouns for form in (noun, plural(noun))}
    assert not (named | {singular(label) for label in named}) & forms
    assert [why for request in islice(requests, 0, None, 10) if (why := obstacle(request))] == []


@pytest.mark.parametrize(
    ("label", "text", "spelled"),
    [
        ("dog", "blur the dog", "dog"),
        ("dog", "blur the Dogs!", "Dogs"),
        ("dog", "THE DOG", "DOG"),
        ("stop sign", "both stop signs", "stop signs"),
        ("cherries", "one cherry", "cherry"),
        ("person", "the people", "people"),
        ("cat", "from the catalogue", None),
        ("dog", "the dgo", None),
        ("c++ (book)", "a c++ (book) here", "c++ (book)"),
    ],
)
def test_a_label_is_found_as_the_words_spell_it(label, text, spelled):
    assert spelling(label, text) == spelled


def test_labels_are_copied_as_the_words_spell_them(ask):
    plan = 'detect(img_1, "dog") & detect(img_1, "face") ; select(boxes_1, label="red car")'
    request = ask("blur the Dogs and faces, not the RED CAR", plan)
    assert copied_labels(request).plan == (
        'detect(img_1, "Dogs") & detect(img_1, "face") ; select(boxes_1, label="RED CAR")'
    )
    assert copied_labels(request).text == request.text


def test_labels_that_the_words_do_not_spell_stay(ask):
    request = ask("blur it", 'detect(img_1, "dog") ; blur(img_1, boxes_1)')
    assert copied_labels(request) == request
