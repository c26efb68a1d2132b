"""Torchvision beside a PyTorch that its compiled part was not built for.

The package index has torchvision for CUDA only. Beside a CPU build of PyTorch its compiled part
cannot be loaded, then ``import torchvision`` fails, and with it nearly every class of transformers,
which takes torchvision for usable where it is installed. `install` makes that import work, whoever
does it and whenever; where torchvision is absent or whole, nothing changes.

Works then: the transforms, the models, ``ops.nms`` and what is built on it. Not covered: the other
operators, which say that they are missing, and torchvision's own decoders.
"""

import importlib.machinery
import sys
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

_NAME = "torchvision"


def install() -> None:
    """Make importing torchvision work from here on, in this process."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Gives torchvision's package a loader of its own, and leaves all else to others."""

    def find_spec(
        self, name: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != _NAME:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    """Loads torchvision, with what its compiled part lacks put in its place."""

    def exec_module(self, module: ModuleType) -> None:
        if _compiled_part_loads(Path(self.path).parent):
            super().exec_module(module)
            return
        _declare()
        super().exec_module(module)
        sys.modules[f"{_NAME}.extension"].__dict__["_has_ops"] = lambda: True


def _compiled_part_loads(folder: Path) -> bool:
    import torch

    ops: Any = torch.ops
    files = [*folder.glob("_C*.so"), *folder.glob("_C*.pyd")]
    try:
        for file in files:
            ops.load_library(str(file))
    except OSError:
        return False
    return bool(files)


@cache  # a second declaration would be an error, and a library that is let go takes it along
def _declare() -> Any:
    """Declare the two operators without which torchvision's import fails, and do the first."""
    import torch

    made: Any = torch.library.Library
    library = made(_NAME, "FRAGMENT")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", _nms, "CPU")
    return library


def _nms(dets: Any, scores: Any, iou_threshold: float) -> Any:
    """Return which boxes stay, surest first: greedy non-maximum suppression.

    Args:
        dets: (n, 4) of left, top, right, bottom.
        scores: (n,)
        iou_threshold: Overlap above which the less sure box goes.
    """
    import torch

    left = scores.argsort(descending=True, stable=True)
    boxes = dets.float()
    sizes = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    chosen = []
    while len(left):
        best, rest = left[0], left[1:]
        chosen.append(best)
        low = torch.maximum(boxes[best, :2], boxes[rest, :2])
        high = torch.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = (high - low).clamp(min=0).prod(dim=1)
        left = rest[shared <= iou_threshold * (sizes[best] + sizes[rest] - shared)]
    return torch.stack(chosen) if chosen else left
