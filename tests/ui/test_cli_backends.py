"""``--backend`` and ``llava-plus skills``: which models do skills, from the command line."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image as Pillow

TINY = Path(__file__).parents[1] / "skills" / "tiny.py"


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.delenv("LLAVA_PLUS_BACKENDS")
    monkeypatch.setenv("LLAVA_PLUS_SKILL_DEVICE", "cpu")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return SimpleNamespace(**runpy.run_path(str(TINY)))


def test_the_list_shows_what_each_backend_needs_with_the_command(llava, tiny):
    code, out, _ = llava("skills")
    lines = [line.strip() for line in out.splitlines() if line.startswith("    backend ")]
    assert code == 0
    expected = [
        "backend builtin: used",
        "backend grounding-dino: needs weights: 690 MB, IDEA-Research/grounding-dino-tiny is not "
        "on this machine. Run: llava-plus skills pull grounding-dino",
        "backend owlv2: needs weights: 620 MB, google/owlv2-base-patch16-ensemble is not "
        "on this machine. Run: llava-plus skills pull owlv2",
        "backend sam: needs weights: 375 MB, facebook/sam-vit-base is not on this machine. "
        "Run: llava-plus skills pull sam",
    ]
    assert [line for line in lines if line in expected].count(expected[0]) >= 2
    assert set(expected) <= set(lines)
    assert [line for line in llava("skills", "show", "segment")[1].splitlines() if "sam" in line]


def test_a_folder_of_weights_does_a_skill_and_is_named_in_the_result(llava, tiny, tmp_path):
    folder = tiny.sam(tmp_path / "weights")
    Pillow.new("RGB", (64, 48), "navy").save(tmp_path / "sea.png")
    choice = f"segment=sam:{folder}"
    run = ("run", "segment", "--image", "sea.png", "--point", "0.5,0.5")
    code, out, err = llava(*run, "--json", "--backend", choice)
    assert (code, err.count("Traceback")) == (0, 0), err
    assert json.loads(out)["observation"]["backend"] == "sam"
    assert "backend sam: used" in llava("skills", "--backend", choice)[1]


def test_a_skill_that_only_a_model_can_do_comes_last_and_is_told_with_its_command(
    llava, tiny, tmp_path
):
    listed = llava("skills")[1]
    always, _, rest = listed.partition("With a model, which is not here yet:\n")
    assert "caption(" not in always
    assert "caption(image: Image, *, prompt: str = '') -> Text\n" in rest
    assert "backend florence-2: needs weights: 930 MB," in rest
    code, out, _ = llava("skills", "show", "caption")
    assert (code, "Say in a sentence what a picture shows." in out) == (0, True)
    assert "Run: llava-plus skills pull blip2" in out
    out = llava("skills", "show", "segment_named")[1]  # which is made of two others
    assert "segment_named needs a model, and there is none here. grounding-dino needs" in out
    Pillow.new("RGB", (64, 48), "navy").save(tmp_path / "sea.png")
    code, out, err = llava("run", "caption", "--image", "sea.png")
    assert (code, out) == (1, "")
    assert err.startswith("caption needs a model, and there is none here. blip2 needs weights:")


def test_a_choice_that_cannot_be_met_ends_the_program_with_a_sentence(llava, tiny):
    code, out, err = llava("skills", "--backend", "detect=grounding-dino")
    assert (code, out) == (1, "")
    assert "detect=grounding-dino: grounding-dino needs weights: 690 MB" in err
    assert "Run: llava-plus skills pull grounding-dino" in err


def test_pulling_a_name_that_is_none_says_which_there_are(llava, tiny):
    code, out, err = llava("skills", "pull", "yola")
    assert (code, out) == (1, "")
    assert err.startswith("There is no backend 'yola'. There are: grounding-dino, owlv2, sam")
