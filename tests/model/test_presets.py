"""The systems of the lineage as data: each builds, reads a picture and learns in its tiny form."""

import re
from pathlib import Path

import pytest
import torch

from llava_plus.model import LMM, PRESETS
from llava_plus.model.zoo import ALIASES, SYSTEMS

IMAGE, STATE = 5, 6
TABLE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")


def question(model):
    """A picture of one row, a state where the model reads such, and words around them."""
    size = (8, 20)
    holes = [IMAGE] * model.layout.count_tokens(size)
    states = [STATE] if model.states is not None else []
    ids = torch.tensor([[8, *holes, 9, *states, 10, 11]])
    views = model.layout.views(size)
    pixels = [torch.randn(views, 3, tower.size, tower.size) for tower in model.towers]
    given = {"pixel_values": pixels if len(pixels) > 1 else pixels[0]}
    if model.states is not None:
        given["state_values"] = torch.randn(1, model.states.dim)
    return ids, given | {"image_sizes": torch.tensor([size])}


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_reads_writes_is_kept_and_learns_in_its_tiny_form(name, tmp_path):
    torch.manual_seed(0)
    config = PRESETS[f"{name}-tiny"](100, image_token_id=IMAGE, state_token_id=STATE)
    model = LMM(config).eval()
    ids, given = question(model)
    with torch.no_grad():
        logits = model(ids, **given).logits
    assert logits.shape == (1, ids.shape[1], 100)
    assert logits.isfinite().all()
    options = {"max_new_tokens": 3, "min_new_tokens": 3, "do_sample": False, "pad_token_id": 0}
    options |= {"suppress_tokens": [IMAGE, STATE], "attention_mask": torch.ones_like(ids)}
    written = model.generate(ids, **given, **options)
    assert torch.equal(written, model.generate(ids, **given, **options, use_cache=False))
    model.save_pretrained(tmp_path)
    loaded, report = LMM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    with torch.no_grad():
        assert torch.equal(loaded.eval()(ids, **given).logits, logits)
    loaded.train()
    step = torch.optim.SGD(loaded.parameters(), lr=0.1)
    first = loaded(ids, **given, labels=ids).loss
    first.backward()
    learned = {
        name for name, one in loaded.named_parameters() if one.grad is not None and one.grad.any()
    }
    parts = {name.split(".")[0] for name in learned}
    if "cross_gate" in loaded.injected:  # whose gates are closed at first
        assert any("attention_gate" in one for one in learned)
    else:
        assert {"decoder", "connector", "towers"} <= parts
    step.step()
    assert loaded(ids, **given, labels=ids).loss < first


@pytest.mark.parametrize("alias", ALIASES)
def test_systems_of_one_size_have_a_short_name(alias):
    whole = PRESETS[ALIASES[alias]]()
    assert PRESETS[alias]().to_dict() == whole.to_dict()


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_table_says_how_many_parameters_the_real_size_has(name):
    with torch.device("meta"):
        model = LMM(PRESETS[name]())
    count = sum(weight.numel() for weight in model.parameters())
    row = re.search(rf"^\|[^|]*\| `{re.escape(name)}` \|.*$", TABLE, re.MULTILINE)
    assert row, f"docs/models.md has no row for {name}"
    said = row.group(0).split("|")[4].strip()
    assert said == f"{count / 1e9:.3f} B"


def test_tokens_of_one_picture_are_those_of_the_released_systems():
    wanted = {
        "llava-7b": 256,
        "llava-1.5-7b": 576,
        "blip2-opt-2.7b": 32,
        "minigpt-v2-7b": 256,
        "cogvlm-17b": 1227,
        "qwen-vl-7b": 256,
        "flamingo-9b": 1,
        "cambrian-8b": 600,
        "cambrian-8b-plain": 600,
        "visualglm-6b": 32,
        "palm-e": 256,
    }
    from llava_plus.model.build import layout_of

    for name, count in wanted.items():
        assert layout_of(PRESETS[name]()).count_tokens((500, 500)) == count
