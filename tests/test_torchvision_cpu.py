"""A torchvision that its PyTorch cannot load is repaired, wherever it is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BROKEN = """
import torch

from . import extension


@torch.library.register_fake("torchvision::nms")
def _nms(dets, scores, threshold):
    return dets.new_empty(0)


def nms(*args):
    extension.assert_has_ops()
    return torch.ops.torchvision.nms(*args)
"""
EXTENSION = """
def _has_ops():
    return False


def assert_has_ops():
    if not _has_ops():
        raise RuntimeError("no compiled part")
"""


@pytest.fixture
def fresh(tmp_path):
    """Run a program in a fresh interpreter beside a torchvision whose compiled part is of no use.

    As in the real one, declaring what an operator puts out fails where it was not loaded.
    """
    folder = tmp_path / "torchvision"
    folder.mkdir()
    (folder / "__init__.py").write_text(BROKEN)
    (folder / "extension.py").write_text(EXTENSION)
    (folder / "_C.so").write_bytes(b"made for another PyTorch")

    def run(program):
        paths = os.pathsep.join([str(tmp_path), str(ROOT / "src")])
        env = {**os.environ, "PYTHONPATH": paths}
        command = [sys.executable, "-W", "error", "-c", program]
        return subprocess.run(command, capture_output=True, text=True, cwd="/", env=env)

    return run


def test_alone_such_a_torchvision_cannot_be_imported(fresh):
    assert "operator torchvision::nms does not exist" in fresh("import torchvision").stderr


def test_beside_the_program_it_can_and_its_suppression_is_right(fresh):
    done = fresh(
        "import llava_plus, torch, torchvision\n"
        "boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 5], [20, 0, 30, 9.0]])\n"
        "scores = torch.tensor([0.5, 0.9, 0.6, 0.7])\n"
        "for overlap in (0.0, 0.54, 0.56, 0.89, 0.9):\n"
        "    print(torchvision.nms(boxes, scores, overlap).tolist())\n"
        "print(torchvision.nms(boxes[:0], scores[:0], 0.5).tolist())"
    )
    assert done.stderr == ""
    assert done.stdout.split("\n")[:-1] == [
        "[1, 3]",
        "[1, 3]",
        "[1, 3, 2]",
        "[1, 3, 2]",
        "[1, 3, 2, 0]",
        "[]",
    ]


def test_nothing_heavy_is_imported_for_it_before_torchvision_is(fresh):
    done = fresh("import llava_plus, sys; print({'torch', 'torchvision'} & set(sys.modules))")
    assert (done.stdout, done.stderr) == ("set()\n", "")
