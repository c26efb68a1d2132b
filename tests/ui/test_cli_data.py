"""``llava-plus data``: from chats to verified traces and to what trainers read."""

import importlib.util
import json

import pytest

SCRIPT = ("rotate(img_1, degrees=90)", "Done: {img_2}.")


@pytest.fixture
def traces(llava, home, small, tmp_path):
    """Two chats that were kept, exported as docs/data.md shows it."""
    for number, words in enumerate(("turn it left", "put it upright")):
        name = f"chat{number}"
        chat = ("chat", small, "-m", words, "--session", name)
        assert llava(*chat, script=SCRIPT)[0] == 0
        assert llava("sessions", "export", name, f"traces/{name}")[0] == 0
    return tmp_path / "traces"


def test_from_chats_to_verified_traces(llava, traces):
    code, out, err = llava("data", "verify", traces, "--out", "good", "--licence", "CC0-1.0")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert ["replay", "2", "2", "0", "0", "100.0%"] in lines
    assert "2 of 2 traces are kept in good" in out
    assert "2 steps were replayed" in out


def test_what_is_dropped_is_counted_and_readable(llava, traces):
    code, out, _ = llava("data", "verify", traces, "-o", "good", "--no-replay", "--json")
    report = json.loads(out)
    assert (code, report["kept"]) == (0, 0)
    rows = {row["name"]: row["dropped"] for row in report["yields"]}
    assert rows == {
        "schema": 0,
        "licence": 2,
        "refusal": 0,
        "ground truth": 0,
        "grounded": 0,
        "no leak": 0,
        "unique": 0,
    }
    dropped = (traces.parent / "good" / "dropped" / "traces-00000.jsonl").read_text()
    assert "does not say under which licence" in dropped


def test_a_chat_printed_as_json_finds_its_pictures_in_the_data_folder(llava, home, small, tmp_path):
    chat = ("chat", small, "-m", "turn it", "--json")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a.jsonl").write_text(llava(*chat, "--session", "a", script=SCRIPT)[1])
    code, out, _ = llava("data", "stats", "kept", "--json")
    assert (code, json.loads(out)["skills"]) == (0, {"rotate": 1})
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost" / "a.jsonl").write_text(llava(*chat, script=SCRIPT)[1])
    code, out, err = llava("data", "stats", "lost")
    # The picture that was given is the same as in the other chat, and so is the one made of it.
    assert code == 0
    (home / "pictures").rename(tmp_path / "elsewhere")
    code, _, err = llava("data", "stats", "lost")
    assert code == 3
    assert "a.jsonl:1: 2 of its 2 pictures are missing" in err
    assert llava("data", "stats", "lost", "--pictures", tmp_path / "elsewhere")[0] == 0


def test_statistics_are_shown_as_tables(llava, traces):
    odd = traces / "chat0" / "trace.json"
    odd.write_text(odd.read_text().replace('"planner":"scripted"', '"planner":"[/bold] x"'))
    (traces / "manifest.json").write_text('{"files": [], "yields": [{"name": "x"}, 3]}')
    code, out, _ = llava("data", "stats", traces)
    assert code == 0
    assert ["[/bold]", "x", "1"] in [line.split() for line in out.splitlines()]
    assert ["rotate", "2"] in [line.split() for line in out.splitlines()]


@pytest.mark.parametrize("form", ["traces", "llava-plus", "trl", "llama-factory", "ms-swift"])
def test_every_format_is_written(llava, traces, form):
    names = ["--own-names"] if form == "llava-plus" else []
    code, out, _ = llava("data", "export", traces, "-o", "out", "-f", form, *names)
    assert (code, out) == (0, "2 of 2 traces are in out\n")
    assert json.loads((traces.parent / "out" / "manifest.json").read_text())["written"] == 2


def test_what_a_format_cannot_say_is_told(llava, traces):
    code, out, err = llava("data", "export", traces, "-o", "out", "-f", "llava-plus")
    assert code == 0
    assert out.startswith("0 of 2 traces are in out\n2 cannot be written in this format")
    assert "rotate: no API of LLaVA-Plus does this" in err


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_parquet_without_the_extra_makes_no_folder(llava, traces):
    code, _, err = llava("data", "export", traces, "-o", "out", "-f", "parquet")
    assert (code, "pip install 'llava-plus[data]'" in err) == (1, True)
    assert not (traces.parent / "out").exists()


def test_llava_plus_data_comes_in(llava, small, tmp_path):
    said = {"from": "gpt", "thoughts": "t", "actions": [], "value": "Hello."}
    item = {
        "image": "small.png",
        "conversations": [{"from": "human", "value": "<image>\nhi"}, said],
    }
    (tmp_path / "data.json").write_text(json.dumps([item, {**item, "image": "gone.png"}]))
    code, out, err = llava("data", "import", "data.json", "-o", "out", "--images", tmp_path)
    assert code == 3
    assert "1 of 2 conversations are in out" in out
    assert "data.json, conversation 2: Its picture 'gone.png' is missing" in err


def test_what_an_evaluation_asks_is_left_out(llava, traces, tmp_path):
    (tmp_path / "eval.txt").write_text("Turn it left!\n")
    code, out, _ = llava("data", "decontaminate", traces, "-o", "out", "--against", "eval.txt")
    assert code == 0
    assert "1 of 2 traces are kept in out" in out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone", "There is no folder gone"),
        ("small.png", "is a file. Name the folder that it lies in"),
        ("empty", "There are no traces in empty"),
        ("half", "half is only half written"),
    ],
)
def test_folders_that_cannot_be_read_are_one_sentence(llava, small, tmp_path, name, said):
    for folder in ("empty", "half"):
        (tmp_path / folder).mkdir()
    (tmp_path / "half" / "unfinished").write_text("")
    for command in (("stats",), ("verify", "-o", "out"), ("export", "-o", "out")):
        code, _, err = llava("data", command[0], name, *command[1:])
        assert code == 1
        assert said in err
        assert not (tmp_path / "out").exists()


def test_lines_that_cannot_be_read_are_told_and_the_rest_is_done(llava, traces):
    path = traces / "chat0" / "trace.json"
    path.write_text(path.read_text()[:300])
    code, out, err = llava("data", "export", traces, "-o", "out")
    assert (code, out) == (3, "1 of 2 traces are in out\n")
    assert "1 could not be read, for instance:\n  chat0/trace.json:1: It is not JSON" in err


def test_ctrl_c_says_how_to_go_on(llava, traces, monkeypatch):
    def interrupt(self):
        yield next(read(self))
        raise KeyboardInterrupt

    from llava_plus.data_gen.folders import TraceFolder

    read = TraceFolder.read
    with monkeypatch.context() as patch:
        patch.setattr(TraceFolder, "read", interrupt)
        code, _, err = llava("data", "export", traces, "-o", "out")
    assert code == 130
    assert "the same command begins again" in err
    assert llava("data", "stats", "out")[0] == 1
    assert llava("data", "export", traces, "-o", "out")[0] == 0
