"""Plans and contexts in a line of text."""

import random

import pytest

from llava_plus.agent.notation import (
    Plan,
    format_call,
    format_plan,
    parse_call_text,
    parse_context,
    parse_plan,
    result_prefix,
    split_outside_quotes,
)
from llava_plus.errors import SetupError
from llava_plus.skills import Call, default_registry


@pytest.fixture(scope="module")
def builtin():
    return default_registry()


def test_semicolons_part_steps_and_ampersands_part_calls(builtin):
    text = 'detect(img_1, "face") & ocr(img_1) ; blur(img_1, boxes_1) ; blur(img_2, lines_1)'
    plan = parse_plan(text, builtin)
    assert [len(step) for step in plan.steps] == [2, 1, 1]
    assert plan.skills == ("detect", "ocr", "blur", "blur")
    assert [call.id for call in plan.calls] == ["c1", "c2", "c3", "c4"]
    assert plan.say is None


def test_arguments_by_place_take_the_names_of_the_signature(builtin):
    plan = parse_plan("crop(img_1, boxes_1, margin=0.1)", builtin)
    assert plan.calls[0].args == {"image": "img_1", "region": "boxes_1", "margin": 0.1}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("region=boxes_1", "boxes_1"),
        ("region=[0, 0, 0.5, 1]", [0, 0, 0.5, 1]),
        ("region=(0, 0, 0.5, 1)", [0, 0, 0.5, 1]),
        ("region=None", None),
        ("outside=True", True),
        ("strength=-0.5", -0.5),
        ('strength="a;b & c"', "a;b & c"),
    ],
)
def test_handles_and_plain_literals_are_arguments(builtin, source, value):
    (call,) = parse_plan(f"blur(img_1, {source})", builtin).calls
    read = call.args[source.partition("=")[0]]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("kind", ["chat", "explain", "ask", "refuse", "cannot", "recall"])
def test_an_answer_without_skill_is_a_plan_of_its_kind(builtin, kind):
    plan = parse_plan(f" say({kind}) ", builtin)
    assert (plan.say, plan.steps, plan.calls) == (kind, (), ())
    assert format_plan(plan) == f"say({kind})"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a call|empty part"),
        ("detect", "is not a call such as"),
        ("detect(img_1", "is not a call such as"),
        ("a.detect(img_1)", "is not a call such as"),
        ("detect(img_1, 'face') ;", "empty part beside ';'"),
        ("detect(img_1, 'face') & & ocr(img_1)", "empty part beside '&'"),
        ("ocr(img_1, boxes_1, 3)", "more arguments than ocr takes"),
        ("blur(img_1, colour=3)", "blur has no 'colour'; it takes image, region"),
        ("blur(img_1, image=img_2)", "blur is given 'image' twice"),
        ("blur(img_1, **boxes_1)", "blur has no None"),
        ("blur(img_1, strength=1 + x)", "arguments are handles and plain literals"),
        ("blur(img_1, strength=open('x'))", "arguments are handles and plain literals"),
        ("blur(img_1, strength={1, 2})", "arguments are handles and plain literals"),
        ("blur(img_1, strength=b'x')", "arguments are handles and plain literals"),
        ("segmnt(img_1, boxes_1)", "No skill 'segmnt'. Did you mean 'segment'"),
        ("say(sing)", "say.sing.: wanted one of chat, explain"),
    ],
)
def test_what_does_not_fit_is_named(builtin, text, words):
    with pytest.raises(SetupError, match=words):
        parse_plan(text, builtin)


def test_nothing_that_stands_in_a_plan_is_run(builtin, tmp_path):
    mark = tmp_path / "mark"
    with pytest.raises(SetupError):
        parse_plan(f"blur(img_1, strength=open({str(mark)!r}, 'w'))", builtin)
    assert not mark.exists()


@pytest.mark.parametrize(
    "text",
    [
        "detect(image=img_1, label='face')",
        "detect(image=img_1, label='face') & ocr(image=img_1) ; blur(image=img_1, region=boxes_1)",
        "crop(image=img_1, region=[0, 0, 0.5, 1], margin=0.1)",
        "adjust(image=img_1, brightness=-0.3, grayscale=True)",
        "image_info(image=img_2)",
    ],
)
def test_a_plan_is_written_as_it_was_read(builtin, text):
    assert format_plan(parse_plan(text, builtin)) == text


def test_any_label_comes_back_exactly(builtin):
    draw = random.Random(0)
    alphabet = "ab \"';&>\\(),=é\n"
    for _ in range(300):
        label = "".join(draw.choices(alphabet, k=draw.randint(1, 8)))
        calls = [
            Call(id=f"c{n}", skill="detect", args={"image": "img_1", "label": label})
            for n in (1, 2)
        ]
        plan = Plan(steps=((calls[0],), (calls[1],)))
        assert parse_plan(format_plan(plan), builtin) == plan


def test_a_call_of_its_own_gets_the_id_that_it_is_given(builtin):
    call = parse_call_text('select(boxes_1, by="left", nth=2)', builtin, call_id="call_7")
    assert call.id == "call_7"
    assert format_call(call) == "select(region=boxes_1, by='left', nth=2)"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a;b", ["a", "b"]),
        ("'a;b';c", ["'a;b'", "c"]),
        ('"it\'s;" ; c', ['"it\'s;"', "c"]),
        (r"'it\'s;' ; c", [r"'it\'s;'", "c"]),
        ("a", ["a"]),
    ],
)
def test_separators_inside_quotes_part_nothing(text, parts):
    assert split_outside_quotes(text, ";") == parts


@pytest.mark.parametrize(
    ("source", "prefix"),
    [
        ('detect(img_1, "face")', "boxes"),
        ("ocr(img_1)", "lines"),
        ("read_codes(img_1)", "lines"),
        ("segment(img_1, boxes_1)", "masks"),
        ("crop(img_1, boxes_1)", "img"),
        ("image_info(img_1)", "table"),
        ('select(boxes_1, by="left")', "boxes"),
        ("select(masks_1, nth=2)", "masks"),
        ('select(lines_1, label="x")', "lines"),
        ("select([0, 0, 1, 1])", "boxes"),
    ],
)
def test_a_result_gets_the_handle_of_its_kind(builtin, source, prefix):
    assert result_prefix(parse_call_text(source, builtin, call_id="c1"), builtin) == prefix


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("0", {}),
        ("1", {"img": 1}),
        ("3", {"img": 3}),
        ("1+click", {"img": 1, "points": 1}),
        ("1+box", {"img": 1, "boxes": 1}),
        ('1 > detect(img_1, "face")', {"img": 1, "boxes": 1}),
        (
            '1+box > detect(img_1, "a > b") ; select(boxes_2) ; blur(img_1, boxes_3) > ocr(img_2)',
            {"img": 2, "boxes": 3, "lines": 1},
        ),
        ("1 > say(chat) > rotate(img_1, degrees=90)", {"img": 2}),
    ],
)
def test_a_context_tells_which_handles_there_are(builtin, text, given):
    assert parse_context(text, builtin).given(builtin) == given


@pytest.mark.parametrize("text", ["", "one", "1+swipe", "12", "1 >", "> ocr(img_1)"])
def test_a_context_that_is_none_is_refused(builtin, text):
    with pytest.raises(SetupError, match=r"Context|empty part"):
        parse_context(text, builtin)
