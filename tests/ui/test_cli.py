import json
import subprocess
import sys
from pathlib import Path

import pytest

from llava_plus.errors import SetupError
from llava_plus.ui.cli import main

EXAMPLES = Path(__file__).parents[2] / "ui" / "examples"
BLUR = ("detect(img_1, 'face')", "blur(img_1, region=boxes_1)", "I blurred {boxes_1} in {img_2}.")


def test_version(llava):
    assert llava("--version") == (0, "llava-plus 0.1.0\n", "")


def test_skills_are_listed_with_their_signatures(llava):
    code, out, _ = llava("skills")
    assert code == 0
    assert "crop(image: Image, region: Region, *, margin: float = 0.0) -> Image" in out


def test_one_skill_is_shown_in_full(llava):
    code, out, _ = llava("skills", "show", "blur")
    assert code == 0
    assert "strength: float = 0.5" in out


def test_an_unknown_skill_is_one_sentence(llava):
    code, out, err = llava("skills", "show", "blurr")
    assert (code, out) == (1, "")
    assert "Did you mean 'blur'?" in err


def test_a_file_of_ones_own_skills_joins_in(llava, tmp_path, small):
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from llava_plus.skills import Image, Number, skill\n\n"
        "@skill\ndef area(image: Image) -> Number:\n"
        '    """Count the pixels."""\n    return Number(image.width * image.height, "pixels")\n'
    )
    assert "area(image: Image) -> Number" in llava("skills", "--skills", mine)[1]
    assert llava("run", "area", "--image", small, "--skills", mine) == (0, "600 pixels\n", "")


def test_what_a_slow_skill_returned_is_not_computed_again_by_the_next_run(
    llava, tmp_path, small, monkeypatch
):
    monkeypatch.setenv("LLAVA_PLUS_CACHE_MB", "10")
    mine = tmp_path / "mine.py"
    mine.write_text(
        "import time\nfrom llava_plus.skills import Image, Number, skill\n\n"
        '@skill\ndef now(image: Image) -> Number:\n    """Tell the time."""\n'
        "    time.sleep(0.3)\n    return Number(time.time())\n"
    )
    runs = [llava("run", "now", "--image", small, "--skills", mine, "--json") for _ in range(2)]
    seen = [json.loads(out)["observation"] for _, out, _ in runs]
    assert [each["cached"] for each in seen] == [False, True]
    assert seen[0]["text"] == seen[1]["text"]


def test_run_saves_the_picture_where_it_says(llava, small, tmp_path):
    code, out, _ = llava("run", "rotate", "--image", small, "degrees=90", "-o", "turned.png")
    assert (code, out) == (0, "20x30\nsaved turned.png\n")
    assert (tmp_path / "turned.png").is_file()


def test_run_without_a_name_never_overwrites(llava, small, tmp_path):
    for _ in range(2):
        assert llava("run", "rotate", "--image", small, "flip=vertical")[0] == 0
    assert (tmp_path / "small-rotate.png").is_file()
    assert (tmp_path / "small-rotate-2.png").is_file()


def test_run_takes_a_region(llava, small):
    code, out, _ = llava("run", "crop", "--image", small, "--region", "0,0,0.5,0.5", "--json")
    result = json.loads(out)
    assert code == 0
    assert (result["value"]["width"], result["value"]["height"]) == (15, 10)
    assert result["saved"] == "small-crop.png"


def test_what_was_found_is_drawn_into_the_file(llava, tmp_path):
    code, out, _ = llava(
        "run", "detect", "face", "--image", EXAMPLES / "astronaut.jpg", "-o", "faces.png"
    )
    assert (code, out) == (0, "1 face\nsaved faces.png\n")
    assert (tmp_path / "faces.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("run", "nonsense"), 1, "No skill 'nonsense'"),
        (("run", "ocr", "--image", "none.png"), 1, "no such file"),
        (("run", "ocr"), 1, "needs a picture"),
        (("run", "crop", "--region", "1,2"), 1, "wanted 4 numbers"),
        (("run", "blur", "--image", "small.png", "-o", "no/where.png"), 1, "There is no folder"),
        (("run", "detect", "label=red car", "--image", "small.png"), 3, "'red car'"),
        (("run", "blur", "strength=9", "--image", "small.png"), 3, "strength"),
        (("skills", "--skills", "none.py"), 1, "no such Python file"),
        (("run",), 2, "Missing argument"),
        (("dance",), 2, "No such command"),
        (("eval", "dance"), 1, "No task 'dance'."),
        (("ui", "--port", 99999), 2, "Invalid value for '--port'"),
        (("ui", "--host", "192.0.2.1"), 1, "Cannot listen on 192.0.2.1, ports from 7860 on"),
    ],
)
def test_mistakes_are_a_sentence_and_a_code(llava, small, arguments, code, words):
    got, out, err = llava(*arguments)
    assert (got, out) == (code, "")
    assert words in " ".join(err.split())
    assert "Traceback" not in err


def test_chat_shows_steps_and_saves_pictures(llava, tmp_path):
    picture = EXAMPLES / "astronaut.jpg"
    code, out, _ = llava("chat", picture, "-m", "Blur the face.", "--out", "made", script=BLUR)
    assert code == 0
    assert 'detect(image=img_1, label="face")' in out
    assert "I blurred 1 face in img_2." in out
    assert "saved made/img_2.png" in out
    assert {path.name for path in (tmp_path / "made").iterdir()} == {"img_2.png", "boxes_1.png"}


@pytest.mark.parametrize(
    ("out", "why"), [("small.png", "a file has this name"), ("small.png/x", "Not a directory")]
)
def test_where_pictures_cannot_be_saved_the_chat_ends_with_a_sentence(llava, small, out, why):
    code, _, err = llava("chat", small, "-m", "/blur", "--out", out)
    said = f"Pictures cannot be saved in {out}: {why}. Name another folder with --out."
    assert (code, err.strip()) == (1, said)


def test_a_picture_that_cannot_be_read_is_told_before_a_planner_is_loaded(llava, capsys):
    with pytest.raises(SystemExit, match="1"):
        main(["chat", "none.png"], load=None)  # type: ignore[arg-type]
    assert "there is no such file" in capsys.readouterr().err


def test_chat_goes_on_with_the_next_message(llava, small):
    code, out, _ = llava("chat", small, "-m", "Hi.", "-m", "Bye.", script=("Hello.", "See you."))
    assert code == 0
    assert out.index("Hello.") < out.index("> Bye.") < out.index("See you.")


def test_chat_takes_a_box(llava, small):
    script = ("crop(img_1, boxes_1)", "Done.")
    code, out, _ = llava(
        "chat", small, "-m", "cut this out", "--box", "0,0,0.5,0.5", "--json", script=script
    )
    turn = json.loads(out)["turns"][0]
    assert code == 0
    assert turn["pointers"] == ["boxes_1"]


def test_json_is_the_trace_and_nothing_else(llava, small):
    code, out, err = llava("chat", small, "-m", "Hi.", "--json", script=("Hello.",))
    assert code == 0
    assert json.loads(out)["turns"][0]["answer"] == "Hello."
    assert "Hello." in err


def test_a_request_that_is_not_answered_says_why(llava, small):
    code, _, err = llava("chat", small, "-m", "Hi.", script=(SetupError("No memory left."),))
    assert code == 3
    assert "not answered (error)" in err


def test_calls_by_hand_work_in_a_chat(llava, small):
    code, out, _ = llava("chat", small, "-m", "/rotate degrees=90")
    assert code == 0
    assert "img_2: 20x30" in out


def test_without_messages_it_asks(llava, small):
    typed = ["Hi.", "/nonsense", "/help", "/add none.png", "/quit"]
    code, out, _ = llava("chat", small, script=("Hello.",), typed=typed)
    assert code == 0
    for words in ("Hello.", "No skill 'nonsense'", "crop(image", "no such file"):
        assert words in out


def test_nothing_printed_can_steer_the_terminal(llava, small):
    _, out, _ = llava("chat", small, "-m", "Hi.", script=("\x1b[2J[red]Hello[/red]\x07",))
    assert "[2J[red]Hello[/red]" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("arguments", [["skills"], ["--version"]])
def test_light_commands_stay_light(arguments):
    code = (
        "import sys\nfrom llava_plus.ui.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'gradio', 'langgraph', 'transformers'}\n"
        "print(*(heavy & set(sys.modules)), file=sys.stderr)"
    )
    env = {"PYTHONPATH": str(Path(__file__).parents[2] / "src"), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert (done.returncode, done.stderr) == (0, "\n")


def llava_plus_item(api, params, result):
    called = [{"API_name": api, "API_params": params}]
    texts = [
        ("human", "<image>\nLook."),
        ("gpt", "Wait."),
        ("human", f"{api} output: {result}\n\nq"),
    ]
    messages = [{"from": who, "value": text} for who, text in texts]
    messages[1] |= {"thoughts": "t", "actions": called}
    return {"conversations": [*messages, {"from": "gpt", "value": "Done."}]}


def test_conversations_of_llava_plus_are_replayed(llava, small, tmp_path):
    nothing = "{'boxes': [], 'logits': [], 'phrases': []}"
    items = [
        llava_plus_item("grounding_dino", {"caption": "code ."}, nothing),
        llava_plus_item("blip2", {}, "{'caption': 'a wall'}"),
    ]
    Path("data.json").write_text(json.dumps(items))
    code, out, _ = llava("replay", "data.json", "--image", small, "-o", "new.json")
    assert (code, out.splitlines()[0]) == (0, "turn 1, grounding_dino: the same")
    assert json.loads(Path("new.json").read_text()) == items[0]
    code, out, _ = llava("replay", "data.json", "--number", 2, "--image", small)
    assert code == 3
    assert "turn 1, blip2: failed" in out
    assert "nothing that is installed does it" in out
    assert "then: blip2 output: {'caption': 'a wall'}" in out
    code, out, _ = llava("replay", "data.json", "--image", small, "--json")
    assert json.loads(out)["turns"][0]["answer"] == "Done."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "conversation 1: The conversation begins with a picture."),
        (("--image", "none.jpg"), "there is no such file"),
        (("--number", "2"), "There is no conversation 2 in data.json: it has 1."),
        (("--image", "small.png", "-o", "no/new.json"), "There is no folder 'no' to save in"),
        (("--image", "small.png", "-o", "."), "Cannot write '.'"),
    ],
)
def test_a_replay_that_cannot_begin_is_one_sentence(arguments, said, llava, small):
    Path("data.json").write_text(json.dumps(llava_plus_item("blip2", {}, "{}")))
    code, _, err = llava("replay", "data.json", *arguments)
    assert code == 1
    assert said in err


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        ((), True),
        (("--no-keep",), False),
        (("--host", "0.0.0.0"), False),
        (("--host", "0.0.0.0", "--keep"), True),
    ],
)
def test_the_page_keeps_chats_where_only_this_machine_sees_them(
    llava, home, monkeypatch, flags, kept
):
    seen = {}

    class Page:
        address, folder = "http://127.0.0.1:7860", "folder"

        def wait(self):
            seen["waited"] = True

    def serve(make_agent, *, store, **_):
        seen.update(store=store, agent=make_agent())
        return Page()

    monkeypatch.setattr("llava_plus.ui.serve.serve", serve)
    monkeypatch.setenv("LLAVA_PLUS_CACHE_MB", "1")
    code, out, _ = llava("ui", "--no-browser", *flags)
    assert (code, seen["waited"], seen["store"] is not None) == (0, True, kept)
    assert ("kept in" in out, str(home) in out) == (kept, kept)
    assert (seen["agent"].results is not None) is kept
    session = seen["agent"].session("cats")
    session.attach([EXAMPLES / "coffee.jpg"])
    session.close()
    assert (home / "sessions" / "cats").is_dir() is kept


@pytest.mark.parametrize("flag", ["--keep-days", "--keep-mb"])
def test_nothing_cannot_be_kept_for_no_time_or_in_no_room(llava, flag):
    assert llava("ui", flag, "0")[0] == 2
