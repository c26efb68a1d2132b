"""Sessions as chat messages with tool calls, and what is read out of a model's own."""

import json
from itertools import count, pairwise

import pytest

from llava_plus.agent import Decision, PlannerError
from llava_plus.agent.dialects import native
from llava_plus.skills import Call


def ids():
    return (f"call_{number}" for number in count(1))


@pytest.fixture
def pixels(picture):
    return picture


def as_url(part):
    return {"type": "image_url", "image_url": {"url": f"data:{part.digest}"}}


def views_of(chat, *requests):
    """Run requests; return the view of each step."""
    views, script = [], chat.planner.script
    chat.planner.script = tuple(
        lambda view, line=line: views.append(view) or line for line in script
    )
    for message, images in requests:
        chat.run_sync(message, images)
    return views


def call(name, arguments, **more):
    return {"function": {"name": name, "arguments": arguments}, **more}


def test_a_session_reads_as_a_chat_with_tools(session, pixels):
    chat = session(
        "detect(img_1, 'face') & detect(img_1, 'cat')", "blur(img_1, boxes_1)", "{boxes_1}.", "ok"
    )
    views = views_of(chat, ("Blur the faces", [pixels]), ("More?", [pixels + 1]))
    messages = native.render(views[-1], picture=as_url)
    system, asked, calls, found, missed, again, blurred, made, answer, more = messages
    assert system == {"role": "system", "content": native.SYSTEM}
    assert asked["content"][0]["type"] == "image_url"
    assert asked["content"][1:] == [{"type": "text", "text": "img_1 Blur the faces"}]
    assert [one["function"]["name"] for one in calls["tool_calls"]] == ["detect", "detect"]
    assert json.loads(calls["tool_calls"][1]["function"]["arguments"]) == {
        "image": "img_1",
        "label": "cat",
    }
    ids = [one["id"] for one in (*calls["tool_calls"], *again["tool_calls"])]
    assert ids == [one["tool_call_id"] for one in (found, missed, blurred)]
    assert len(set(ids)) == 3
    assert found["content"] == "boxes_1 = detect: 2 boxes: face, face (left to right)"
    assert missed["content"] == "detect failed: detect: cannot find 'cat'; it finds faces."
    assert (blurred["role"], blurred["content"]) == ("tool", "img_2 = blur: 16x12")
    assert made["role"] == "user"
    assert [one.get("text", "picture") for one in made["content"]] == [
        native.MADE, "picture", "img_2 ",
    ]  # fmt: skip
    assert answer == {"role": "assistant", "content": "{boxes_1}."}
    assert more["content"][-1]["text"] == "img_3 More?"


def test_prompts_only_grow_and_carry_a_picture_once(session, pixels):
    lines = ("detect(img_1, 'cat')", '{"act', "blur(img_1) & blur(img_1)", "read(img_2)")
    views = views_of(session(*lines, "ok", "ok"), ("one", [pixels]), ("two", [pixels]))
    written = [json.dumps(native.render(view, picture=as_url)) for view in views]
    assert len(written) == 6
    for shorter, longer in pairwise(written):
        assert longer.startswith(shorter.removesuffix("]"))
    urls = [part for part in written[-1].split('"') if part.startswith("data:")]
    assert len(urls) == len(set(urls)) == 2
    assert "(same as img_1)" in written[-1]
    assert native.UNREAD in written[-1]


def test_what_a_person_called_and_what_broke_off_are_told_too(session, pixels):
    chat = session("detect(img_1, 'face')", "ok", steps=1)
    chat.run_sync("one", [pixels])
    chat.call_sync("blur", {"image": "img_1"})
    messages = native.render(views_of(chat, ("two", []))[-1])
    assert messages[4]["content"].startswith("I stopped after 1 steps")
    assert messages[6]["tool_calls"][0]["function"] == {
        "name": "blur",
        "arguments": {"image": "img_1"},
    }
    assert [message["role"] for message in messages[5:]] == [
        "user", "assistant", "tool", "user", "assistant", "user",
    ]  # fmt: skip


HERMES = (
    "{% for tool in tools %}<tool>{{ tool.function.name }}</tool>{{ '\\n' }}{% endfor %}"
    "{% for message in messages %}[{{ message.role }}] "
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}"
    "{{ '<image>' if part.type == 'image' else part.text }}{% endfor %}{% endif %}"
    "{% for call in message.tool_calls or [] %}"
    '<call>{"name": "{{ call.function.name }}", "args": {{ call.function.arguments | tojson }}}'
    "</call>{% endfor %}{{ '\\n' }}{% endfor %}"
)


def test_a_local_tokenizer_writes_it_with_its_own_template(session, skills, pixels):
    from llava_plus.model import train_tokenizer

    tokenizer = train_tokenizer(["blur the faces"] * 9)
    views = views_of(session("detect(img_1, 'face')", "ok"), ("Faces?", [pixels]))
    texts = [
        tokenizer.apply_chat_template(
            native.render(view),
            tools=view.skills.openai_tools(),
            chat_template=HERMES,
            tokenize=False,
        )
        for view in views
    ]
    assert texts[1].startswith(texts[0])
    assert "<tool>blur</tool>" in texts[0]
    assert "[user] <image>img_1 Faces?\n" in texts[0]
    assert (
        '<call>{"name": "detect", "args": {"image": "img_1", "label": "face"}}</call>' in (texts[1])
    )
    assert "[tool] boxes_1 = detect: 2 boxes: face, face (left to right)\n" in texts[1]


def test_a_picture_for_a_local_model_has_its_pixels(session, pixels):
    [view] = views_of(session("ok"), ("Hello", [pixels]))
    asked = native.render(view)[1]
    assert (asked["content"][0]["image"] == pixels).all()


@pytest.mark.parametrize("arguments", ['{"image": " img_1 "}', {"image": "img_1"}])
def test_calls_are_read_as_text_and_as_objects(arguments):
    message = {"content": " Look. ", "tool_calls": [call("read", arguments), call("blur", "")]}
    assert native.parse(message, ids()) == Decision(
        thought="Look.",
        calls=(
            Call(id="call_1", skill="read", args={"image": "img_1"}),
            Call(id="call_2", skill="blur"),
        ),
    )


@pytest.mark.parametrize(
    ("message", "decision"),
    [
        ({"content": " Done.\n"}, Decision(answer="Done.")),
        ({"content": "a\ud800"}, Decision(answer="a\N{REPLACEMENT CHARACTER}")),
        ({"content": "4", "reasoning_content": "2+2"}, Decision(thought="2+2", answer="4")),
        ({"content": "4", "thinking": "x" * 999}, Decision(thought="x" * 600, answer="4")),
        ({"content": "<think>2+2</think>\n4"}, Decision(thought="2+2", answer="4")),
        ({"content": "2+2</think>4"}, Decision(thought="2+2", answer="4")),
        (
            {"content": None, "refusal": "I can't."},
            Decision(answer=native.REFUSED.format("I can't.")),
        ),
    ],
)
def test_words_are_the_answer_and_reasoning_is_the_thought(message, decision):
    assert native.parse(message, ids()) == decision


def test_reasoning_is_the_thought_of_calls_without_words():
    message = {"content": "", "reasoning": "Look first.", "tool_calls": [call("read", "{}")]}
    assert native.parse(message, ids()).thought == "Look first."


@pytest.mark.parametrize(
    ("message", "came"),
    [
        ({}, "The output is empty"),
        ({"content": "<think>hm</think>", "tool_calls": []}, "The output is empty"),
        ({"tool_calls": ["read"]}, "A tool call without a name: 'read'"),
        ({"tool_calls": [call("", "{}")]}, "A tool call without a name"),
        ({"tool_calls": [call("read", '{"image":')]}, "The arguments of read cannot be read: Exp"),
        ({"tool_calls": [call("read", "[1]")]}, "read must be one JSON object, got '[1]'"),
        ({"tool_calls": [call("read", '"x"')]}, "read must be one JSON object"),
        ({"tool_calls": [call("read", '{"x":NaN}')]}, "NaN is not a JSON number"),
        ({"tool_calls": [call("read", "[" * 100_000)]}, "The arguments of read cannot be read"),
    ],
)
def test_what_cannot_be_read_says_what_came_and_what_was_wanted(message, came):
    with pytest.raises(PlannerError, match="Call tools with one JSON object") as error:
        native.parse(message, ids())
    assert came in str(error.value)
    assert len(str(error.value)) < 500
