"""A damaged checkpoint is one sentence that names the file, before anything is planned."""

import json
import shutil

import pytest
import torch

from llava_plus.agent import load_planner
from llava_plus.errors import SetupError
from llava_plus.model import LMM, LMMProcessor, tiny_config, train_tokenizer


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    tokenizer = train_tokenizer(["find the faces"] * 9, vocab_size=300)
    torch.manual_seed(0)
    LMM(tiny_config(len(tokenizer))).save_pretrained(folder)
    LMMProcessor(tokenizer).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("model.safetensors", lambda content: content[: len(content) // 2]),
        ("model.safetensors", lambda content: b""),
        ("model.safetensors", lambda content: b"<html>not found</html>" * 50),
        ("config.json", lambda content: content[:40]),
        ("processor.json", lambda content: b"[]"),
    ],
)
def test_a_damaged_file_is_named(whole, tmp_path, name, damage):
    folder = tmp_path / "planner"
    shutil.copytree(whole, folder)
    file = folder / name
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(SetupError, match=name):
        load_planner(str(folder), device="cpu")


def test_code_beside_the_weights_is_neither_run_nor_asked_about(whole, tmp_path, monkeypatch):
    folder = tmp_path / "planner"
    shutil.copytree(whole, folder)
    maps = {"AutoConfig": "theirs.Config", "AutoModelForImageTextToText": "theirs.Model"}
    (folder / "config.json").write_text(json.dumps({"model_type": "theirs", "auto_map": maps}))
    (folder / "theirs.py").write_text("raise SystemExit('it ran')")
    monkeypatch.setattr("builtins.input", lambda prompt: "y")  # who asks is told to go on
    with pytest.raises(SetupError, match="brings code of its own, which is never run"):
        load_planner(str(folder), device="cpu")


def test_the_whole_one_loads(whole):
    assert load_planner(str(whole), device="cpu").name == whole.name
