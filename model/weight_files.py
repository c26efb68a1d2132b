"""Weights in files: safetensors, or ``.bin`` read without running anything that they hold."""

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from llava_plus.errors import SetupError

_NAMES = ("model.safetensors", "pytorch_model.bin")


def read_folder(folder: Path) -> dict[str, Tensor]:
    """All weights of a folder: one file, or the several that its index names."""
    state: dict[str, Tensor] = {}
    for file in weight_files(folder):
        state.update(read_file(file))
    return state


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights."""
    for name in _NAMES:
        index = folder / f"{name}.index.json"
        if index.is_file():
            return [folder / Path(part).name for part in _parts(index)]
        if (folder / name).is_file():
            return [folder / name]
    raise SetupError(f"No {' or '.join(_NAMES)} in {folder}, whole or with its index.")


def read_file(file: Path, inside: Sequence[str] = ()) -> dict[str, Tensor]:
    """The weights of one file.

    Args:
        file: Safetensors, or what `torch.save` wrote.
        inside: Names under one of which a training run may have kept them, beside its own state.
    """
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise SetupError(f"{file} is missing. Download the checkpoint again, whole.") from error
    except (OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise _damaged(file, error) from error
    except (SafetensorError, pickle.UnpicklingError) as error:
        raise _damaged(file, error) from error
    if isinstance(state, dict):
        state = next((state[name] for name in inside if name in state), state)
    if not isinstance(state, dict) or not all(isinstance(one, Tensor) for one in state.values()):
        raise SetupError(f"{file} holds other things than weights by name: give a checkpoint's.")
    return state


def check_files(folder: Path) -> None:
    """Name a safetensors file of a folder that is damaged; only the headers are read."""
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, "pt"):
                pass
        except (SafetensorError, OSError) as error:
            raise _damaged(file, error) from error


def read_json(file: Path) -> dict[str, Any]:
    """The facts of a JSON file that belongs to a checkpoint."""
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SetupError(f"{file} is missing. Download the checkpoint again, whole.") from error
    except ValueError as error:
        raise SetupError(f"{file} is no JSON ({error}). Download it again.") from error
    if not isinstance(facts, dict):
        raise SetupError(f"{file} holds no object of facts. Download it again.")
    return facts


def _damaged(file: Path, error: Exception) -> SetupError:
    reason = (str(error).splitlines() or [""])[0][:120]
    return SetupError(
        f"{file} cannot be read as weights: it is damaged, cut short or of another kind"
        f" ({type(error).__name__}: {reason}). Download it again."
    )


def _parts(index: Path) -> list[str]:
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict):
        raise SetupError(f"{index} is no index of weights. Download it again.")
    return sorted(set(map(str, places.values())))
