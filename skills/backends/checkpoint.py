"""From a folder with weights to a model of transformers, whole or not at all."""

from pathlib import Path
from typing import Any

from llava_plus.errors import SetupError
from llava_plus.skills.classes import DEVICE

from .precision import kept_precision
from .weights import model_type

AGAIN = "Pull or copy them again, or name other weights."


def load_checkpoint(
    folder: Path,
    device: str,
    model_class: Any,
    processor_class: Any,
    *,
    half: bool = False,
    unused: tuple[str, ...] = (),
) -> Any:
    """Return the model, ready to run, and its processor.

    Only safetensors are read, nothing is fetched, and code beside them is never run. A weight that
    is missing is an error; surplus ones are not, since older checkpoints hold some that were never
    used.

    Args:
        folder: What the weights' repository on the hub holds.
        device: "cuda", "mps" or "cpu".
        model_class: A class of transformers.
        processor_class: The one that belongs to it.
        half: Whether its weights are kept in 16 bits on a GPU; elsewhere, and if not, in float32.
        unused: How the names of weights begin that may be missing, since nothing here uses them.

    Raises:
        SetupError: What is in the folder cannot be read, or lacks weights.
    """
    import torch
    from safetensors import SafetensorError

    here = {"local_files_only": True, "trust_remote_code": False}
    damage = (OSError, ValueError, KeyError, AttributeError, RuntimeError, ImportError)
    try:
        model, report = model_class.from_pretrained(
            folder,
            dtype=getattr(torch, kept_precision(device)) if half else torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            **here,
        )
        processor = processor_class.from_pretrained(folder, **here)
    except (*damage, SafetensorError) as error:
        if is_out_of_memory(error):
            raise
        if "Unrecognized configuration class" in str(error):
            told = f"{folder} holds a model of type {model_type(folder)!r}, which cannot do this."
            raise SetupError(f"{told} Name other weights.") from error
        raise SetupError(
            f"The weights in {folder} cannot be loaded: {_first_line(error)} {AGAIN}"
        ) from error
    missing = sorted(str(key) for key in report["missing_keys"] if not str(key).startswith(unused))
    if missing:
        shown = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        raise SetupError(f"The weights in {folder} lack {len(missing)} parts: {shown}. {AGAIN}")
    return placed(model, device), processor


def placed(model: Any, device: str) -> Any:
    """Return a model on a device, ready to run.

    Raises:
        SetupError: There is no such device, or it cannot run models.
    """
    try:
        return model.to(device).eval()
    except (RuntimeError, AssertionError) as error:  # PyTorch raises either
        if is_out_of_memory(error):
            raise
        raise SetupError(
            f"The model cannot run on {device!r}: {_first_line(error)}. Start with {DEVICE}=cpu."
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of the device is used up."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)


def _first_line(error: BaseException) -> str:
    """Return the first line of an error that says something."""
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)[:300]
