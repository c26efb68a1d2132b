"""``llava-plus train``: from a recipe to a model, and what it says when something is off."""

import json
import re
import runpy
import shlex
from pathlib import Path

import pytest

from llava_plus.model import LMM, TEMPLATES, LMMProcessor, train_tokenizer
from llava_plus.ui.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Data as `data export` writes it, and a processor."""
    from PIL import Image

    home = tmp_path_factory.mktemp("home")
    (home / "data" / "images").mkdir(parents=True)
    Image.new("RGB", (30, 20), (200, 10, 10)).save(home / "data" / "images" / "a.png")
    said = {"from": "gpt", "thoughts": "I look.", "actions": [], "value": "A red picture."}
    talk = [{"from": "human", "value": "<image>\nWhat is it?"}, said]
    items = [{"unique_id": f"t{n}", "image": "a.png", "conversations": talk} for n in range(6)]
    (home / "data" / "llava_plus.json").write_text(json.dumps(items))
    (home / "data" / "manifest.json").write_text("{}")
    talk = TEMPLATES["vicuna_v1"].render([])
    texts = ["What is it? A red picture. I look.", *(segment.text for segment in talk)]
    tokenizer = train_tokenizer(
        texts * 3, vocab_size=400, specials=TEMPLATES["vicuna_v1"].specials, end_token="</s>"
    )
    LMMProcessor(tokenizer, template="vicuna_v1").save_pretrained(home / "processor")
    return home


def train(home, out, *more, recipe="llava-plus"):
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "train",
                str(ROOT / "recipes" / f"{recipe}.yaml"),
                "--out",
                str(out),
                "--model",
                str(home / "processor"),
                "--data",
                str(home / "data"),
                "--set",
                "preset=llava-plus-7b-tiny",
                *more,
            ]
        )
    return ended.value.code


SMALL = [
    word
    for stage in (0, 1)
    for key in ("batch=2", "per_device=2", "max_steps=2", "longest=480")
    for word in ("--set", f"stages.{stage}.{key}")
]


def test_a_shipped_recipe_trains_a_tiny_model(home, tmp_path, capsys):
    assert train(home, tmp_path / "out", *SMALL) == 0
    said = capsys.readouterr().out
    assert "The model is in" in said
    assert said.split("The model is in ")[1].strip().endswith("tools/model")
    model = LMM.from_pretrained(tmp_path / "out" / "tools" / "model")
    assert model.config.connector["type"] == "mlp"
    assert LMMProcessor.from_pretrained(tmp_path / "out/tools/model").template.name == "vicuna_v1"


def test_what_the_documentation_says_to_try_runs_as_it_stands(tmp_path, capsys, monkeypatch):
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    program, commands = re.findall(r"^```(?:python|sh)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[
        :2
    ]
    monkeypatch.chdir(tmp_path)
    Path("try.py").write_text(program)
    Path("recipes").symlink_to(ROOT / "recipes")
    first, command = commands.replace("\\\n", " ").strip().splitlines()
    assert first == "python try.py"
    runpy.run_path("try.py")
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(command)[1:])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "The model is in try/run/instruct/model" in said
    begun = LMM.from_pretrained("try/run/align/model").state_dict()
    learned = LMM.from_pretrained("try/run/instruct/model").state_dict()
    moved = {name.split(".")[0] for name, one in learned.items() if not one.equal(begun[name])}
    assert moved == {"connector", "decoder"}


def test_a_check_trains_nothing(home, tmp_path, capsys):
    assert train(home, tmp_path / "out", *SMALL, "--check") == 0
    assert "Everything fits; nothing was trained." in capsys.readouterr().out
    assert not list((tmp_path / "out").rglob("model.safetensors"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--set", "stages.0.max_step=2"], "unknown key 'stages.0.max_step'; did you mean"),
        (["--data", "captoins=x.json"], "has no data set 'captoins'; it has captions"),
        (["--data", "captions=gone.json"], "captions: nothing lies at gone.json"),
        (["--model", "gone"], "no directory of an LMM of this package"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(home, tmp_path, capsys, more, words):
    assert train(home, tmp_path / "out", *SMALL, *more) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert words in said
    assert "Traceback" not in said


def test_nanos_recipe_is_for_its_own_trainer(home, tmp_path, capsys):
    assert train(home, tmp_path / "out", recipe="nano") == 1
    assert "run `make nano`" in capsys.readouterr().err
