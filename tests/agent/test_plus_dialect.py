"""LLaVA-Plus's format, byte for byte; the golden texts are its authors' own."""

from itertools import count
from threading import Event

import pytest

from llava_plus.agent import Decision, PlannerError, PlanView
from llava_plus.agent.dialects import plus
from llava_plus.agent.dialects.backwards import in_original_names, original_call
from llava_plus.errors import SkillError
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Call,
    Image,
    Masks,
    Number,
    Points,
    SkillRegistry,
    Table,
    Tags,
    Text,
    TextLines,
    skill,
    with_original_names,
)
from llava_plus.skills.pixels import StoredImage

FRISBEE = (
    '"thoughts🤔" The task requires identifying the presence of a frisbee in the image and '
    "providing its location.\n"
    '"actions🚀" [{"API_name": "grounding_dino", "API_params": {"caption": "the frisbee ."}}]\n'
    '"value👉" I will use grounding_dino to help to answer the question. '
    "Please wait for a moment.\n"
)
ANSWER = (
    '"thoughts🤔" Thanks to the output of grounding_dino. I can answer the question better.\n'
    '"actions🚀" []\n'
    '"value👉" Yes, there is a frisbee in the image.\n'
)
SQUARE = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.2), (0.1, 0.2))


def ids():
    return (f"call_{number}" for number in count(1))


@skill
def grounding_dino(caption: str, *, image: Image | None = None) -> Boxes:
    """Find what a caption names."""
    return Boxes(((0.7612, 0.6399, 0.8201, 0.6649),), labels=("the frisbee",), scores=(0.4912,))


@pytest.mark.parametrize("golden", [FRISBEE, ANSWER])
def test_what_is_read_is_written_back_byte_for_byte(golden):
    assert plus.write(plus.parse(golden, ids())) == golden


def test_a_call_of_the_original_is_understood():
    decision = plus.parse(FRISBEE, ids())
    assert decision.calls == (
        Call(id="call_1", skill="grounding_dino", args={"caption": "the frisbee ."}),
    )
    assert decision.answer is None


@pytest.mark.parametrize(
    ("wording", "observation"),
    [
        (
            "served",
            "grounding_dino model outputs: {'boxes': [[0.76, 0.64, 0.82, 0.66]], 'logits': [0.49], "
            "'phrases': ['the frisbee']}\n\nPlease summarize the model outputs and answer my "
            "first question: Is there a frisbee?",
        ),
        (
            "script",
            "grounding_dino output: {'boxes': [[0.76, 0.64, 0.82, 0.66]], 'logits': [0.49], "
            "'phrases': ['the frisbee']}\n\nAnswer my first question: Is there a frisbee?",
        ),
    ],
)
def test_a_conversation_of_the_original(session, picture, wording, observation):
    views = []

    def last(view):
        views.append(view)
        return plus.parse(ANSWER, ids())

    chat = session(plus.parse(FRISBEE, ids()), last)
    chat._skills.add(grounding_dino)
    chat.run_sync("Is there a frisbee?", [picture])
    messages = plus.render(views[0], wording=wording)
    assert [message.role for message in messages] == ["user", "assistant", "observation"]
    assert len(messages[0].images) == 1
    said = FRISBEE.strip() if wording == "served" else FRISBEE
    assert [m.text for m in messages] == ["\nIs there a frisbee?", said, observation]
    assert [m.supervised for m in messages] == [False, True, False]


IMAGE_SEEN = "{'message': 'The controlnet has processed the image.'}"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("controlnet", "picture", "{'message': 'The controlnet has processed the image.'}"),
        ("openseed", "picture", IMAGE_SEEN),
        ("sam", Masks(()), "{'boxes': []}"),
        (
            "grounded_sam",
            Masks(({"size": [2, 2], "counts": "04"},), labels=("the cat",), scores=(0.555,)),
            "{'boxes': [[0.0, 0.0, 1.0, 1.0]], 'logits': [0.56], 'phrases': ['the cat']}",
        ),
        ("grounding_dino", Boxes(()), "{'boxes': [], 'logits': [], 'phrases': []}"),
        (
            "ocr",
            TextLines(("HI",), (SQUARE,), scores=(0.876,)),
            "{'boxes': [[0.1, 0.1, 0.5, 0.2]], 'texts': ['HI'], 'scores': [0.88]}",
        ),
        ("easyocr", TextLines(("HI",), (SQUARE,)), "{'texts': ['HI']}"),
        ("semantic-sam", Points(((0.333, 0.5),)), "{'points': [[0.33, 0.5]]}"),
        ("openseed", Masks(({"size": [2, 2], "counts": "04"},)), IMAGE_SEEN),
        (
            "retrieval",
            Table(("caption", "similarity"), (("beach", 0.3219),)),
            "{'retrieval_results': [{'caption': 'beach', 'similarity': 0.32}]}",
        ),
        ("ram", Tags(("dog", "park")), "{'tags': 'dog, park'}"),
        ("blip2", Text("a dog's bowl"), "{'caption': \"a dog's bowl\"}"),
        ("count", Number(3), "{'number': 3}"),
        ("info", Table(("a",), ((1.239,),)), "{'columns': ['a'], 'rows': [[1.24]]}"),
        ("sam", None, "{'text': 'no box', 'error_code': 1}"),
    ],
)
def test_results_stand_in_the_text_as_the_original_wrote_them(name, value, shown, picture):
    value = Image.from_array(picture) if value == "picture" else value
    assert str(plus.output(name, value, "no box")) == shown


def test_a_picture_that_nobody_has_read_yet_stands_in_the_text_as_any_other(picture):
    image = Image.from_array(picture)
    stored = StoredImage(image.digest, (image.width, image.height), lambda: image.pixels)
    assert plus.output("inpainting", stored) == plus.output("inpainting", image)


@pytest.mark.parametrize(
    ("actions", "args"),
    [
        ('[{"API_name": "x", "API_params": {}}]', {}),
        ('[{"API_name": "x"}]', {}),
        ("[{'API_name': 'x', 'API_params': {'point': [0.5, 0.32]}}]", {"point": [0.5, 0.32]}),
        ("[{'API_name': 'x', 'API_params': {'c': \"dog's\"}}]", {"c": "dog's"}),
        ("[{'API_name': 'x', 'API_params': {'c': None, 'd': True}}]", {"c": None, "d": True}),
        ("[{'API_name': 'x', 'API_params': {'c': null, 'd': true}}]", {"c": None, "d": True}),
        ("[{'API_name': 'x', 'API_params': {'p': (1, 2)}}]", {"p": [1, 2]}),
        (
            '[{"API_name": "x", "API_params": {"prompt": {"caption": "sea"}}}]',
            {"prompt": {"caption": "sea"}},
        ),
    ],
)
def test_actions_are_read_as_json_or_as_the_original_did(actions, args):
    text = f'"thoughts🤔" t "actions🚀" {actions} "value👉" v'
    assert plus.parse(text, ids()).calls == (Call(id="call_1", skill="x", args=args),)


@pytest.mark.parametrize(
    ("actions", "came"),
    [
        ("[{", "cannot be read"),
        ("[{'API_name': 'x', 'API_params': {'c': 'dog's'}}]", "cannot be read"),
        ("__import__('os').system('true')", "cannot be read"),
        ("[{1, 2}]", "cannot be read"),
        ("[1e999]", "cannot be read"),
        ("{}", "it is not a list"),
        ("", "cannot be read"),
        ("[" * 9_000, "cannot be read"),
        ("[" + "1," * 20_000 + "1]", "have 40003 characters"),
        ('["x"]', "is not an action"),
        ('[{"API_name": 3}]', "is not an action"),
        ('[{"API_name": "x", "API_params": []}]', "is not an action"),
    ],
)
def test_actions_that_cannot_be_read_are_told_and_never_run(actions, came):
    with pytest.raises(PlannerError, match="Wanted") as error:
        plus.parse(f'"thoughts🤔" t "actions🚀" {actions} "value👉" v', ids())
    assert came in str(error.value)


@pytest.mark.parametrize(
    "text", ["", '"thoughts🤔" only', '"thoughts🤔" t "actions🚀" [] "value👉" \n']
)
def test_missing_parts_are_told(text):
    with pytest.raises(PlannerError, match="Wanted"):
        plus.parse(text, ids())


def test_text_without_markers_is_an_answer():
    assert plus.parse(" Hello. \n", ids()) == Decision(answer="Hello.")


def test_the_newest_picture_goes_without_saying(session, picture):
    first = 'x "thoughts🤔" t "actions🚀" [{"API_name": "blur", "API_params": {}}] "value👉" v'
    views = []

    def say(text):
        return lambda view: views.append(view) or plus.parse(text, view.call_ids(), view=view)

    chat = session(say(first), say(first), say('"thoughts🤔" t "actions🚀" [] "value👉" ok'))
    trace = chat.run_sync("twice", [picture])
    steps = trace.turns[0].steps
    assert [step.actions[0].args for step in steps[:2]] == [{"image": "img_1"}, {"image": "img_2"}]
    said = [m.text for m in plus.render(views[-1]) if m.role == "assistant"]
    assert all('{"API_name": "blur", "API_params": {}}' in text for text in said)


def test_pointers_and_other_turns(session, picture):
    views = []
    chat = session(
        *[lambda view: views.append(view) or '{"oops'] * 2, lambda v: views.append(v) or "ok"
    )
    chat.run_sync("go", [picture])
    chat.point("img_1", 0.5, 0.3249)
    chat.box("img_1", 0.123, 0, 1, 1)
    chat.run_sync("this?")
    messages = plus.render(views[-1])
    assert (
        messages[-1].text == "this?\nThe input point: [0.5, 0.32]\nInput box: [0.12, 0.0, 1.0, 1.0]"
    )
    assert [m.role for m in messages] == [
        "user",
        *["assistant", "observation"] * 2,
        "assistant",
        "user",
    ]
    assert not any(message.supervised for message in messages)


def test_sam_gives_boxes_back_as_they_came():
    value = Masks(({"size": [2, 2], "counts": "04"},))
    args = {"image": "img_1", "boxes": [[0.101, 0, 0.5, 1]]}
    assert str(plus.output("sam", value, args=args)) == "{'boxes': [[0.1, 0, 0.5, 1]]}"


def test_a_box_on_a_new_picture_stands_where_the_server_put_it(session, picture):
    views = []
    chat = session("detect(img_1, 'face')", lambda view: views.append(view) or "ok")
    chat.run_sync("What is this?", [picture], [Boxes(((0.123, 0, 0.5, 1),))])
    marked = "What is this?\n\nInput box: [0.12, 0.0, 0.5, 1.0]"
    served = plus.render(views[0])
    assert served[0].text == f"\n{marked}"
    assert served[2].text.endswith(f"answer my first question: {marked}")
    script = plus.render(views[0], wording="script")
    assert script[0].text == "\nWhat is this?\nInput box: [0.12, 0.0, 0.5, 1.0]"
    assert script[2].text.endswith("Answer my first question: What is this?")


def test_an_api_gets_the_newest_picture_and_outlines_whatever_the_model_names(skills, picture):
    artifacts = Artifacts()
    for value in (Image.from_array(picture), Masks(()), Image.from_array(picture[:5]), Masks(())):
        artifacts.add(value)
    view = PlanView(
        turns=(), artifacts=artifacts, skills=with_original_names(skills), cancel=Event()
    )
    said = '"thoughts🤔" t "actions🚀" [{"API_name": "%s", "API_params": %s}] "value👉" v'

    def args(name, params):
        return plus.parse(said % (name, params), ids(), view=view).calls[0].args

    newest = {"image": "img_2"}
    assert args("inpainting", '{"prompt": "sky"}') == {"mask": "masks_2", "prompt": "sky"} | newest
    assert (
        args("grounding_dino", '{"image": "dog.jpg", "caption": "d"}') == {"caption": "d"} | newest
    )
    assert args("blip2", '{"image": ["x"]}') == newest
    assert args("seem", "{}") == {"refimg": "img_1", "refmask": "masks_2"} | newest
    assert args("sam", '{"image": "img_1"}') == {"image": "img_1"}
    assert args("blur", '{"image": "dog.jpg"}') == {"image": "dog.jpg"}  # ours: told of its mistake
    call = Call(id="c", skill="inpainting", args=args("inpainting", '{"prompt": ""}'))
    text = plus.write(Decision(calls=(call,)), newest="img_2")
    assert '"API_params": {"prompt": ""}' in text


@pytest.mark.parametrize(
    ("skill", "args", "name", "params"),
    [
        ("detect", {"label": "face"}, "grounding_dino", {"caption": "face ."}),
        ("segment", {"prompt": "boxes_1"}, "sam", {"boxes": [[0.1, 0.2, 0.3, 0.4]]}),
        (
            "segment",
            {"prompt": "points_1"},
            "sam",
            {"points": [[[0.33, 0.5], [0.1, 0.1]]], "point_labels": [[1, 0]]},
        ),
        ("ocr", {"region": None}, "ocr", {}),
        ("erase", {"region": "masks_1"}, "inpainting", {"mask": "masks_1", "prompt": ""}),
        ("blip2", {"x": 1}, "blip2", {"x": 1}),
    ],
)
def test_our_calls_have_names_of_the_original(skill, args, name, params):
    call = Call(id="c", skill=skill, args={"image": "img_1", **args})
    kept = {"image": "img_1"}
    assert original_call(call, marked()) == Call(id="c", skill=name, args=kept | params)


@pytest.mark.parametrize(
    ("skill", "args"),
    [
        ("blur", {}),
        ("detect", {"label": "St. John"}),
        ("detect", {}),
        ("segment", {"prompt": "masks_1"}),
        ("ocr", {"region": "boxes_1"}),
        ("erase", {"region": "boxes_1"}),
    ],
)
def test_calls_without_a_counterpart_are_refused(skill, args):
    with pytest.raises(SkillError, match="no API of LLaVA-Plus does this"):
        original_call(Call(id="c", skill=skill, args=args), marked())


def test_a_session_of_ours_reads_as_one_of_the_original(session, picture):
    views = []
    chat = session("detect(img_1, 'face')", lambda view: views.append(view) or "Two.")
    chat.run_sync("How many faces?", [picture])
    said = plus.render(in_original_names(views[0]))
    assert '[{"API_name": "grounding_dino", "API_params": {"caption": "face ."}}]' in said[1].text
    assert said[2].text.startswith("grounding_dino model outputs: {'boxes': [[0.1, 0.1, 0.3, 0.4]")


def marked():
    artifacts = Artifacts()
    artifacts.add(Boxes(((0.1, 0.2, 0.3, 0.4),)))
    artifacts.add(Points(((0.333, 0.5), (0.1, 0.1)), (True, False)))
    artifacts.add(Masks(({"size": [2, 2], "counts": "04"},)))
    return artifacts


def test_aliases_are_the_registrys_business(picture):
    @skill(aliases=("easyocr",))
    def ocr(image: Image) -> Text:
        """Read."""
        return Text("x")

    registry = SkillRegistry([ocr])
    assert plus._takes_image("easyocr", registry)
