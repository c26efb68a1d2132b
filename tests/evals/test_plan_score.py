"""Plans against what was wanted."""

import pytest

from llava_plus.agent.notation import Plan, parse_plan
from llava_plus.evals import score, wilson
from llava_plus.skills import Call, default_registry

HIDE = 'detect(img_1, "face") ; blur(img_1, boxes_1)'
FIND_TWO = 'detect(img_1, "face") & detect(img_1, "text")'


@pytest.fixture(scope="module")
def builtin():
    return default_registry()


@pytest.fixture(scope="module")
def judge(builtin):
    """Score one plan in words against others."""

    def judged(plan, *wanted, request="do it", **given):
        plan = parse_plan(plan, builtin) if isinstance(plan, str) else plan
        plans = [parse_plan(text, builtin) for text in wanted]
        return score(plan, plans, request=request, given=given or {"img": 1}, skills=builtin)

    return judged


@pytest.fixture(scope="module")
def exact(judge):
    return lambda *args, **more: judge(*args, **more).exact


def test_a_plan_is_exact_against_itself_and_each_level_is_told_apart(judge):
    levels = [
        (HIDE, (True, True, True)),
        ('detect(img_1, "text") ; blur(img_1, boxes_1)', (True, True, False)),
        ('detect(img_1, "face") ; crop(img_1, boxes_1)', (True, False, False)),
        ("blur(img_1)", (False, False, False)),
        ("say(chat)", (False, False, False)),
    ]
    for plan, wanted in levels:
        got = judge(plan, HIDE)
        assert (got.first, got.sequence, got.exact) == wanted, plan


def test_each_level_takes_the_alternative_that_fits_it_best(judge):
    other = 'detect(img_1, "face") ; segment(img_1, boxes_1) ; blur(img_1, masks_1)'
    assert judge(other, HIDE, other).exact
    assert judge(HIDE, other, HIDE).exact
    assert not judge(other, HIDE).exact
    mixed = judge('detect(img_1, "dog") ; blur(img_1, boxes_1)', "ocr(img_1)", HIDE)
    assert (mixed.first, mixed.sequence, mixed.exact) == (True, True, False)


@pytest.mark.parametrize(
    ("plan", "wanted"),
    [
        ("blur(img_1, strength=0.5, outside=False)", "blur(img_1)"),
        ("blur(img_1, region=None)", "blur(img_1)"),
        ("blur(img_1)", "blur(img_1, strength=0.5)"),
        ("crop(img_1, [0, 0, 1, 1], margin=0.0)", "crop(img_1, [0, 0, 1, 1])"),
        ("rotate(img_1, degrees=0, flip='vertical')", "rotate(img_1, flip='vertical')"),
        ("adjust(img_1, grayscale=True, contrast=0)", "adjust(img_1, grayscale=True)"),
    ],
)
def test_an_argument_at_its_default_equals_one_left_out(exact, plan, wanted):
    assert exact(plan, wanted)


@pytest.mark.parametrize(
    ("plan", "wanted", "same"),
    [
        ("blur(img_1, strength=0.85)", "blur(img_1, strength=0.5)", True),
        ("blur(img_1, strength=0.15)", "blur(img_1)", True),
        ("blur(img_1, strength=0.9)", "blur(img_1, strength=0.5)", False),
        ("blur(img_1, strength=0)", "blur(img_1, strength=0.25)", False),
        ("adjust(img_1, brightness=0.6)", "adjust(img_1, brightness=0.3)", True),
        ("adjust(img_1, brightness=-0.05)", "adjust(img_1, brightness=0.05)", False),
        ("adjust(img_1, brightness=0.8)", "adjust(img_1, brightness=0.3)", False),
        ("adjust(img_1, contrast=0.3)", "adjust(img_1, brightness=0.3)", False),
        ("adjust(img_1, grayscale=False)", "adjust(img_1, grayscale=True)", False),
        ("rotate(img_1, degrees=-90)", "rotate(img_1, degrees=270)", True),
        ("rotate(img_1, degrees=180)", "rotate(img_1, degrees=-180)", True),
        ("rotate(img_1, degrees=359.5)", "rotate(img_1, degrees=0)", True),
        ("rotate(img_1, degrees=90)", "rotate(img_1, degrees=-90)", False),
        ("rotate(img_1, degrees=12)", "rotate(img_1, degrees=10)", False),
        ("select(boxes_1, by='left', nth=2)", "select(boxes_1, by='left')", False),
        ("select(boxes_1, by='left')", "select(boxes_1, by='right')", False),
        ("blur(img_1, outside=True)", "blur(img_1)", False),
        ("blur(img_1, outside=1)", "blur(img_1, outside=True)", False),
    ],
)
def test_matters_of_taste_have_a_tolerance_and_others_none(exact, plan, wanted, same):
    assert exact(plan, wanted, img=1, boxes=1) is same


@pytest.mark.parametrize(
    ("request_text", "plan", "same"),
    [
        ("brighten it by 20%", "adjust(img_1, brightness=0.2)", True),
        ("brighten it by 20%", "adjust(img_1, brightness=0.3)", False),
        ("brightness +0.2", "adjust(img_1, brightness=0.21)", True),
        ("brightness +0.2", "adjust(img_1, brightness=0.25)", False),
        ("a bit brighter", "adjust(img_1, brightness=0.3)", True),
        ("brighten 2 pictures", "adjust(img_1, brightness=0.3)", True),
    ],
)
def test_a_number_that_the_request_states_must_be_met(exact, request_text, plan, same):
    assert exact(plan, "adjust(img_1, brightness=0.2)", request=request_text) is same


@pytest.mark.parametrize(
    ("plan", "wanted", "same"),
    [
        # the same call's result under another number
        (
            f"{FIND_TWO} ; blur(img_1, boxes_1)",
            'detect(img_1, "text") & detect(img_1, "face") ; blur(img_1, boxes_2)',
            True,
        ),
        # the same number, but another call's result
        (
            f"{FIND_TWO} ; blur(img_1, boxes_1)",
            'detect(img_1, "text") & detect(img_1, "face") ; blur(img_1, boxes_1)',
            False,
        ),
        # a later picture comes from the other edit
        (
            "blur(img_1) ; rotate(img_2, degrees=90)",
            "blur(img_1) ; rotate(img_1, degrees=90)",
            False,
        ),
        # through a selection
        (
            'detect(img_1, "face") ; select(boxes_1, by="left") ; crop(img_1, boxes_2)',
            'detect(img_1, "face") ; select(boxes_1, by="left") ; crop(img_1, boxes_1)',
            False,
        ),
    ],
)
def test_handles_are_compared_by_where_they_come_from(exact, plan, wanted, same):
    assert exact(plan, wanted) is same


def test_numbers_of_results_go_on_from_the_handles_that_were_given(judge):
    plan = 'detect(img_1, "face") ; blur(img_1, boxes_2)'
    assert judge(plan, plan, img=1, boxes=1).exact
    given = 'detect(img_1, "face") ; blur(img_1, boxes_1)'  # the box that the person drew
    got = judge(given, plan, img=1, boxes=1)
    assert (got.first, got.exact) == (True, False)


@pytest.mark.parametrize(
    "looks",
    [
        'detect(img_1, "text") & detect(img_1, "face")',
        'detect(img_1, "text") ; detect(img_1, "face")',
    ],
)
def test_independent_calls_may_come_in_any_order_and_step(judge, looks):
    plan = f"{looks} ; blur(img_1, boxes_2) ; crop(img_2, boxes_1)"
    wanted = f"{FIND_TWO} ; blur(img_1, boxes_1) ; crop(img_2, boxes_2)"
    got = judge(plan, wanted)
    assert (got.first, got.sequence, got.exact) == (True, True, True)


def test_any_skill_of_a_parallel_first_step_is_a_right_first_one(judge):
    wanted = 'detect(img_1, "face") & ocr(img_1)'
    assert judge("ocr(img_1)", wanted).first
    assert judge('detect(img_1, "face")', wanted).first
    assert not judge("read_codes(img_1)", wanted).first


def test_an_extra_or_a_missing_call_is_no_right_sequence(judge):
    assert not judge(f"{HIDE} ; crop(img_2, boxes_1)", HIDE).sequence
    assert not judge('detect(img_1, "face")', HIDE).sequence
    assert not judge(f"{FIND_TWO}", 'detect(img_1, "face")').sequence


def test_a_label_may_be_in_other_words(exact):
    assert exact('detect(img_1, "the red cars")', 'detect(img_1, "red car")')
    assert not exact('detect(img_1, "car")', 'detect(img_1, "red car")')


@pytest.mark.parametrize(
    ("mine", "theirs", "same"),
    [
        ("[0, 0, 0.5, 1]", "[0, 0, 0.5, 1]", True),
        ("[0, 0, 0.45, 1]", "[0, 0, 0.5, 1]", True),
        ("[0, 0, 0.35, 1]", "[0, 0, 0.5, 1]", True),  # 0.7
        ("[0, 0, 0.25, 1]", "[0, 0, 0.5, 1]", False),  # 0.5
        ("[0.5, 0, 1, 1]", "[0, 0, 0.5, 1]", False),
        ("[[0, 0, 0.5, 1]]", "[0, 0, 0.5, 1]", True),
        ("[[0, 0, 0.5, 1], [0.6, 0, 1, 1]]", "[0, 0, 0.5, 1]", False),
        ("[[0.6, 0, 1, 1], [0, 0, 0.5, 1]]", "[[0, 0, 0.5, 1], [0.6, 0, 1, 1]]", True),
        ("boxes_1", "[0, 0, 0.5, 1]", False),
        ("['left', 0, 0.5, 1]", "[0, 0, 0.5, 1]", False),
        ("[]", "[0, 0, 0.5, 1]", False),
    ],
)
def test_literal_boxes_are_the_same_when_they_mostly_overlap(exact, mine, theirs, same):
    plans = (f"crop(img_1, {box})" for box in (mine, theirs))
    assert exact(*plans, img=1, boxes=1) is same


def test_no_skill_is_right_only_where_none_was_needed(judge):
    none = judge("say(ask)", "say(refuse)")
    assert (none.wanted_skills, none.first, none.sequence, none.exact) == (False, True, True, True)
    call = judge("ocr(img_1)", "say(chat)")
    assert (call.wanted_skills, call.first, call.sequence, call.exact) == (False,) * 4
    either = judge("say(ask)", "say(ask)", "blur(img_1)")
    assert (either.wanted_skills, either.exact) == (True, True)


def test_nothing_at_all_is_never_right(judge):
    for wanted in ("say(chat)", HIDE):
        got = judge(Plan(), wanted)
        assert (got.first, got.sequence, got.exact) == (False, False, False)


@pytest.mark.parametrize(
    "call",
    [
        Call(id="c1", skill="teleport", args={"image": "img_1"}),
        Call(id="c1", skill="select", args={}),
        Call(id="c1", skill="blur", args={"image": ["img_1"], "regoin": {"a": 1}}),
    ],
)
def test_calls_that_cannot_be_run_score_as_wrong(judge, call):
    got = judge(Plan(steps=((call,),)), HIDE)
    assert (got.first, got.sequence, got.exact) == (False, False, False)


# The first four are table I of Newcombe, "Two-sided confidence intervals for the single proportion"
# (Statistics in Medicine, 1998), row "score".
@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_interval_is_wilsons(hits, total, low, high):
    assert wilson(hits, total) == pytest.approx((low, high), abs=6e-5)
