"""Our parts against numbers that `goldens/compare.py` took from the references' own code."""

import runpy
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

HERE = Path(__file__).parent / "goldens"
CASES = runpy.run_path(str(HERE / "ours.py"))["CASES"]


@pytest.mark.parametrize("name", CASES)
def test_what_a_part_gives_is_what_its_reference_gave(name):
    wanted = load_file(HERE / f"{name}.safetensors")
    with torch.no_grad():
        got = CASES[name]()
    assert got.keys() == wanted.keys()
    for key, tensor in wanted.items():
        assert tensor.std() > 0.05  # nothing that any weights would give
        torch.testing.assert_close(got[key], tensor, atol=1e-5, rtol=1e-5)


def test_every_golden_says_where_its_numbers_come_from():
    assert {file.stem for file in HERE.glob("*.safetensors")} == set(CASES)
    for name in CASES:
        with safe_open(HERE / f"{name}.safetensors", "pt") as file:
            facts = file.metadata()
        for source in facts["source"].split("; "):
            assert len(source.split()[1]) == 40  # a whole commit
        assert facts["licence"]
