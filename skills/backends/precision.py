"""With how many digits models calculate: fewer on a graphics card that is made for it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from llava_plus.errors import SetupError

VARIABLE = "LLAVA_PLUS_SKILL_PRECISION"  # names another than what fits the device
PRECISIONS = ("float32", "bfloat16", "float16")


def best_precision(device: str) -> str:
    """Return the precision for a device: bfloat16 where a CUDA device has it, else float32.

    Args:
        device: Such as "cuda", "mps" or "cpu".

    Raises:
        SetupError: The environment variable names none that there is.
    """
    if chosen := os.environ.get(VARIABLE):
        if chosen not in PRECISIONS:
            raise SetupError(f"{VARIABLE} is {chosen!r}; wanted {', '.join(PRECISIONS)}.")
        return chosen
    if device.startswith("cuda"):
        import torch

        if torch.cuda.is_available() and torch.cuda.get_device_capability(device) >= (8, 0):
            return "bfloat16"
    return "float32"


def kept_precision(device: str) -> str:
    """Return the precision in which large weights are kept on a device.

    On CUDA it is the one that is calculated with, since not every operation takes two kinds of 16
    bits; where nobody names one and the card has no bfloat16, float16 saves half the memory.

    Args:
        device: Such as "cuda", "mps" or "cpu".

    Raises:
        SetupError: The environment variable names none that there is.
    """
    if not device.startswith("cuda"):
        return "float32"
    precision = best_precision(device)
    return "float16" if precision == "float32" and not os.environ.get(VARIABLE) else precision


@contextmanager
def calculating(device: str) -> Iterator[None]:
    """Let models calculate with the precision for a device.

    The weights stay as they are; products and convolutions are rounded, sums and what follows the
    model are not (PyTorch's autocast).
    """
    precision = best_precision(device)
    if precision == "float32":
        yield
        return
    import torch

    with torch.autocast(device.partition(":")[0], dtype=getattr(torch, precision)):
        yield
