"""What LLaVA-Plus's web server sent to its workers, turn by turn, and what our loop would send."""

import base64
import io

import numpy as np
import pytest
from PIL import Image as Pillow

from llava_plus.agent import Agent
from llava_plus.agent.dialects import plus
from llava_plus.agent.dialects.served import model_request, tool_request
from llava_plus.errors import SetupError
from llava_plus.messages import Message, TextPart
from llava_plus.skills import Boxes, Call, Image, SkillRegistry, skill, with_original_names

SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the human's questions."
)
QUESTION = "Is there a frisbee in the image, and if so, could you please provide its location?"
CALLED = (
    '"thoughts🤔" The task requires identifying the presence of a frisbee in the image and '
    "providing its location.\n"
    '"actions🚀" [{"API_name": "grounding_dino", "API_params": {"caption": "the frisbee ."}}]\n'
    '"value👉" I will use grounding_dino to help to answer the question. Please wait for a moment.'
)
RESULT = (
    "grounding_dino model outputs: {'boxes': [[0.76, 0.64, 0.82, 0.66]], 'logits': [0.49], "
    "'phrases': ['the frisbee']}\n\n"
    f"Please summarize the model outputs and answer my first question: {QUESTION}"
)
ANSWERED = (
    '"thoughts🤔" Thanks to the output of grounding_dino. I can answer the question better.\n'
    '"actions🚀" []\n'
    '"value👉" Yes, there is a frisbee in the image, at [0.76, 0.64, 0.82, 0.66].'
)
CHATTED = '"thoughts🤔" No tool is needed.\n"actions🚀" []\n"value👉" A flying disc.'
# The three texts that its model was given, for both of its templates.
V1 = [
    f"{SYSTEM} USER: <image>\n{QUESTION} ASSISTANT:",
    f"{SYSTEM} USER: <image>\n{QUESTION} ASSISTANT: {CALLED}</s>USER: {RESULT} ASSISTANT:",
    f"{SYSTEM} USER: <image>\n{QUESTION} ASSISTANT: {CALLED}</s>USER: {RESULT} ASSISTANT: "
    f"{ANSWERED}</s>USER: What is a frisbee? ASSISTANT:",
]
V0 = [
    f"{SYSTEM}###Human: <image>\n{QUESTION}###Assistant:",
    f"{SYSTEM}###Human: <image>\n{QUESTION}###Assistant: {CALLED}###Human: {RESULT}###Assistant:",
    f"{SYSTEM}###Human: <image>\n{QUESTION}###Assistant: {CALLED}###Human: {RESULT}###Assistant: "
    f"{ANSWERED}###Human: What is a frisbee?###Assistant:",
]


@skill
def detect(image: Image, label: str) -> Boxes:
    """Find what GroundingDINO found in the paper."""
    box = (0.7612, 0.6399, 0.8201, 0.6649)
    return Boxes((box,), labels=("frisbee",), scores=(0.4912,))


class Model:
    """Stands for the original's model: notes what it is asked, says what it said."""

    def __init__(self, name, *said):
        self.name, self.said = name, list(said)
        self.requests = []

    async def plan(self, view):
        self.requests.append(model_request(plus.render(view), model=self.name))
        text = self.said.pop(0)
        yield text
        yield plus.parse(text, view.call_ids(), view=view)


def decoded(text):
    return np.asarray(Pillow.open(io.BytesIO(base64.b64decode(text))))


@pytest.mark.parametrize(
    ("name", "prompts", "stop"),
    [("llava_plus_v0_7b", V0, "###"), ("llava_plus_v1.3_7b", V1, "</s>")],
)
def test_two_turns_with_one_tool(picture, name, prompts, stop):
    model = Model(name, CALLED, ANSWERED, CHATTED)
    session = Agent(model, with_original_names(SkillRegistry([detect]))).session()
    session.run_sync(QUESTION, [picture])
    trace = session.run_sync("What is a frisbee?")
    assert [turn.answer for turn in trace.turns] == [
        "Yes, there is a frisbee in the image, at [0.76, 0.64, 0.82, 0.66].",
        "A flying disc.",
    ]
    assert [request["prompt"] for request in model.requests] == prompts
    for request in model.requests:
        (sent,) = request.pop("images")
        assert np.array_equal(decoded(sent), picture)
        del request["prompt"]
    settings = {"model": name, "temperature": 0.2, "max_new_tokens": 512, "stop": stop}
    after_a_result = settings
    assert model.requests == [settings | {"top_p": 0.7}, after_a_result, settings | {"top_p": 0.7}]
    (call,) = trace.turns[0].steps[0].actions
    body = tool_request(call, trace.artifacts["img_1"].value)
    assert np.array_equal(decoded(body.pop("image")), picture)
    assert body == {"caption": "the frisbee .", "box_threshold": 0.3, "text_threshold": 0.25}


@pytest.mark.parametrize(
    ("size", "for_model", "for_tools"),
    [
        ((1200, 900), (533, 400), (800, 600)),
        ((900, 1200), (400, 533), (600, 800)),
        ((2000, 500), (800, 200), (800, 200)),
        ((300, 200), (300, 200), (300, 200)),
        ((700, 500), (560, 400), (700, 500)),
        ((1, 1), (1, 1), (1, 1)),
    ],
)
def test_pictures_travel_at_the_originals_sizes(size, for_model, for_tools):
    width, height = size
    big = np.zeros((height, width, 3), np.uint8)
    model = Model("llava_plus_v0_7b", CHATTED)
    Agent(model, SkillRegistry([detect])).session().run_sync("Hello.", [big])
    (sent,) = model.requests[0]["images"]
    assert decoded(sent).shape[1::-1] == for_model
    call = Call(id="c", skill="openseed", args={"image": "img_1"})
    body = tool_request(call, Image(big))
    assert decoded(body["image"]).shape[1::-1] == for_tools
    assert body["mode"] == "openseed"


def test_a_chat_without_a_picture_sends_none():
    model = Model("llava_plus_v1.3_7b", CHATTED)
    Agent(model, SkillRegistry([detect])).session().run_sync("Hello.")
    assert model.requests[0]["images"] == []
    assert model.requests[0]["prompt"] == f"{SYSTEM} USER: Hello. ASSISTANT:"
    call = Call(id="c", skill="sd", args={"prompt": "a cat"})
    assert tool_request(call, None)["image"] is None


def test_what_the_original_could_not_hold_is_refused(picture):
    model = Model("llava_plus_v0_7b", CHATTED, CHATTED)
    chat = Agent(model, SkillRegistry([detect])).session()
    chat.run_sync("Hello.", [picture])
    trace = chat.run_sync("And this?", [picture])
    assert (
        "Message 3 (user, 1 pictures) fits no conversation of LLaVA-Plus" in trace.turns[1].answer
    )
    answer = Message(role="assistant", parts=(TextPart(text="Hello."),))
    with pytest.raises(SetupError, match="Message 1"):
        model_request([answer], model="llava_plus_v0_7b")
