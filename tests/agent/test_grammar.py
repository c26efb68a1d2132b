import random
import re
from typing import Annotated, Literal

import pytest
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer
from pydantic import Field

from llava_plus.agent.dialects import json as dialect
from llava_plus.agent.planner import Decision
from llava_plus.agent.planners.grammar import call_grammar
from llava_plus.agent.planners.guide import Guide
from llava_plus.agent.planners.phrases import phrases_of, things_of
from llava_plus.agent.planners.ranges import integer_pattern, number_pattern
from llava_plus.data_gen.requests import copied_labels, hand_requests
from llava_plus.model import train_tokenizer
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Call,
    Image,
    Points,
    Region,
    SkillRegistry,
    Table,
    Text,
    skill,
)

BOILERPLATE = [
    '{"thought":"',
    '","answer":"',
    '","actions":[{"skill":"',
    '","args":{"image":"img_',
    '"}},{"skill":"',
    '"}}]}',
    '","label":" ',
]


@skill
def find(image: Image, label: str) -> Boxes:
    """Find things."""
    return Boxes(())


@skill
def hide(
    image: Image,
    *,
    region: Region | None = None,
    strength: Annotated[float, Field(ge=0, le=1)] = 0.5,
    outside: bool = False,
) -> Image:
    """Hide a region."""
    return image


@skill
def outline(image: Image, prompt: Boxes | Points) -> Boxes:
    """Outline."""
    return Boxes(())


@skill
def pick(
    region: Region,
    *,
    by: Literal["left", "right"] | None = None,
    nth: Annotated[int, Field(ge=1, le=20)] = 1,
    label: str | None = None,
) -> Region:
    """Pick."""
    return region


@skill
def recount(table: Table) -> Text:
    """Read a table."""
    return Text("")


@skill
def now() -> Text:
    """Say the time."""
    return Text("")


@skill
def tag(image: Image, *, words: list[str] = [], pair: tuple[int, int] | None = None) -> Text:  # noqa: B006
    """Tag."""
    return Text("")


@pytest.fixture(scope="module")
def skills():
    return SkillRegistry([find, hide, outline, pick, recount, now, tag])


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["find the faces", "blur them"] * 9, boilerplate=BOILERPLATE)


@pytest.fixture(scope="module")
def tokens(tokenizer):
    return from_tokenizer(tokenizer)


@pytest.fixture(scope="module")
def accepts(skills, tokens):
    """Say whether a text is a whole output, with these handles."""

    def check(text, **handles):
        matcher = LLMatcher(tokens, call_grammar(skills, handles))
        assert not matcher.get_error()
        return matcher.consume_tokens(tokens.tokenize_str(text)) and matcher.is_stopped()

    return check


def calling(*calls, thought=""):
    return f'{{"thought":"{thought}","actions":[{",".join(calls)}]}}'


FIND = '{"skill":"find","args":{"image":"img_1","label":" red hat"}}'
ONE = {"image": ("img_1",)}
MANY = {"image": ("img_1", "img_2"), "boxes": ("boxes_1",), "points": ("points_1",)}


@pytest.mark.parametrize(
    "call",
    [
        FIND,
        '{"skill":"now","args":{}}',
        '{"skill":"hide","args":{"image":"img_2"}}',
        '{"skill":"hide","args":{"image":"img_2","strength":0.75}}',
        '{"skill":"hide","args":{"image":"img_2","strength":1.0,"outside":true}}',
        '{"skill":"hide","args":{"image":"img_2","region":"boxes_1","outside":false}}',
        '{"skill":"hide","args":{"image":"img_2","region":[0.1,0.25,1,0.99]}}',
        '{"skill":"outline","args":{"image":"img_1","prompt":"points_1"}}',
        '{"skill":"pick","args":{"region":"boxes_1","by":"left","nth":20,"label":" a"}}',
        '{"skill":"find","args":{"image":"img_1","label":" \\"to let\\" 出租"}}',
        '{"skill":"tag","args":{"image":"img_1","words":[" a"," b c"],"pair":[1,2]}}',
        '{"skill":"tag","args":{"image":"img_1","words":[]}}',
    ],
)
def test_what_can_be_carried_out_can_be_written(accepts, call):
    assert accepts(calling(call), **MANY)
    assert accepts(calling(FIND, call, thought="so {it} goes"), **MANY)


@pytest.mark.parametrize(
    "call",
    [
        '{"skill":"fined","args":{"image":"img_1","label":" x"}}',
        '{"skill":"find","args":{"image":"img_3","label":" x"}}',
        '{"skill":"find","args":{"image":"boxes_1","label":" x"}}',
        '{"skill":"find","args":{"image":"img_1"}}',
        '{"skill":"find","args":{"label":" x","image":"img_1"}}',
        '{"skill":"find","args":{"image":"img_1","label":"x"}}',
        '{"skill":"find","args":{"image":"img_1","label":"  x"}}',
        '{"skill":"find","args":{"image":"img_1","label":" "}}',
        '{"skill":"find","args":{"image":"img_1","label":" x "}}',
        f'{{"skill":"find","args":{{"image":"img_1","label":" {"x" * 61}"}}}}',
        '{"skill":"find","args":{"image":"img_1","label":" x","size":1}}',
        '{"skill":"hide","args":{"image":"img_1","strength":1.5}}',
        '{"skill":"hide","args":{"image":"img_1","strength":0.125}}',
        '{"skill":"hide","args":{"image":"img_1","strength":-0.5}}',
        '{"skill":"hide","args":{"image":"img_1","outside":true,"strength":0.5}}',
        '{"skill":"hide","args":{"image":"img_1","region":[0.1,0.2,0.3]}}',
        '{"skill":"hide","args":{"image":"img_1","region":[0.1,0.2,0.3,2]}}',
        '{"skill":"hide","args":{"image":"img_1","region":"points_1"}}',
        '{"skill":"hide","args":{"image":"img_1","region":null}}',
        '{"skill":"pick","args":{"region":"boxes_1","by":" left"}}',
        '{"skill":"pick","args":{"region":"boxes_1","nth":0}}',
        '{"skill":"recount","args":{"table":"table_1"}}',
        '{"skill":"find", "args":{"image":"img_1","label":" x"}}',
    ],
)
def test_what_cannot_be_carried_out_cannot_be_written(accepts, call):
    assert not accepts(calling(call), **MANY)


def test_a_skill_without_the_handle_it_needs_cannot_be_called(accepts):
    assert accepts(calling(FIND), **ONE)
    assert not accepts(calling(FIND))
    assert accepts(calling('{"skill":"recount","args":{"table":"table_1"}}'), table=["table_1"])


def test_at_most_four_calls_at_once(accepts):
    assert accepts(calling(*[FIND] * 4), **ONE)
    assert not accepts(calling(*[FIND] * 5), **ONE)
    assert not accepts(calling(), **ONE)


@pytest.mark.parametrize(
    ("answer", "fits"),
    [
        ("I found {boxes_1}.", True),
        ("{boxes_1}", True),
        ("{error} Try again.", True),
        ('Say \\"hi\\"\\nor \\\\ not. 你好', True),
        ("I found {boxes_2}.", False),
        ("{boxes_1", False),
        ("", False),
        (" ", False),
        ("a ", False),
        ("a\\u0000b", False),
        ("x" * 600, True),
        ("x" * 601, False),
    ],
)
def test_answers_cite_only_what_there_is(accepts, answer, fits):
    assert accepts(f'{{"thought":"","answer":"{answer}"}}', **MANY) == fits


def test_a_thought_is_short(accepts):
    assert accepts(f'{{"thought":"{"x" * 200}","answer":"a"}}')
    assert not accepts(f'{{"thought":"{"x" * 201}","answer":"a"}}')


def test_without_skills_there_are_only_answers(tokens):
    matcher = LLMatcher(tokens, call_grammar(SkillRegistry(), ONE))
    text = '{"thought":"","answer":"Hello"}'
    assert matcher.consume_tokens(tokens.tokenize_str(text))
    assert matcher.is_stopped()


def test_handles_are_taken_from_the_artifacts(skills):
    artifacts = Artifacts()
    artifacts.add(Boxes(((0.0, 0.0, 1.0, 1.0),)))
    assert call_grammar(skills, artifacts) == call_grammar(skills, {"boxes": ["boxes_1"]})


def draw_decision(draw):
    """A decision that the grammar must let through, in any of its shapes."""
    words = ["red hat", "a/b", 'say "hi"', "back\\slash", "门牌 12", "é", "x" * 59, "it's", "{x}"]
    thought = draw.choice(["", "First find, then hide.", draw.choice(words)])
    if draw.random() < 0.3:
        answer = draw.choice(["I found {boxes_1}.", "{img_1}", "Line\nbreak", "Done. " * 9 + "!"])
        return Decision(thought=thought, answer=answer)
    calls = []
    for number in range(draw.randint(1, 4)):
        options = {"strength": round(draw.random(), draw.randint(0, 2)), "outside": True}
        kept = [name for name in options if draw.random() < 0.5]
        region = draw.choice(["boxes_1", [0.1, 0.25, 1.0, 0.5]])
        args = draw.choice(
            [
                ("find", {"image": "img_2", "label": draw.choice(words)}),
                ("hide", {"image": "img_1", "region": region, **{n: options[n] for n in kept}}),
                ("pick", {"region": "boxes_1", "nth": draw.randint(1, 20)}),
                ("outline", {"image": "img_1", "prompt": "points_1"}),
            ]
        )
        calls.append(Call(id=f"call_{number + 1}", skill=args[0], args=args[1]))
    return Decision(thought=thought, calls=tuple(calls))


def test_what_the_dialect_writes_is_allowed_and_forced_as_the_tokenizer_splits_it(
    skills, tokenizer, tokens
):
    draw = random.Random(0)
    grammar = call_grammar(skills, MANY)
    shares = []
    for _ in range(60):
        decision = draw_decision(draw)
        text = dialect.write(decision, skills)
        ids = tokenizer.encode(text)
        guide, written, forced = Guide(tokens, grammar), [], 0
        while not guide.done:
            more = guide.forced()
            forced += len(more)
            written += more
            assert written == ids[: len(written)], text
            if not guide.done:
                assert guide.mask()[ids[len(written)]], (text, tokenizer.decode(written))
                guide.accept([ids[len(written)]])
                written.append(ids[len(written)])
        assert written == ids
        assert dialect.parse(text, (f"call_{n}" for n in range(1, 9))) == decision
        shares.append(forced / len(ids))
    assert sum(shares) / len(shares) > 0.3  # of the tokens need no model


def test_a_broken_grammar_is_named(tokens):
    with pytest.raises(Exception, match="The grammar of calls broke"):
        Guide(tokens, "start: nothing")


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 1), (-1, 1), (0, 0.75), (0.05, 2.5), (-3.25, -0.5), (17, 2345), (0, 0), (-180, 180)],
)
def test_patterns_of_numbers_hold_exactly_their_range(low, high):
    decimals, whole = (re.compile(make(low, high)) for make in (number_pattern, integer_pattern))
    for hundredths in range(-20_000, 25_000, 1):
        value = hundredths / 100
        inside = low <= value <= high
        assert bool(decimals.fullmatch(repr(value))) == inside
        if hundredths % 100 == 0:
            assert bool(decimals.fullmatch(str(hundredths // 100))) == inside
            assert bool(whole.fullmatch(str(hundredths // 100))) == inside
    assert not decimals.fullmatch("0.125")
    assert not decimals.fullmatch("-0")


def test_numbers_without_a_limit_end_somewhere():
    assert re.fullmatch(integer_pattern(1, None), "9999")
    assert not re.fullmatch(integer_pattern(1, None), "12345")
    assert re.fullmatch(number_pattern(None, None), "-360.5")


def test_the_bridge_knows_the_whole_vocabulary(tokenizer, tokens):
    assert isinstance(tokens, LLTokenizer)
    assert tokens.vocab_size == len(tokenizer)


def test_a_literal_box_needs_a_picture_to_lie_on(accepts):
    pick_half = '{"thought":"","actions":[{"skill":"pick","args":{"region":[0,0,0.5,1]}}]}'
    hide_half = (
        '{"thought":"","actions":[{"skill":"hide","args":{"image":"img_1","region":[0,0,0.5,1]}}]}'
    )
    outline_half = (
        '{"thought":"","actions":[{"skill":"outline","args":{"image":"img_1","prompt":[0.5,0]}}]}'
    )
    assert accepts(hide_half, image=["img_1"])
    assert not accepts(pick_half, image=["img_1"], boxes=["boxes_1"])
    assert not accepts(outline_half, image=["img_1"], points=["points_1"])


def test_free_text_can_be_held_to_phrases(skills, tokens):
    given = ["red car", 'wall "A"', "the red car"]
    grammar = call_grammar(skills, {"image": ["img_1"]}, phrases=given)

    def accepts(label):
        text = '{"thought":"","actions":[{"skill":"find","args":{"image":"img_1","label":" %s"}}]}'
        matcher = LLMatcher(tokens, grammar)
        return matcher.consume_tokens(tokens.tokenize_str(text % label)) and matcher.is_accepting()

    assert accepts("red car")
    assert accepts(r"wall \"A\"")
    assert not accepts("the red car")  # a finder is asked for things
    assert not accepts("red")
    assert not accepts("blue car")


def test_phrases_are_runs_of_words_without_the_punctuation_around_them():
    phrases = phrases_of(["a SEAGULL. in my sister's photo", "crop"])
    assert {"SEAGULL", "my sister", "a SEAGULL. in", "crop", "face", "text", "code"} <= set(phrases)
    assert "photo crop" not in phrases
    assert max(len(phrase.split()) for phrase in phrases) == 5


@pytest.mark.parametrize(
    ("phrase", "names"),
    [
        ("reading glasses", True),
        ("my glasses", False),
        ("glasses in", False),
        ("Lost Cat", True),
        ("cat, dog", False),
        ("stall no. 14", True),
        ("gull. out", False),
        ("hanging basket", True),
        ("first aid kit", True),
        ("drill bit", True),
        ("spoon rest should", False),
        ("four leaf clover", True),
        ("first vase", False),
        ("white but the postbox", False),
        ("what\u2019s", False),
    ],
)
def test_what_can_name_a_thing(phrase, names):
    assert things_of([phrase, "vase"]) == ((phrase, "vase") if names else ("vase",))


def test_where_nothing_names_a_thing_everything_may():
    assert things_of(["it", "what is"]) == ("it", "what is")


def test_no_label_that_the_hands_chose_is_kept_from_a_planner():
    for request in filter(lambda one: one.labels, map(copied_labels, hand_requests())):
        phrases = phrases_of([request.text])
        assert set(request.labels) & set(phrases) <= set(things_of(phrases)), request.text
