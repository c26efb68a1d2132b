"""Reading the ``.pt`` files of ultralytics without running anything that is in them.

Such a file is a pickle of a whole model: its classes, its tensors and the description from which it
was built. Read with PyTorch's reader for weights, every class that it names becomes a stand-in that
does nothing but hold what it is given. Kept are the tensors, the description and the names of what
the model finds; the model is then built anew from the description.
"""

import pickle
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llava_plus.errors import SetupError

from .pickled import damaged, read_weights, wants_to_run

DETECTOR = "DetectionModel"
SIDE = 640  # pixels that a model sees where its file does not say otherwise
_FAMILIES = ("ultralytics.", "torch.", "numpy.", "pathlib.")
_LAYERS = ("ultralytics.nn.modules.", "torch.nn.modules.")  # where the classes of layers are from
_LOCK = threading.Lock()  # what the reader accepts is set for the whole process


@dataclass(frozen=True, kw_only=True)
class YoloFile:
    """What is kept of a file.

    Args:
        design: From which the model is built, layers with their arguments; see `check_design`.
        tensors: Its weights by name.
        names: What it finds, by number.
        side: Pixels that it was trained to see, on the longer side.
    """

    design: dict[str, Any]
    tensors: dict[str, Any]
    names: dict[int, str]
    side: int


def check_yolo(file: Path) -> None:
    """Refuse a file that holds no detector of ultralytics.

    Raises:
        SetupError: See above.
    """
    read_yolo(file, only_shapes=True)


def read_yolo(file: Path, *, only_shapes: bool = False) -> YoloFile:
    """Read a detector's file.

    Raises:
        SetupError: It is damaged, names something that no such file needs, or holds no detector.
    """
    content = _read(file, only_shapes)
    model = (content.get("ema") or content.get("model")) if isinstance(content, Mapping) else None
    if not isinstance(model, _StandIn):
        raise SetupError(f"{file} holds no model of ultralytics. Name a file of a YOLO detector.")
    if model.name.rpartition(".")[2] != DETECTOR:
        raise SetupError(
            f"{file} holds a {model.name.rpartition('.')[2]} of ultralytics, and yolo takes a "
            f"{DETECTOR}, such as yolo11n.pt."
        )
    names, design = model.held.get("names"), model.held.get("yaml")
    options = content.get("train_args")
    side = options.get("imgsz") if isinstance(options, Mapping) else None
    if not isinstance(design, dict) or not isinstance(names, dict):
        raise damaged(file)
    try:
        return YoloFile(
            design=design,
            tensors=_tensors(model),
            names={int(number): str(name) for number, name in names.items()},
            side=side if isinstance(side, int) and 32 <= side <= 4096 else SIDE,
        )
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise damaged(file) from error


def check_design(file: Path, design: dict[str, Any]) -> None:
    """Refuse a model's description that names more than layers and an activation.

    Ultralytics takes the name of a layer for any name in its module, whole models with descriptions
    of their own among them, and the activation for Python code, which it runs.

    Raises:
        SetupError: It names something else.
    """
    from torch import nn
    from ultralytics.nn import tasks

    def is_layer(name: Any) -> bool:
        inside = str(name).removeprefix("nn.")
        found = getattr(nn if inside != name else tasks, inside, None)
        if not isinstance(found, type) or not issubclass(found, nn.Module):
            return False
        return (
            found.__module__.startswith(_LAYERS) and inside != "TorchVision"
        )  # it fetches weights

    try:
        layers = [layer[2] for part in ("backbone", "head") for layer in design[part]]
    except (KeyError, IndexError, TypeError) as error:
        raise damaged(file) from error
    odd = [layer for layer in layers if not is_layer(layer)]
    active = str(design.get("activation") or "nn.SiLU()")
    if not is_layer(active.removeprefix("torch.").removesuffix("()")) or "nn." not in active:
        odd.append(active)
    if odd:
        raise wants_to_run(file, str(odd[0]))


class _StandIn:
    """Stands where a file names a class: holds what it is given, and does nothing."""

    name = ""

    held: dict[str, Any]

    def __new__(cls, *args: Any) -> "_StandIn":
        made = super().__new__(cls)
        made.held = {}
        return made

    def __setstate__(self, state: Any) -> None:
        self.held = state if isinstance(state, dict) else {}


def _read(file: Path, only_shapes: bool) -> Any:
    from torch import serialization

    try:
        named = serialization.get_unsafe_globals_in_checkpoint(file)
    except (ValueError, RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
        raise damaged(file) from error
    for name in named:
        if not name.startswith(_FAMILIES):
            raise wants_to_run(file, name)
    stand_ins: list[Any] = [(type("StandIn", (_StandIn,), {"name": n}), n) for n in named]
    with _LOCK, serialization.safe_globals(stand_ins):
        return read_weights(file, only_shapes=only_shapes)


def _tensors(part: Any, start: str = "") -> dict[str, Any]:
    """Collect the parameters and buffers of a module and of those in it."""
    found: dict[str, Any] = {}
    for kind in ("_parameters", "_buffers"):
        for name, tensor in part.held.get(kind, {}).items():
            if tensor is not None:
                found[start + name] = tensor
    for name, inner in part.held.get("_modules", {}).items():
        if isinstance(inner, _StandIn):
            found |= _tensors(inner, f"{start}{name}.")
    return found
