"""What our own dialect writes, and what it makes of what comes."""

import json as stdlib
from itertools import count, pairwise
from typing import Literal

import pytest

from llava_plus.agent import Agent, Decision, PlannerError, ScriptedPlanner
from llava_plus.agent.dialects import json
from llava_plus.messages import ImagePart
from llava_plus.skills import Call, Image, Number, SkillRegistry, default_registry, skill


def ids():
    return (f"call_{number}" for number in count(1))


def seen_by_planner(chat, message, images=()):
    """What render makes of a session when the next request comes in."""
    chat.planner.script += (lambda view: views.append(view) or "ok",)
    views = []
    chat.run_sync(message, images)
    return json.render(views[0])


def shown(messages):
    parts = [[p.text if hasattr(p, "text") else "<image>" for p in m.parts] for m in messages]
    return [(m.role, "".join(words)) for m, words in zip(messages, parts, strict=True)]


def test_words_start_with_a_space_and_handles_and_choices_do_not():
    args = {"region": "boxes_1", "by": "left", "nth": 2, "label": "red car"}
    decision = Decision(thought="Left.", calls=(Call(id="a", skill="select", args=args),))

    @skill
    def select(
        region: Image,
        *,
        by: Literal["left", "right"] | None = None,
        nth: int = 1,
        label: str | None = None,
    ) -> Number:
        """Select."""

    written = json.write(decision, SkillRegistry([select]))
    assert written == (
        '{"thought":"Left.","actions":[{"skill":"select","args":'
        '{"region":"boxes_1","by":"left","nth":2,"label":" red car"}}]}'
    )
    assert json.parse(written, ids()).calls[0].args == args
    backwards = Call(id="a", skill="select", args=dict(reversed(args.items())))
    again = Decision(thought="Left.", calls=(backwards,))
    assert json.write(again, SkillRegistry([select])) == written


def test_an_answer_is_compact_and_keeps_its_letters():
    decision = Decision(thought="完成", answer='"Done" {img_2}\n')
    assert json.write(decision) == '{"thought":"完成","answer":"\\"Done\\" {img_2}\\n"}'


@pytest.mark.parametrize(
    "wrapped",
    [
        "{}",
        "```json\n{}\n```",
        "Sure, here you {{go}}:\n{}\nHope it helps {{}}",
        "<think>{{</think>{}",
    ],
)
def test_json_is_found_among_other_words(wrapped):
    text = '{"thought":" t ","actions":[{"skill":"blur","args":{"image":" img_1"}}]}'
    decision = json.parse(wrapped.format(text), ids())
    assert decision == Decision(
        thought="t", calls=(Call(id="call_1", skill="blur", args={"image": "img_1"}),)
    )


def test_actions_come_before_an_answer_that_cannot_know_their_results():
    text = '{"thought":"t","actions":[{"skill":"a"},{"skill":"b"}],"answer":"There are 3."}'
    decision = json.parse(text, ids())
    assert [call.id for call in decision.calls] == ["call_1", "call_2"]
    assert decision.answer is None


@pytest.mark.parametrize(
    ("text", "came"),
    [
        ("", "The output is empty"),
        ("I will blur it", "There is no JSON object"),
        ('{"thought":"x","actions":[{"skill":"blur"', "The JSON cannot be read: Expecting"),
        ('{"foo":1}', "The JSON has the keys 'foo'"),
        ("{}", "the keys of nothing"),
        ('{"thought":"x"}', 'Neither "actions" nor'),
        ('{"thought":"x","actions":[],"answer":" "}', 'Neither "actions" nor'),
        ('{"thought":1,"answer":"x"}', '"thought" must be a string'),
        ('{"actions":{"skill":"x"}}', '"actions" must be a list'),
        ('{"actions":["blur"]}', "An action is"),
        ('{"actions":[{"skill":"blur","args":[1]}]}', "An action is"),
        ('{"actions":[{"skill":"a","args":{"x":NaN}}]}', "NaN is not a JSON number"),
        ('{"actions":[{"skill":"a","args":{"x":1e999}}]}', "1e999 is too big"),
        ("[" * 100_000, "There is no JSON object"),
        ('{"thought":' * 50_000, "cannot be read"),
        ("{" * 50_000, "cannot be read"),
    ],
)
def test_what_cannot_be_read_says_what_came_and_what_was_wanted(text, came):
    with pytest.raises(PlannerError, match="Wanted one JSON object") as error:
        json.parse(text, ids())
    assert came in str(error.value)
    assert len(str(error.value)) < 800


def test_halves_of_characters_are_mended():
    assert json.parse('{"answer":"a\\ud800 \\ud83e\\udd14"}', ids()).answer == "a� 🤔"


def test_a_session_reads_as_a_conversation(session, picture):
    chat = session(
        "detect(img_1, 'face') & detect(img_1, 'cat')", "blur(img_1, boxes_1)", "{boxes_1}."
    )
    chat.run_sync("Blur the faces", [picture])
    chat.point("img_2", 0.5, 0.5)
    messages = seen_by_planner(chat, "And this one?", [picture + 1])
    assert shown(messages)[1:] == [
        ("user", "<image>img_1 Blur the faces"),
        (
            "assistant",
            '{"thought":"","actions":[{"skill":"detect","args":{"image":"img_1","label":" face"}},'
            '{"skill":"detect","args":{"image":"img_1","label":" cat"}}]}',
        ),
        (
            "observation",
            "boxes_1 = detect: 2 boxes: face, face (left to right)\n"
            "detect failed: detect: cannot find 'cat'; it finds faces.",
        ),
        (
            "assistant",
            '{"thought":"","actions":[{"skill":"blur","args":{"image":"img_1","region":"boxes_1"}}]}',
        ),
        ("observation", "<image>img_2 = blur: 16x12"),
        ("assistant", '{"thought":"","answer":"{boxes_1}."}'),
        ("user", "<image>img_3 points_1 on img_2 And this one?"),
    ]
    supervised = [message.supervised for message in messages]
    assert supervised == [message.role == "assistant" for message in messages]


def test_prompts_only_grow(session, picture):
    views = []

    def look(line):
        return lambda view: views.append(json.render(view)) or line

    broken = '{"thought":"x'
    chat = session(
        *map(look, ("detect(img_1, 'cat')", broken, "blur(img_1)", "ok", "read(img_2)", "ok"))
    )
    chat.run_sync("one", [picture])
    chat.call_sync("blur", {"image": "img_1", "strength": 0.1})
    chat.run_sync("two")
    for shorter, longer in pairwise(views):
        assert shown(longer)[: len(shorter)] == shown(shorter)


def test_a_picture_is_carried_once(session, picture):
    chat = session("blur(img_1)", "blur(img_1)", "ok")
    chat.run_sync("go", [picture])
    messages = seen_by_planner(chat, "again", [picture])
    digests = [part.digest for m in messages for part in m.parts if isinstance(part, ImagePart)]
    assert len(digests) == len(set(digests)) == 2
    texts = [text for _, text in shown(messages)]
    assert "img_3 = blur: 16x12 (same as img_2)" in texts
    assert texts[-1] == "img_4 (same as img_1) again"


def test_what_the_planner_did_not_say_is_not_for_training(session, picture):
    chat = session('{"thought":"x', "detect(img_1, 'face')", steps=2)
    chat.run_sync("one", [picture])
    chat.call_sync("blur", {"image": "img_1"})
    messages = seen_by_planner(chat, "two")
    said = [(m.text, m.supervised) for m in messages if m.role == "assistant"]
    assert said == [
        ('{"thought":"x', False),
        (
            '{"thought":"","actions":[{"skill":"detect",'
            '"args":{"image":"img_1","label":" face"}}]}',
            True,
        ),
        (
            '{"thought":"","answer":"I stopped after 2 steps, the limit for one request. '
            'So far: detect: 2 faces."}',
            False,
        ),
        ('{"thought":"","actions":[{"skill":"blur","args":{"image":"img_1"}}]}', False),
        ('{"thought":"","answer":"img_2"}', False),
    ]


def view_of(registry):
    chat = Agent(ScriptedPlanner([]), registry).session()
    return chat._view()


def test_the_system_message_is_empty_for_the_built_in_catalogue():
    assert [message.text for message in json.render(view_of(default_registry()))] == [""]


def test_the_system_message_lists_what_differs():
    @skill
    def sharpen(image: Image) -> Image:
        """Make edges crisp."""
        return image

    text = json.render(view_of(SkillRegistry([sharpen])))[0].text.splitlines()
    assert text[0] == "+ sharpen(image: Image) -> Image: Make edges crisp."
    assert text[1:] == [f"- {spec.name}" for spec in default_registry()]


def test_general_models_are_told_everything(skills):
    text = json.render(view_of(skills), system="full")[0].text
    example = next(line for line in text.splitlines() if line.startswith('{"thought"'))
    assert stdlib.loads(example)["actions"]
    assert skills.prompt() in text
