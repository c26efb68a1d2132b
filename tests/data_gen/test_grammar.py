"""Requests drawn from phrase banks."""

import random
import re
from collections import Counter

import pytest

from llava_plus.data_gen.grammar import (
    FOLDER,
    Grammar,
    Pattern,
    compose_plans,
    fill,
    read_bank,
    sloppy,
    slotted,
)
from llava_plus.data_gen.nouns import Nouns
from llava_plus.data_gen.requests import Request
from llava_plus.data_gen.traces import make_trace
from llava_plus.errors import SetupError

BANKS = sorted(FOLDER.glob("bank_*.txt"))
SAYS = r"say\((chat|explain|ask|refuse|cannot|recall)\)"


@pytest.fixture(scope="module")
def nouns():
    return Nouns.bundled()


@pytest.fixture(scope="module")
def bundled(nouns):
    return Grammar.bundled(nouns)


def drawn(patterns, nouns, count=1, **options):
    return list(Grammar(patterns, nouns).requests(count, seed=0, compose=0, **options))


def test_two_hands_wrote_a_bank_each():
    assert [path.name for path in BANKS] == ["bank_a.txt", "bank_b.txt"]
    assert min(len(read_bank(path)) for path in BANKS) > 400


@pytest.mark.parametrize("path", BANKS, ids=lambda path: path.stem)
def test_every_heading_is_a_plan_that_can_be_carried_out(path, nouns, obstacle):
    headings = {pattern.plan: pattern for pattern in read_bank(path)}
    requests = drawn(headings.values(), nouns, count=3 * len(headings))
    assert [why for request in requests if (why := obstacle(request))] == []


@pytest.mark.parametrize("path", BANKS, ids=lambda path: path.stem)
def test_every_slot_of_every_choice_is_known(path, nouns):
    for pattern in read_bank(path):
        words = re.sub(r"[\[\]|]", " ", pattern.words)  # all the choices at once
        flat = Pattern(plan=pattern.plan, words=words, imperative=pattern.imperative)
        drawn([flat], nouns)


@pytest.mark.parametrize("path", BANKS, ids=lambda path: path.stem)
def test_no_mark_of_a_pattern_is_left_in_its_words(path, nouns):
    for pattern in read_bank(path):
        (request,) = drawn([pattern], nouns)
        assert not re.search(r"[\[\]{}|]", request.text), pattern.words
        assert request.text.strip()


def test_the_same_seed_draws_the_same_requests(bundled):
    first = list(bundled.requests(200, seed=3))
    assert list(bundled.requests(200, seed=3)) == first
    assert list(bundled.requests(200, seed=4)) != first


def test_about_the_share_that_is_asked_for_joins_two_wishes(bundled):
    for share in (0.0, 0.3):
        requests = list(bundled.requests(600, seed=0, compose=share))
        joined = sum(" + " in request.origin for request in requests)
        assert len(requests) == 600
        assert share * 600 * 0.4 <= joined <= share * 600  # some pairs say nothing new


def test_everything_drawn_can_be_carried_out(bundled, obstacle):
    requests = bundled.requests(800, seed=1, compose=0.6)
    assert [why for request in requests if (why := obstacle(request))] == []


def test_the_named_thing_stands_in_the_words_and_in_the_plan(nouns):
    bank = [Pattern(plan='detect(img_1, "{x}")', words="where is the {x}", imperative=False)]
    for request in drawn(bank, nouns, count=200):
        (label,) = request.labels
        if label not in ("face", "text", "code"):  # those go by many words
            slips = Counter(label.replace("'", "")) - Counter(request.text.lower())
            assert not slips, request


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        (
            "blur(img_1)",
            "rotate(img_1, degrees=90)",
            "blur(img_1) ; rotate(img_2, degrees=90)",
        ),
        (
            'detect(img_1, "dog") ; blur(img_1, boxes_1)',
            'detect(img_1, "cat") ; crop(img_1, boxes_1)',
            'detect(img_1, "dog") ; blur(img_1, boxes_1)'
            ' ; detect(img_2, "cat") ; crop(img_2, boxes_2)',
        ),
        (
            'detect(img_1, "dog") ; select(boxes_1, by="left") ; crop(img_1, boxes_2)',
            'detect(img_1, "cat") ; select(boxes_1, by="top") ; erase(img_1, boxes_2)',
            'detect(img_1, "dog") ; select(boxes_1, by="left") ; crop(img_1, boxes_2)'
            ' ; detect(img_2, "cat") ; select(boxes_3, by="top") ; erase(img_2, boxes_4)',
        ),
        (
            "segment(img_1, points_1) ; blur(img_1, masks_1)",
            'detect(img_1, "cat") ; segment(img_1, boxes_1) ; crop(img_1, masks_1)',
            "segment(img_1, points_1) ; blur(img_1, masks_1)"
            ' ; detect(img_2, "cat") ; segment(img_2, boxes_1) ; crop(img_2, masks_2)',
        ),
        (
            "erase(img_1, boxes_1)",
            'detect(img_1, "cat") ; crop(img_1, boxes_1)',
            'erase(img_1, boxes_1) ; detect(img_2, "cat") ; crop(img_2, boxes_2)',
        ),
        (
            "ocr(img_1)",
            'read_codes(img_1) ; select(lines_1, label="x")',
            'ocr(img_1) ; read_codes(img_1) ; select(lines_2, label="x")',
        ),
        ("blur(img_1)", "blur(img_1)", None),
        ("say(chat)", "blur(img_1)", None),
        ("blur(img_1)", "say(ask)", None),
        ("blur(img_1)", "crop(img_1, boxes_1)", None),
        ("blur(img_1)", "segment(img_1, points_1)", None),
        ('detect(img_1, "dog")', 'detect(img_1, "dog") ; blur(img_1, boxes_1)', None),
    ],
)
def test_two_plans_become_one_with_handles_that_go_on(first, second, joined):
    assert compose_plans(first, second) == joined


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("rotate(img_1, degrees=90)", 'detect(img_1, "dog") ; blur(img_1, boxes_1)'),
        (
            'detect(img_1, "dog") ; select(boxes_1, by="left") ; crop(img_1, boxes_2)',
            'detect(img_1, "cat") ; select(boxes_1, by="right") ; pixelate(img_1, boxes_2)',
        ),
        ("blur(img_1, boxes_1)", 'detect(img_1, "dog") ; crop(img_1, boxes_1)'),
    ],
)
def test_a_composed_plan_runs_to_its_end_on_a_picture(scene, first, second):
    plan = compose_plans(first, second)
    context = "1+box" if first.startswith("blur") else "1"
    request = Request(context=context, text="both please", plan=plan, origin="test")
    turn = make_trace(request, scene).turns[-1]
    assert turn.reason == "answered"
    seen = [one for step in turn.steps for one in step.observations]
    assert len(seen) == plan.count(";") + 1
    assert all(one.ok for one in seen)
    edits = [call for step in turn.steps for call in step.actions if call.skill != "select"]
    pictures = [str(call.args["image"]) for call in edits]
    assert pictures == sorted(pictures)
    assert pictures[-1] == "img_2"  # the second wish works on what the first one made


def test_choices_may_stand_inside_choices():
    got = {fill("[a|b[1|2]] {x}", {"x": "!"}, random.Random(seed)) for seed in range(40)}
    assert got == {"a !", "b1 !", "b2 !"}


def test_an_unknown_slot_is_named():
    with pytest.raises(SetupError, match=r"unknown slot \{y\}"):
        slotted("a {y}", {"x": "b"})


def test_a_pattern_before_any_heading_is_named_by_its_line(tmp_path):
    bank = tmp_path / "bank_z.txt"
    bank.write_text("# kind I\n\nblur it\n")
    with pytest.raises(SetupError, match=r"bank_z\.txt:3"):
        read_bank(bank)


def test_a_heading_ends_what_was_said_of_the_kind(tmp_path):
    bank = tmp_path / "bank_z.txt"
    bank.write_text("## a\n# kind I\nblur it\n# kind S\nit is bad\n# kind I\ncut it\n## b\nhello\n")
    assert [(p.plan, p.words, p.imperative) for p in read_bank(bank)] == [
        ("a", "blur it", True),
        ("a", "it is bad", False),
        ("a", "cut it", True),
        ("b", "hello", False),
    ]


def test_sloppy_typing_keeps_the_letters():
    words = "what's written on the sign over the door?"
    seen = set()
    for seed in range(300):
        typed = sloppy(words, random.Random(seed))
        seen.add(typed)
        body = re.sub(r"( please| pls| thanks)$", "", typed).lower()
        assert sorted(re.sub(r"\W", "", body)) == sorted(re.sub(r"\W", "", words))
    assert len(seen) > 8
    assert words in seen
