"""Weights as PyTorch saves them (``.pth``, ``.pt``), read so that nothing in the file can run.

Such a file is a pickle, which may name any function to call. PyTorch's reader for weights calls
none but those that put tensors together; whatever else a file wants is refused with its name.
"""

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llava_plus.errors import SetupError

from .checkpoint import is_out_of_memory

_WANTED = re.compile(r"GLOBAL (\S+)")
_BROKEN = (RuntimeError, OSError, EOFError, ValueError, KeyError, IndexError, TypeError)


def read_weights(file: Path, *, only_shapes: bool = False) -> Any:
    """Return what such a file holds, in the machine's memory.

    Args:
        file: The file.
        only_shapes: Leave the numbers out, which takes a moment and no memory.

    Raises:
        SetupError: It is damaged, cut off, of another kind, or wants to run something.
    """
    import torch
    from safetensors import SafetensorError

    if file.suffix == ".safetensors":
        raise SetupError(
            f"{file} holds safetensors, as models of transformers do; wanted is the one file of "
            "those who made the model. Name that, or this one's folder for another backend."
        )
    place = "meta" if only_shapes else "cpu"
    try:
        mapped = zipfile.is_zipfile(file)
        return torch.load(file, map_location=place, weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        if wanted := _WANTED.search(str(error)):
            raise wants_to_run(file, wanted[1]) from error
        raise damaged(file) from error
    except (*_BROKEN, AttributeError, SafetensorError) as error:
        if is_out_of_memory(error):
            raise
        raise damaged(file) from error


def tensors_of(file: Path, content: Any) -> dict[str, Any]:
    """Return the named tensors in what was read, also where they lie under "model".

    Raises:
        SetupError: There are none.
    """
    inner = content.get("model", content) if isinstance(content, Mapping) else {}
    found = inner.items() if isinstance(inner, Mapping) else ()
    tensors = {str(name): value for name, value in found if hasattr(value, "shape")}
    if not tensors:
        raise SetupError(f"{file} holds no named weights. Name another file.")
    return tensors


def wants_to_run(file: Path, what: str) -> SetupError:
    """Say that a file wants more than to be read."""
    return SetupError(
        f"{file} is more than weights: reading it would run {what!r}. It was not read. Delete it, "
        "and get the weights from those who made them."
    )


def damaged(file: Path) -> SetupError:
    """Say that a file cannot be read."""
    return SetupError(
        f"{file} is damaged, cut off or no file of PyTorch weights. Pull or copy it again."
    )
