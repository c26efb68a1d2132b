"""Requests asked once more when a turn has gone before."""

import pytest

from llava_plus.data_gen.continued import SAID, after, continued
from llava_plus.data_gen.requests import hand_requests


@pytest.mark.parametrize(
    ("before", "plan", "moved"),
    [
        ("rotate(img_1, degrees=90)", "blur(img_1)", "blur(img_2)"),
        (
            'detect(img_1, "face") ; blur(img_1, boxes_1)',
            'detect(img_1, "text") ; erase(img_1, boxes_1)',
            'detect(img_2, "text") ; erase(img_2, boxes_2)',
        ),
        (
            "ocr(img_1)",
            'ocr(img_1) ; select(lines_1, label="no_1") ; crop(img_1, lines_2)',
            'ocr(img_1) ; select(lines_2, label="no_1") ; crop(img_1, lines_3)',
        ),
        (
            "blur(img_1)",
            "adjust(img_1, brightness=0.3) ; rotate(img_2, degrees=-90)",
            "adjust(img_2, brightness=0.3) ; rotate(img_3, degrees=-90)",
        ),
        ("blur(img_1)", "say(chat)", "say(chat)"),
    ],
)
def test_handles_move_on_behind_those_of_the_turn_before(ask, skills, before, plan, moved):
    request = after(ask("please", plan), before, skills)
    assert (request.context, request.text, request.plan) == (f"1 > {before}", "please", moved)


def test_a_share_of_what_the_hands_wrote_goes_on_and_can_be_carried_out(skills, obstacle):
    hand = [one for one in hand_requests() if one.origin.startswith("hand_21")]
    more = list(continued(hand, skills, seed=0))
    assert 0.1 < len(more) / len(hand) < 0.3
    assert [why for request in more if (why := obstacle(request))] == []
    said = {request.plan for request in more if request.plan.startswith("say(")}
    assert said == {f"say({kind})" for kind in SAID}
    assert list(continued(hand, skills, seed=0)) == more
