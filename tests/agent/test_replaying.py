"""LLaVA-Plus's training data and server logs, read, run with our skills, and written back."""

import copy
import json
import threading
from pathlib import Path

import pytest

from llava_plus.agent import PlanView, read_items, recorded, replay
from llava_plus.agent.dialects import plus
from llava_plus.errors import SetupError

QUESTION = "<image>\nWhere are the faces?"
FILLER = "I will use {} to help to answer the question. Please wait for a moment."
FOUND = (
    "{{'boxes': [[0.1, 0.1, 0.3, 0.4], [0.6, 0.25, 0.8, 0.46]], 'logits': [{}, 0.5], "
    "'phrases': ['face', 'face']}}"
)


def gpt(value, *actions, thoughts="Fine, {img_1}."):
    return {"from": "gpt", "thoughts": thoughts, "actions": list(actions), "value": value}


def human(value):
    return {"from": "human", "value": value}


def action(name, **params):
    return {"API_name": name, "API_params": params}


def item(*messages):
    return {"unique_id": "00", "file_name": "x.jpg", "conversations": list(messages)}


def asked(name, result, **params):
    """Make an item of the training data with one call."""
    return item(
        human(QUESTION),
        gpt(FILLER.format(name), action(name, **params)),
        human(f"{name} output: {result}\n\nAnswer my first question: {QUESTION}"),
        gpt("Two faces, é 脸."),
        human("Thank you."),
        gpt("You are welcome."),
    )


def log_line(result):
    """Make a line of the server's log, in which the first request ends with the picture's mark."""
    training = asked("grounding_dino", result, caption="face", box_threshold=0.4)
    texts = [
        plus.write(plus.parse(_text(message), iter("ab"))).strip() if "thoughts" in message else ""
        for message in training["conversations"]
    ]
    said = f"grounding_dino model outputs: {result}\n\n"
    question = "Please summarize the model outputs and answer my first question: Where?"
    messages = [
        ["USER", "Where?\n<image>"],
        ["ASSISTANT", texts[1]],
        ["USER", said + question],
        ["ASSISTANT", texts[3]],
        ["USER", "Thank you."],
        ["ASSISTANT", "You are welcome."],
    ]
    state = {"roles": ["USER", "ASSISTANT"], "messages": messages, "offset": 0, "sep2": "</s>"}
    return {"type": "chat", "model": "llava_plus_v0_7b", "state": state}


def _text(message):
    actions = json.dumps(message["actions"])
    return (
        f'"thoughts🤔" {message["thoughts"]}\n"actions🚀" {actions}\n"value👉" {message["value"]}\n'
    )


def of(registry):
    return registry.subset("detect", "blur")


@pytest.mark.parametrize("make", [lambda r: asked("grounding_dino", r, caption="face"), log_line])
def test_what_comes_out_as_before_is_written_back_byte_for_byte(make, skills, picture):
    before = make(FOUND.format(0.99))
    done = replay(recorded(copy.deepcopy(before)), picture, skills=of(skills))
    assert [turn.reason for turn in done.trace.turns] == ["answered", "answered"]
    assert [result.same for result in done.results] == [True]
    assert json.dumps(done.item) == json.dumps(before)


@pytest.mark.parametrize("make", [lambda r: asked("grounding_dino", r, caption="face"), log_line])
def test_another_result_is_written_and_nothing_else_changes(make, skills, picture):
    before = make(FOUND.format(0.31))
    done = replay(recorded(before), picture, skills=of(skills))
    assert [(result.turn, result.same, result.ok) for result in done.results] == [(1, False, True)]
    assert json.dumps(done.item) == json.dumps(make(FOUND.format(0.99)))
    assert before == make(FOUND.format(0.31))  # as it was given


def test_the_dialect_writes_the_trace_as_the_original_trained_on_it(skills, picture):
    before = asked("grounding_dino", FOUND.format(0.99), caption="face")
    trace = replay(recorded(before), picture, skills=of(skills)).trace
    view = PlanView(
        turns=trace.turns, artifacts=trace.artifacts, skills=skills, cancel=threading.Event()
    )
    messages = plus.render(view, wording="script")
    conversation = before["conversations"]
    assert [m.text for m in messages if m.role == "assistant"] == [
        _text(conversation[place]) for place in (1, 3, 5)
    ]
    assert messages[0].text == "\nWhere are the faces?"
    assert [len(message.images) for message in messages] == [1, 0, 0, 0, 0, 0]
    observed = conversation[2]["value"].replace("<image>\n", "")
    assert messages[2].text == observed
    assert trace.turns[0].steps[0].observations[0].backend == "detect"


@pytest.mark.parametrize(
    ("name", "params", "shown", "said"),
    [
        ("blip2", {}, "blip2", "captions a picture, in LLaVA-Plus with BLIP-2"),
        ("openseed", {}, "controlnet", "divides a picture by what each part shows"),
        ("grounding_dino", {"caption": "dog"}, "grounding_dino", "cannot find 'dog'"),
        ("gpt4", {}, "gpt4", "No skill 'gpt4'."),
    ],
)
def test_a_tool_that_cannot_run_says_so_in_the_result(name, params, shown, said, skills, picture):
    done = replay(recorded(asked(name, "{}", **params)), picture, skills=of(skills))
    (result,) = done.results
    assert not result.ok
    assert result.now.startswith(f"{shown} output: {{'text': ")
    assert said in result.now
    assert result.now.endswith(f"'error_code': 1}}\n\nAnswer my first question: {QUESTION}")
    assert done.trace.turns[0].answer == "Two faces, é 脸."


def test_a_chat_without_tools_or_pictures(skills):
    done = replay(recorded([["Human", "Hello."], ["Assistant", "Hello!"]]), skills=of(skills))
    assert done.results == ()
    assert done.trace.turns[0].answer == "Hello!"


def test_the_picture_must_be_there_and_readable(skills, tmp_path):
    conversation = recorded(asked("grounding_dino", "{}", caption="face"))
    with pytest.raises(SetupError, match="begins with a picture"):
        replay(conversation, skills=of(skills))
    with pytest.raises(SetupError, match="no such file"):
        replay(conversation, tmp_path / "none.jpg", skills=of(skills))


CALL = gpt("v", action("ocr"))
RESULT = human("ocr output: {}\n\nAnswer my first question: a")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (3, "'3' is no conversation. Wanted an item"),
        ({"conversations": {}}, "is no conversation"),
        ({"state": 3}, "is no conversation"),
        (item(), "The conversation is empty"),
        (item(gpt("hi")), "Message 1 is the model's"),
        (item(human("a")), "Message 1 has no answer"),
        (item(human("a"), human("b")), "Message 1 has no answer"),
        (item(human(" <image>\n "), gpt("b")), "Message 1 is an empty request"),
        (item(human(3), gpt("b")), "Message 1 is \"{'from': 'human', 'value': 3}\""),
        (item({"from": "system", "value": "x"}), "Message 1 is"),
        (item("hello"), "Message 1 is 'hello'"),
        (item(human("a"), gpt("")), "neither actions nor a value"),
        (item(human("a"), CALL), "Message 2 calls ocr, and no result follows"),
        (item(human("a"), CALL, human("b"), gpt("c")), "Message 2 calls ocr, and no result"),
        (item(human("a"), CALL, RESULT), "Message 3 has no answer"),
        (
            item(human("a"), gpt("v", action("ocr"), action("sam")), RESULT, gpt("c")),
            "Message 2 calls several APIs at once: ocr, sam",
        ),
        (item(human("a"), gpt("v", "ocr"), RESULT), "Message 2: 'ocr' is not an action"),
        (item(human("a"), gpt("v", {"API_name": ""}), RESULT), "is not an action"),
        (
            item(human("a"), {**CALL, "actions": "[{"}, RESULT),
            "Message 2: The actions '\"[{\"' cannot be read: it is not a list",
        ),
        (
            [["USER", "a"], ["ASSISTANT", '"thoughts🤔" t "actions🚀" [{ "value👉" v']],
            "Message 2: The actions '[{' cannot be read",
        ),
        ([["USER", "a"], ["ASSISTANT", '"thoughts🤔" t']], "Message 2: Parts are missing"),
        (
            item(human("a"), gpt("b"), human("<image>\nc"), gpt("d")),
            "A picture comes after the first request",
        ),
    ],
)
def test_what_cannot_be_replayed_is_refused_before_anything_runs(content, said):
    with pytest.raises(SetupError) as error:
        recorded(content)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("content", "number"),
    [
        (json.dumps([item(), item()], indent=2), 2),
        (json.dumps(item()), 1),
        (json.dumps([["USER", "a"], ["ASSISTANT", "b"]]), 1),
        (f"{json.dumps(item())}\n\n{json.dumps(item())}\n", 2),
        (f'{json.dumps(item())}\r\n["a \u2028 line"]\n', 2),
        ("[]", 0),
    ],
)
def test_files_hold_a_list_or_one_or_a_line_each(content, number, tmp_path):
    path = tmp_path / "data.json"
    path.write_text(content, encoding="utf-8")
    assert len(read_items(path)) == number


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "data.json is not JSON"),
        (b'{"a": 1}\n{"a', "data.json is not JSON"),
        (b"[" * 100_000, "data.json is not JSON"),
        (b"\xff\xfe", "it is not text in UTF-8"),
        (None, "No such file"),
    ],
)
def test_damaged_files_are_told(content, said, tmp_path):
    path = Path(tmp_path / "data.json")
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SetupError) as error:
        read_items(path)
    assert said in str(error.value)


@pytest.mark.slow
def test_the_papers_way_of_asking_works_on_a_real_photograph():
    """A box, an outline of it, and a hole filled: three turns of the original's state."""
    from skimage import data

    def turn(name, question, **params):
        return (
            human(question),
            gpt(FILLER.format(name), action(name, **params)),
            human(f"{name} model outputs: {{}}\n\nPlease summarize … {question}"),
            gpt("Done."),
        )

    conversation = item(
        *turn("grounding_dino", "<image>\nWhere is her face?", caption="face ."),
        *turn("sam", "Outline it.", boxes=[[0.35, 0.11, 0.52, 0.34]]),
        *turn("inpainting", "Remove it.", prompt=""),
    )
    done = replay(recorded(conversation), data.astronaut())
    assert all(result.ok for result in done.results), done.results
    assert done.results[0].now.startswith("grounding_dino model outputs: {'boxes': [[0.3")
    assert done.results[1].now.startswith(
        "sam model outputs: {'boxes': [[0.35, 0.11, 0.52, 0.34]]}"
    )
    assert done.results[2].now.startswith(
        "inpainting model outputs: {'message': 'The inpainting has processed the image.'}"
    )
    made = done.trace.artifacts
    outline = made["masks_1"].value.to_array()[0]
    changed = (made["img_2"].value.pixels != made["img_1"].value.pixels).any(2)
    assert changed[outline].mean() > 0.9
    assert changed[:50].mean() < 0.01
