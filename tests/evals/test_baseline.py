"""The linear model that a planner has to beat."""

import pytest

from llava_plus.agent.notation import parse_context, parse_plan
from llava_plus.data_gen.request_file import write_requests
from llava_plus.data_gen.requests import Request
from llava_plus.errors import SetupError
from llava_plus.evals import summarize
from llava_plus.evals.baseline import (
    BUCKETS,
    Example,
    buckets,
    evaluate,
    read_examples,
    shape,
    train,
)
from llava_plus.evals.plan_run import Wanted
from llava_plus.evals.world import world_registry

THINGS = ["dog", "red car", "old man", "sign", "kite", "cat", "house", "tall tree"]
PLANS = {
    "where is the {}": 'detect(img_1, "{}")',
    "blur the {} please": 'detect(img_1, "{}") ; blur(img_1, boxes_1)',
    "thanks for the {}": "say(chat)",
}


@pytest.fixture(scope="module")
def world():
    return world_registry()


@pytest.fixture(scope="module")
def examples(world):
    one = parse_context("1", world)
    return [
        Example(context=one, text=text.format(name), plan=parse_plan(plan.format(name), world))
        for text, plan in PLANS.items()
        for name in THINGS
    ]


@pytest.fixture(scope="module")
def model(examples):
    return train(examples, epochs=20)


@pytest.mark.parametrize(
    ("plan", "masked"),
    [
        ("say(ask)", "say(ask)"),
        ('detect(img_1, "red car")', "detect(image=img_1, label='something')"),
        (
            "blur(img_1, boxes_1, strength=0.9, outside=True)",
            "blur(image=img_1, region=boxes_1)",
        ),
        ("crop(img_1, [0, 0, 0.5, 1])", "crop(image=img_1, region=[0, 0, 1, 1])"),
        (
            "select(boxes_1, by='left', nth=2) & rotate(img_1, degrees=12)",
            "select(region=boxes_1, by='left') & rotate(image=img_1)",
        ),
        ('select(lines_1, label="lines_2")', "select(region=lines_1, label='something')"),
    ],
)
def test_a_shape_is_a_plan_without_names_and_numbers(world, plan, masked):
    assert shape(parse_plan(plan, world)) == masked
    assert shape(parse_plan(masked, world)) == masked


def test_words_are_hashed_whatever_their_case(world):
    one = parse_context("1", world)
    some = buckets(one, "Blur the DOG, now")
    assert some == buckets(one, "blur the dog , now")
    assert some != buckets(one, "the dog blur, now")
    assert all(0 <= bucket < BUCKETS for bucket in some)


def test_what_the_conversation_holds_is_seen(world):
    contexts = ["1", "2", "1+box", '1 > detect(img_1, "dog")', "1 > ocr(img_1)", "1 > say(chat)"]
    seen = {tuple(buckets(parse_context(text, world), "blur it")) for text in contexts}
    assert len(seen) == len(contexts)


def test_it_learns_the_shapes_and_meets_new_words(world, model):
    one = parse_context("1", world)
    for text, plan in PLANS.items():
        wanted = shape(parse_plan(plan.format("x"), world))
        assert model.predict(one, text.format("purple zebra")) == wanted


def test_the_same_seed_learns_the_same(examples, model):
    again = train(examples, epochs=20)
    assert bool((again.weights.weight == model.weights.weight).all())


def test_rare_shapes_are_not_learned(world, examples):
    rare = Example(
        context=examples[0].context, text="read it", plan=parse_plan("ocr(img_1)", world)
    )
    assert not any("ocr" in name for name in train([*examples, rare, rare], epochs=1).shapes)
    assert any("ocr" in name for name in train([*examples, rare, rare, rare], epochs=1).shapes)


def test_too_few_requests_are_an_error(examples):
    with pytest.raises(SetupError, match="1 shapes occur 3 times: give more"):
        train(examples[:8])


def test_its_plans_are_scored_as_a_planners_are(world, model):
    def wanted(text, plan):
        return Wanted(
            id=1, context=parse_context("1", world), text=text, plans=(parse_plan(plan, world),)
        )

    requests = [
        wanted("where is the goat", 'detect(img_1, "goat")'),
        wanted("blur the goat please", 'detect(img_1, "goat") ; blur(img_1, boxes_1)'),
        wanted("where is the blue goat", 'detect(img_1, "goat") ; crop(img_1, boxes_1)'),
        wanted("thanks for the goat", "say(chat)"),
    ]
    figures = summarize(list(evaluate(model, requests, world)))
    assert figures["first skill"] == (3, 3)
    assert figures["sequence"] == (2, 3)
    assert figures["no skill needed"] == (1, 1)


def test_the_file_that_data_generation_writes_is_read(world, tmp_path):
    plans = ['1 > detect(img_1, "dog")', "1+box", "0"], ["blur(img_1, boxes_1)"] * 2 + ["say(ask)"]
    requests = [
        Request(context=context, text=f"“{n}” 模糊\u2028it", plan=plan, origin="test")
        for n, (context, plan) in enumerate(zip(*plans, strict=True))
    ]
    write_requests(tmp_path / "requests.jsonl", requests)
    read = read_examples(tmp_path / "requests.jsonl", world)
    assert [one.text for one in read] == [request.text for request in requests]
    assert [one.plan for one in read] == [parse_plan(one.plan, world) for one in requests]
    assert [one.context for one in read] == [parse_context(one.context, world) for one in requests]


@pytest.mark.parametrize(
    "line", ["{", '{"context": "1"}', "[]", '{"context": "1", "request": "x", "plan": "blurr(x)"}']
)
def test_a_line_that_is_no_request_is_named(world, tmp_path, line):
    file = tmp_path / "requests.jsonl"
    file.write_text(f'{{"context": "1", "request": "hi", "plan": "say(chat)"}}\n{line}\n')
    with pytest.raises(SetupError, match=r"requests\.jsonl:2: wanted JSON"):
        read_examples(file, world)
