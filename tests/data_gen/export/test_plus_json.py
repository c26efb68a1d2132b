"""LLaVA-Plus's format: as its trainer reads it, and back again."""

import json

import numpy as np
import pytest
from PIL import Image as Pillow

from llava_plus.agent import Agent, ScriptedPlanner
from llava_plus.data_gen.export import (
    LeftOutError,
    PlusItems,
    export_folder,
    import_plus,
    plus_item,
    stream_items,
)
from llava_plus.data_gen.folders import TraceFolder
from llava_plus.errors import SetupError, SkillError

FILLER = "I will use {} to help to answer the question. Please wait for a moment."
FOUND = (
    "{'boxes': [[0.1, 0.1, 0.3, 0.4], [0.6, 0.25, 0.8, 0.46]], 'logits': [0.99, 0.5], "
    "'phrases': ['face', 'face']}"
)


@pytest.fixture
def seen(talk):
    """Make a trace of two turns that LLaVA-Plus could have had."""

    def make(**options):
        return talk(
            ("Where are the faces? 脸", "detect(img_1, 'face')", "I found {boxes_1}."),
            ("And what does it say?", "ocr(img_1)", "It says: {lines_1}"),
            ("Thanks!", "You are welcome."),
            **options,
        )

    return make


def test_an_item_is_what_the_original_trains_on(seen, few_skills):
    item = plus_item(seen(), few_skills)
    picture = item.pop("image")
    conversation = item.pop("conversations")
    assert item == {"unique_id": "one", "data_source": "llava-plus", "licence": "CC0-1.0"}
    assert picture == f"{seen().artifacts['img_1'].value.digest}.png"
    question = "Where are the faces? 脸"
    assert conversation[:4] == [
        {"from": "human", "value": f"<image>\n{question}"},
        {
            "from": "gpt",
            "thoughts": "",
            "actions": [{"API_name": "grounding_dino", "API_params": {"caption": "face ."}}],
            "value": FILLER.format("grounding_dino"),
        },
        {
            "from": "human",
            "value": f"grounding_dino output: {FOUND}\n\nAnswer my first question: {question}",
        },
        {"from": "gpt", "thoughts": "", "actions": [], "value": "I found 2 faces."},
    ]
    assert [message["from"] for message in conversation] == ["human", "gpt"] * 5
    assert conversation[-1]["value"] == "You are welcome."
    assert sum("<image>" in message.get("value", "") for message in conversation) == 1


def words(trace):
    """What a conversation says, without what only our traces know."""
    return [
        (turn.message, turn.answer, [[o.text for o in step.observations] for step in turn.steps])
        for turn in trace.turns
    ]


def test_there_and_back_is_the_same_conversation(seen, few_skills, folder_of, tmp_path):
    traces = [seen(), seen(id="two", shift=3), seen(id="three")]
    form = lambda output: PlusItems(output, few_skills)  # noqa: E731
    first, second = tmp_path / "first", tmp_path / "second"
    done = export_folder(TraceFolder(folder_of(*traces)), first, form)
    assert (done.read, done.written, done.left_out) == (3, 3, 0)
    assert len(list((first / "images").iterdir())) == 2  # each picture once
    read = import_plus(
        first / "llava_plus.json", tmp_path / "back", images=[first / "images"], skills=few_skills
    )
    assert (read.written, read.calls, read.same, read.failed) == (3, 6, 6, 0)
    again = list(TraceFolder(tmp_path / "back").read())
    assert [one.id for one in again] == ["one", "two", "three"]
    assert [words(one) for one in again] == [words(one) for one in traces]
    assert [one.licence for one in again] == ["CC0-1.0"] * 3
    export_folder(TraceFolder(tmp_path / "back"), second, form)
    name = "llava_plus.json"
    assert (second / name).read_bytes() == (first / name).read_bytes()
    assert len(json.loads((first / name).read_text())) == 3


def test_nothing_is_an_empty_list(faces, few_skills, folder_of, tmp_path):
    export_folder(
        TraceFolder(folder_of(faces())), tmp_path / "out", lambda o: PlusItems(o, few_skills)
    )
    assert json.loads((tmp_path / "out" / "llava_plus.json").read_text()) == []


def test_what_the_original_cannot_say_is_left_out(talk, few_skills, picture):
    with pytest.raises(SkillError, match="no API of LLaVA-Plus does this"):
        plus_item(talk(("blur", "blur(img_1)", "ok")), few_skills)
    own = plus_item(talk(("blur", "blur(img_1)", "ok")), few_skills, own_names=True)
    assert own["conversations"][1]["actions"] == [{"API_name": "blur", "API_params": {}}]
    both = talk(("both", "ocr(img_1) & detect(img_1, 'face')", "ok"))
    with pytest.raises(LeftOutError, match="calls ocr, detect at once"):
        plus_item(both, few_skills)
    with pytest.raises(LeftOutError, match="holds <image>"):
        plus_item(talk(("what is <image>?", "ok")), few_skills)
    session = Agent(ScriptedPlanner(["a", "b"]), few_skills).session()
    session.run_sync("one", [picture])
    with pytest.raises(LeftOutError, match="knows one picture"):
        plus_item(session.run_sync("two", [picture]), few_skills)
    session.call_sync("ocr", {"image": "img_1"})
    with pytest.raises(LeftOutError, match="knows one picture"):
        plus_item(session.trace, few_skills)


def conversation(**more):
    said = {"from": "gpt", "thoughts": "t", "actions": [], "value": "Hello."}
    return {"conversations": [{"from": "human", "value": "<image>\nhi"}, said], **more}


def test_the_released_form_is_read_with_its_own_names(few_skills, tmp_path):
    Pillow.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.jpg")
    secret = tmp_path.parent / "secret.jpg"
    Pillow.fromarray(np.zeros((4, 4, 3), np.uint8)).save(secret)
    items = [
        conversation(unique_id="x", file_name="a.jpg"),
        conversation(id=7, image="a.jpg"),
        conversation(unique_id="gone", image="b.jpg"),
        conversation(unique_id="out", image="../secret.jpg"),
        {"conversations": []},
        3,
    ]
    (tmp_path / "data.json").write_text(json.dumps(items))
    done = import_plus(
        tmp_path / "data.json", tmp_path / "out", images=[tmp_path], skills=few_skills
    )
    assert (done.read, done.written, done.refused) == (6, 2, 4)
    assert done.problems[0].where == "data.json, conversation 3"
    assert "Its picture 'b.jpg' is missing" in done.problems[0].why
    assert "'../secret.jpg' is missing" in done.problems[1].why
    assert [trace.id for trace in TraceFolder(tmp_path / "out").read()] == ["x", "7"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[]", []),
        (" [ 1 ,\n 2 ] ", [1, 2]),
        ('{"a": 1}\n{"b": 2}\n', [{"a": 1}, {"b": 2}]),
        ('{\n "a": 1\n}', [{"a": 1}]),
        ('[["USER", "a"], ["ASSISTANT", "b"]]', [[["USER", "a"], ["ASSISTANT", "b"]]]),
    ],
)
def test_lists_and_lines_are_read(text, found, tmp_path):
    (tmp_path / "x.json").write_text(text)
    assert list(stream_items(tmp_path / "x.json")) == found


@pytest.mark.parametrize("block", [1, 7, 100])
def test_a_list_is_read_in_pieces_of_any_size(block, tmp_path, monkeypatch):
    monkeypatch.setattr("llava_plus.data_gen.export.plus_import.BLOCK", block)
    items = [{"text": "é脸 \n" * number, "n": [number]} for number in range(20)]
    (tmp_path / "x.json").write_text(json.dumps(items, indent=1))
    assert list(stream_items(tmp_path / "x.json")) == items


@pytest.mark.parametrize(
    ("data", "whole", "said"),
    [
        (b"", 0, "it is empty"),
        (b"[1, 2", 2, "its list does not end"),
        (b'[{"a": 1}, {"b', 1, "damaged or cut short after 1 conversations"),
        (b"hello", 0, "damaged or cut short after 0"),
        (b"\xff\xfe", 0, "it is not text in UTF-8"),
        (b"[" * 100_000, 0, "nested too deeply"),
    ],
)
def test_what_came_before_the_damage_is_given_out(data, whole, said, tmp_path):
    (tmp_path / "x.json").write_bytes(data)
    items = stream_items(tmp_path / "x.json")
    for _ in range(whole):
        next(items)
    with pytest.raises(SetupError, match=said):
        next(items)
