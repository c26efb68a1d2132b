"""Chat messages, statistics, cards, plots and Parquet."""

import importlib.util
import json

import pytest

from llava_plus.data_gen.export import (
    ChatLines,
    LeftOutError,
    ParquetRows,
    Statistics,
    TraceLines,
    chat_line,
    check_parquet,
    dataset_card,
    export_folder,
    save_plots,
)
from llava_plus.data_gen.folders import TraceFolder
from llava_plus.errors import SetupError

STYLES = ("trl", "llama-factory", "ms-swift")
HAS_ARROW = importlib.util.find_spec("pyarrow") is not None


@pytest.fixture
def both(talk):
    """Make a trace with two calls at once, one of which makes a picture, and a second turn."""
    return talk(
        ("find and blur", "detect(img_1, 'face') & blur(img_1)", "I found {boxes_1}: {img_2}."),
        ("what does it say?", "ocr(img_2)", "It says: {lines_1}"),
    )


def marks(line):
    """Count the places of pictures in a line."""
    texts = [m["content"] for m in line["messages"]]
    flat = [part for text in texts for part in ([text] if isinstance(text, str) else text)]
    return sum(
        part.count("<image>") if isinstance(part, str) else part["type"] == "image" for part in flat
    )


@pytest.mark.parametrize("style", STYLES)
def test_each_picture_has_its_place_and_its_file(style, both, few_skills, folder_of, tmp_path):
    again = both.model_copy(update={"id": "two"})
    done = export_folder(
        TraceFolder(folder_of(both, again)),
        tmp_path / "out",
        lambda output: ChatLines(output, few_skills, style=style),
    )
    assert done.written == 2
    text = (tmp_path / "out" / "chat-00000.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        assert marks(line) == len(line["images"]) == 2
        assert all((tmp_path / "out" / name).is_file() for name in line["images"])
    assert len(list((tmp_path / "out" / "images").iterdir())) == 2
    names = {tool["function"]["name"] for tool in json.loads(lines[0]["tools"])}
    assert {"detect", "blur", "ocr"} <= names


def test_trl_gets_tool_calls_with_arguments_as_objects(both, few_skills):
    line, pictures = chat_line(both, few_skills)
    roles = [message["role"] for message in line["messages"]]
    turn = ["user", "assistant", "tool", "tool", "user", "assistant"]
    assert roles == ["system", *turn, "user", "assistant", "tool", "assistant"]
    calls = line["messages"][2]["tool_calls"]
    assert calls[0]["function"] == {
        "name": "detect",
        "arguments": {"image": "img_1", "label": "face"},
    }
    told = line["messages"][3]
    assert (told["role"], told["tool_call_id"]) == ("tool", calls[0]["id"])
    assert told["content"][0]["text"].startswith("boxes_1 = detect: 2 ")
    assert line["messages"][1]["content"][0] == {"type": "image"}
    assert [picture.width for picture in pictures] == [16, 16]


def test_llama_factory_gets_turns_that_strictly_alternate(both, few_skills):
    line, _ = chat_line(both, few_skills, style="llama-factory")
    system, *rest = line["messages"]
    assert system["role"] == "system"
    assert {message["role"] for message in rest[::2]} == {"user", "observation"}
    assert {message["role"] for message in rest[1::2]} == {"assistant", "function_call"}
    calls = json.loads(rest[1]["content"])
    assert [call["name"] for call in calls] == ["detect", "blur"]
    assert "<image>img_2" in rest[2]["content"]


def test_llama_factory_gets_a_description_of_the_file(both, few_skills, folder_of, tmp_path):
    export_folder(
        TraceFolder(folder_of(both)),
        tmp_path / "out",
        lambda output: ChatLines(output, few_skills, style="llama-factory"),
    )
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    assert info["chat-00000"]["file_name"] == "chat-00000.jsonl"
    assert info["chat-00000"]["tags"]["function_tag"] == "function_call"


def test_ms_swift_gets_a_message_for_each_call_and_each_result(both, few_skills):
    line, _ = chat_line(both, few_skills, style="ms-swift")
    roles = [message["role"] for message in line["messages"]]
    calls = ["tool_call", "tool_call", "tool_response", "tool_response", "assistant"]
    assert roles == ["system", "user", *calls, "user", "tool_call", "tool_response", "assistant"]
    assert json.loads(line["messages"][2]["content"])["name"] == "detect"
    assert "<image>img_2" in line["messages"][5]["content"]


def test_words_that_look_like_a_picture_are_left_out(talk, few_skills):
    with pytest.raises(LeftOutError, match="hold <image>"):
        chat_line(talk(("what does <image> mean?", "A mark.")), few_skills)


def test_our_own_format_comes_back_the_same(both, faces, folder_of, tmp_path):
    traces = [both, faces(id="two")]
    export_folder(TraceFolder(folder_of(*traces)), tmp_path / "out", TraceLines)
    again = [trace.to_json() for trace in TraceFolder(tmp_path / "out").read()]
    assert again == [trace.to_json() for trace in traces]


@pytest.fixture
def counted(both, talk):
    statistics = Statistics()
    statistics.add(both)
    statistics.add(talk(("the cat, please?", "detect(img_1, 'cat')", "{error}"), licence=""))
    return statistics.to_json()


def test_statistics_count_skills_steps_and_lengths(counted):
    assert (counted["traces"], counted["turns in all"], counted["calls"]) == (2, 3, 4)
    assert counted["skills"] == {"detect": 2, "blur": 1, "ocr": 1}
    assert counted["first skills"] == {"detect": 2, "ocr": 1}
    assert counted["results"] == {"boxes": 1, "failed: skill": 1, "image": 1, "lines": 1}
    assert counted["failed calls"] == 1
    assert counted["words of requests"] == {"3-4": 3}
    assert counted["licences"] == {"CC0-1.0": 1, "not named": 1}


def test_the_card_says_what_is_in_it_and_how_it_was_made(counted):
    row = {"name": "schema", "seen": 3, "kept": 2, "dropped": 1, "raised": 0}
    card = dataset_card(counted, name="Faces", yields=[row], plots=["plots/skills.png"])
    assert card.startswith("---\nlicense: other\nsize_categories:\n- n<1K\n")
    assert "| schema | 3 | 2 | 1 | 0 | 66.7% |" in card
    assert "| detect | 2 |" in card
    assert "![plots/skills.png]" in card
    assert "were not verified" in dataset_card(counted, name="Faces")


def test_plots_are_pictures(counted, tmp_path):
    pytest.importorskip("matplotlib")
    saved = save_plots(counted, tmp_path / "plots")
    assert [path.name for path in saved] == [
        "skills.png",
        "steps.png",
        "words_of_requests.png",
        "words_of_answers.png",
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in saved)


@pytest.mark.skipif(HAS_ARROW, reason="pyarrow is installed")
def test_without_the_extra_parquet_says_how_to_get_it():
    with pytest.raises(SetupError, match=r"needs pyarrow.*pip install 'llava-plus\[data\]'"):
        check_parquet()


@pytest.mark.skipif(not HAS_ARROW, reason="needs pyarrow")
def test_parquet_holds_traces_and_their_pictures(both, faces, folder_of, tmp_path):
    import pyarrow.parquet

    traces = [both, *(faces(id=str(number)) for number in range(60))]
    export_folder(
        TraceFolder(folder_of(*traces)),
        tmp_path / "out",
        lambda output: ParquetRows(output, name="Faces"),
    )
    rows = pyarrow.parquet.read_table(tmp_path / "out" / "data").to_pylist()
    assert [row["id"] for row in rows] == [trace.id for trace in traces]
    assert rows[0]["trace"] == both.to_json()
    assert [picture["bytes"][:4] for picture in rows[0]["images"]] == [b"\x89PNG"] * 2
    noted = pyarrow.parquet.read_schema(tmp_path / "out" / "data" / "train-00000.parquet").metadata
    assert json.loads(noted[b"huggingface"])["info"]["features"]["images"]["_type"] == "Sequence"
    assert "# Faces" in (tmp_path / "out" / "README.md").read_text()
