"""The systems of the lineage as data: each builds, reads a picture and learns in its tiny form."""

import re
from pathlib import Path

import pytest
import torch

from llava_plus.model import LMM, PRESETS
from llava_plus.model.zoo import SYSTEMS

IMAGE = 5
TABLE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_reads_a_picture_in_its_tiny_form(name):
    torch.manual_seed(0)
    model = LMM(PRESETS[f"{name}-tiny"](100, image_token_id=IMAGE)).eval()
    size = (8, 20)
    ids = torch.tensor([[8, *[IMAGE] * model.layout.count_tokens(size), 9, 10]])
    views = model.layout.views(size)
    pixels = [torch.randn(views, 3, tower.size, tower.size) for tower in model.towers]
    given = pixels if len(pixels) > 1 else pixels[0]
    with torch.no_grad():
        output = model(ids, pixel_values=given, image_sizes=torch.tensor([size]))
    assert output.logits.shape == (1, ids.shape[1], 100)
    assert output.logits.isfinite().all()


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
    }
    from llava_plus.model.build import layout_of

    for name, count in wanted.items():
        assert layout_of(PRESETS[name]()).count_tokens((500, 500)) == count
