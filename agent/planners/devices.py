"""Where a model runs, and in what precision."""

import logging

import torch

from llava_plus.errors import SetupError

log = logging.getLogger(__name__)


def choose_device(name: str = "auto") -> tuple[torch.device, torch.dtype]:
    """Pick a device and a dtype, and log which and why.

    Args:
        name: "cuda" (or "cuda:1"), "mps", "cpu", or "auto" for the best that there is.
    """
    kind = name.partition(":")[0]
    if kind not in ("auto", "cuda", "mps", "cpu"):
        raise SetupError(f"No device {name!r}. Use auto, cuda, cuda:1, mps or cpu.")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if kind == "auto":
        device = next((one for one in there if there[one]), "cpu")
        why = "the best there is" if device != "cpu" else "no CUDA and no MPS found"
    elif there.get(kind, True):
        device, why = name, "asked for"
    else:
        raise SetupError(f"Device {name!r} was asked for, but PyTorch finds none. Use auto or cpu.")
    if device.startswith("cuda"):
        fits = torch.cuda.is_bf16_supported()
        dtype = torch.bfloat16 if fits else torch.float16
        reason = "the GPU supports it" if fits else "the GPU has no bfloat16"
    else:
        dtype, reason = torch.float32, f"exact, and fast enough on {device}"
    log.info("device %s: %s; dtype %s: %s", device, why, str(dtype).removeprefix("torch."), reason)
    return torch.device(device), dtype
