"""``llava-plus skills index`` and ``--pictures``: a folder of pictures, from the command line."""

import json
import runpy
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from llava_plus.agent import data_home

TINY = Path(__file__).parents[1] / "skills" / "tiny_saying.py"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    tiny = runpy.run_path(str(TINY))
    return cache(lambda: tiny["clip"](tmp_path_factory.mktemp("clip")))()


@pytest.fixture
def chosen(clip, monkeypatch):
    monkeypatch.setenv("LLAVA_PLUS_BACKENDS", f"search_images=clip:{clip}")
    monkeypatch.setenv("LLAVA_PLUS_SKILL_DEVICE", "cpu")


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos").mkdir()
    draw = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        pixels = draw.integers(0, 255, (20, 30, 3), np.uint8)
        Pillow.fromarray(pixels).save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "cut.jpg").write_bytes(b"\xff\xd8 cut")
    return tmp_path / "photos"


def test_a_folder_is_indexed_searched_and_forgotten(llava, chosen, photos):
    code, out, err = llava("skills", "index", str(photos))
    assert (code, err.count("Traceback")) == (0, 0), err
    assert f"{photos}: 3 new, 0 changed, 0 gone, 0 as before; 1 could not be read" in out
    assert "cut.jpg: Cannot read the picture" in err
    assert "0 new, 0 changed, 0 gone, 3 as before" in llava("skills", "index", str(photos))[1]
    search = ("run", "search_images", "text=a dog", "--json", "--pictures", str(photos))
    code, out, err = llava(*search)
    assert code == 0, err
    rows = json.loads(out)["value"]["rows"]
    assert sorted(row[1] for row in rows) == ["a.png", "b.png"]
    kept = [path for path in (data_home() / "albums").rglob("*") if path.is_file()]
    assert {path.suffix for path in kept} <= {".sqlite", ".safetensors", ".txt", ""}
    assert "the index is deleted" in llava("skills", "index", str(photos), "--forget")[1]
    assert not list((data_home() / "albums").iterdir())


def test_a_search_before_indexing_and_without_a_folder_says_what_to_do(
    llava, chosen, photos, monkeypatch
):
    monkeypatch.setenv("LLAVA_PLUS_PICTURES", str(photos))
    code, _, err = llava("run", "search_images", "text=a dog")
    assert code == 3
    assert f"llava-plus skills index {photos}" in err.replace("\n", " ")
    monkeypatch.delenv("LLAVA_PLUS_PICTURES")
    code, _, err = llava("run", "search_images", "text=a dog")
    assert "search_images" in err
    assert code in (1, 3)


def test_a_folder_that_is_not_there_and_a_missing_model_are_sentences(llava, photos, monkeypatch):
    code, _, err = llava("skills", "index", str(photos / "gone"))
    assert (code, "There is no folder" in err) == (1, True)
    code, _, err = llava("chat", "-m", "hello", "--pictures", str(photos / "gone"))
    assert (code, "There is no folder" in err) == (1, True)
    code, _, err = llava("skills", "index", str(photos))
    assert code == 1
    assert "llava-plus skills pull siglip" in err.replace("\n", " ")
