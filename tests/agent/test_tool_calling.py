"""A local model in its chat template's own tool calling."""

import asyncio
import json
import threading

import numpy as np
import pytest
import torch
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer

from llava_plus.agent import Agent, Decision, PlannerError, PlanView
from llava_plus.agent.dialects import StreamReader, native
from llava_plus.agent.planners.local import LocalPlanner
from llava_plus.agent.planners.speech import Speech
from llava_plus.agent.planners.template import read_syntax
from llava_plus.agent.planners.tool_grammar import tool_grammar
from llava_plus.agent.trace import Step, Turn
from llava_plus.errors import SetupError
from llava_plus.evals.random_models import TEMPLATE, random_qwen
from llava_plus.model import LMM, LMMProcessor, tiny_config, train_tokenizer
from llava_plus.skills import Artifacts, Boxes, Image, Observation
from llava_plus.skills.arguments import resolve

TOOLS = "{% for tool in tools or [] %}{{ tool.function.name }} {% endfor %}"
MESSAGES = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content if m.content is string else '' }}"
    "{% if m.tool_calls %}CALLS{% endif %}</s>{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
LIST = (
    "[TOOLS] [{% for call in m.tool_calls %}{{ ', ' if not loop.first else '' }}"
    '{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}'
    "{% endfor %}]"
)
BARE = (
    '{% for call in m.tool_calls %}{"name":"{{ call.function.name }}","parameters":'
    "{{ call.function.arguments | tojson(separators=(',', ':')) }}}{% endfor %}"
)
XML = "{% for call in m.tool_calls %}<function={{ call.function.name }}/>{% endfor %}"


def template(calls, tools=TOOLS):
    return tools + MESSAGES.replace("CALLS", calls)


@pytest.fixture(scope="module")
def hermes():
    """A tiny Qwen2-VL whose template knows tools."""
    texts = ["find the faces"] * 9
    model, processor = random_qwen(texts=texts)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return model, processor


@pytest.fixture
def syntax(hermes):
    return read_syntax(hermes[1])


@pytest.fixture
def with_template(hermes):
    """Give the processor another template for a while."""
    _, processor = hermes
    before = processor.chat_template

    def change(text):
        processor.chat_template = text
        return processor

    yield change
    processor.chat_template = before


@pytest.fixture
def view_of(skills, picture):
    def build(*steps, artifacts=None):
        if artifacts is None:
            artifacts = Artifacts()
            artifacts.add(Image.from_array(picture))
            artifacts.add(Boxes(((0, 0, 1, 1),)))
        turn = Turn(message="Blur the faces", images=("img_1",), steps=steps)
        return PlanView(turns=(turn,), artifacts=artifacts, skills=skills, cancel=threading.Event())

    return build


def plan(planner, view):
    async def collect():
        return [item async for item in planner.plan(view)]

    return asyncio.run(collect())


def test_the_syntax_of_calls_is_read_off_the_template(syntax):
    assert (syntax.before, syntax.after) == ("<tool_call>\n", "\n</tool_call>")
    assert syntax.between == "\n</tool_call>\n<tool_call>\n"
    assert (syntax.head, syntax.middle) == ('{"name": ', ', "arguments": ')
    assert (syntax.comma, syntax.colon, syntax.marker) == (", ", ": ", "<tool_call>")
    assert not syntax.thinking


@pytest.mark.parametrize(
    ("calls", "expected"),
    [(LIST, ("[TOOLS] [", ", ", "]", ", ")), (BARE, ("", "", "", ","))],
)
def test_other_templates_with_json_calls_are_understood_too(with_template, calls, expected):
    found = read_syntax(with_template(template(calls)))
    assert (found.before, found.between, found.after, found.comma) == expected


def test_a_prompt_that_opens_reasoning_is_noticed(with_template):
    opened = TEMPLATE.replace("<|im_start|>assistant\n", "<|im_start|>assistant\n<think>\n")
    assert read_syntax(with_template(opened)).thinking


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (template(LIST, tools=""), r"does not know tools\. Use dialect=\"json\""),
        (template(XML), r"cannot be read here \(wanted JSON .* Use dialect=\"json\""),
        ("{{ raise_exception('only users') }}", "cannot write a chat with tools: only users"),
        ("{{ messages | nothing }}", "cannot write a chat with tools"),
        (None, "cannot write a chat with tools"),
    ],
)
def test_a_template_without_tools_is_said_when_the_planner_is_made(
    hermes, with_template, text, message
):
    with_template(text)
    with pytest.raises(SetupError, match=message):
        LocalPlanner(*hermes, dialect="native")


def test_a_model_of_ours_has_no_template_for_tools():
    tokenizer = train_tokenizer(["find the faces"] * 9)
    model = LMM(tiny_config(len(tokenizer), image_token_id=0))
    with pytest.raises(SetupError, match="no template for tools"):
        LocalPlanner(model, LMMProcessor(tokenizer), dialect="native")


def call(name, **arguments):
    return f'<tool_call>\n{{"name": "{name}", "arguments": {json.dumps(arguments)}}}\n</tool_call>'


DETECT = call("detect", image="img_1", label='a "red" hat')
TEXTS = [
    ("Two faces, {boxes_1}.\n", True),
    ("Is 3 < 4? <b>", True),
    ("<think>\nhm\n</think>\n\nYes", True),
    (DETECT, True),
    (f"Look first.\n{DETECT}", True),
    (f"{DETECT}\n{call('blur', image='img_1', region='boxes_1', strength=0.25)}", True),
    (call("blur", image="img_1", region=[0.0, 0.1, 0.5, 1.0]), True),
    ("\n".join([DETECT] * 5), False),
    (" \n ", False),
    ("<tool_call>", False),
    (f"{DETECT} ", False),
    (DETECT.replace('": ', '":'), False),
    (call("detect", image="img_2", label="hat"), False),
    (call("detect", image="img_1"), False),
    (call("paint", image="img_1"), False),
    (call("blur", image="img_1", strength="much"), False),
]


def test_calls_behind_a_marker_of_plain_letters(skills, with_template):
    listed = read_syntax(with_template(template(LIST)))
    tokenizer = train_tokenizer(["faces"] * 9)
    tokens = from_tokenizer(tokenizer)
    one = '{"name": "read", "arguments": {"image": "img_1"}}'
    for text, fits in [
        (f"[TOOLS] [{one}]", True),
        (f"Look. [TOOLS] [{one}, {one}]", True),
        ("[TOO many]", True),
        ("[TOOLS] [", False),
        (f"[TOOLS] [{one}", False),
    ]:
        matcher = LLMatcher(tokens, tool_grammar(skills, {"image": ["img_1"]}, listed, {}))
        written = tokenizer.encode(text)
        taken = matcher.try_consume_tokens(written) == len(written) and matcher.is_accepting()
        assert taken == fits, text


@pytest.mark.parametrize("special", [False, True])
def test_only_what_can_be_carried_out_can_be_written(skills, syntax, special):
    marks = ("<tool_call>", "</tool_call>")
    specials = ("<|im_end|>", *(marks if special else ()))
    boilerplate = () if special else marks
    tokenizer = train_tokenizer(
        ["faces"] * 9, specials=specials, boilerplate=boilerplate, end_token="<|im_end|>"
    )
    tokens = from_tokenizer(tokenizer)
    added = tokenizer.added_tokens_decoder.items()
    known = {token.content: id for id, token in added if tokens.is_special_token(id)}
    handles = {"image": ["img_1"], "boxes": ["boxes_1"]}
    grammar = tool_grammar(skills, handles, syntax, known)
    for text, fits in TEXTS:
        matcher = LLMatcher(tokens, grammar)
        assert not matcher.get_error()
        written = tokenizer.encode(text)
        taken = matcher.try_consume_tokens(written) == len(written) and matcher.is_accepting()
        assert taken == fits, text


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("text", "thought", "answer", "decision"),
    [
        ("Two <b>.", "", "Two <b>.", Decision(answer="Two <b>.")),
        (
            "<think>\nHm.\n</think>\n\nTwo.",
            "Hm.",
            "Two.",
            Decision(thought="Hm.", answer="Two."),
        ),
        (f"Look.\n{DETECT}\n{DETECT}", "", "Look.", None),
        (f"<think>Hm</think>{DETECT}", "Hm", "", None),
    ],
)
def test_an_output_is_handed_on_while_it_comes(syntax, size, text, thought, answer, decision):
    pieces, reader, heard = [], StreamReader(), {"thought": "", "answer": ""}
    speech = Speech(syntax, pieces.append)
    for start in range(0, len(text), size):
        speech.feed(text[start : start + size])
    message = speech.end()
    for piece in pieces:
        for field, more in reader.feed(piece):
            heard[field] += more
    assert heard == {"thought": thought, "answer": answer}
    raw = json.loads("".join(pieces))
    parsed = native.parse(message, iter(["call_1", "call_2"]))
    if decision:
        assert parsed == decision
    else:
        assert [one["skill"] for one in raw["actions"]] == [one.skill for one in parsed.calls]
        assert parsed.calls[0].args == {"image": "img_1", "label": 'a "red" hat'}
        assert parsed.thought == (answer or thought)


@pytest.mark.parametrize("text", ["<tool_call>", "<tool_call>\n{'name'", "Hm <tool_call> [1] {"])
def test_calls_that_cannot_be_read_say_what_was_wanted(syntax, text):
    pieces = []
    speech = Speech(syntax, pieces.append)
    speech.feed(text)
    with pytest.raises(PlannerError, match=r'cannot be read.*wanted \{"name": "…", "arguments"'):
        speech.end()
    assert "tool_call" in "".join(pieces)  # a person can look at what came


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_weights_every_step_can_be_carried_out(hermes, view_of, seed):
    planner = LocalPlanner(
        *hermes, dialect="native", temperature=1.0, seed=seed, max_tokens=4000, name="tiny"
    )
    first = view_of()
    view, steps = first, []
    for _ in range(3):
        before = planner.stats.prefilled
        *pieces, decision = plan(planner, view)
        assert json.loads("".join(pieces))
        assert bool(decision.calls) != bool(decision.answer)
        for one in decision.calls:
            if not any(isinstance(value, list) for value in one.args.values()):
                resolve(view.skills.find(one.skill), one.args, view.artifacts)
        if not decision.calls:
            break
        failed = tuple(
            Observation(call_id=one.id, skill=one.skill, ok=False, text="no", error="skill")
            for one in decision.calls
        )
        steps.append(Step(thought=decision.thought, actions=decision.calls, observations=failed))
        view = view_of(*steps, artifacts=first.artifacts)
    assert planner.stats.images == 1
    if steps:
        assert planner.stats.reused >= 1000  # the tools, which are most of the prompt
        assert planner.stats.prefilled - before < 1500


def test_an_agent_runs_on_it(hermes, skills, picture):
    planner = LocalPlanner(*hermes, dialect="native", temperature=1.0, max_tokens=4000)
    trace = Agent(planner, skills).session().run_sync("Blur the faces", images=[picture])
    assert trace.turns[0].reason in ("answered", "steps", "error", "time")


def test_pictures_and_results_reach_the_template(hermes, view_of):
    """The prompt of a session, as the template writes it."""
    _, processor = hermes
    view = view_of()
    chat = native.render(view)
    assert (chat[1]["content"][0]["image"] == view.artifacts["img_1"].value.rgb()).all()
    assert isinstance(chat[1]["content"][0]["image"], np.ndarray)
    text = processor.apply_chat_template(chat, tools=view.skills.openai_tools(), tokenize=False)
    assert '"name": "detect"' in text
    assert "<|vision_start|><|image_pad|><|vision_end|>img_1 Blur the faces" in text
