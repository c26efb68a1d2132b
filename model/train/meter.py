"""How fast training is: tokens without padding per second, and the share of the device's peak."""

import time
from dataclasses import dataclass

import torch
from torch import nn

from .parts import parts_of, weights_in

# Dense bfloat16 (tensor core) operations per second, by the beginning of a device's name, as its
# vendor states them.
PEAKS = {
    "NVIDIA H200": 989e12,
    "NVIDIA H100": 989e12,
    "NVIDIA A100": 312e12,
    "NVIDIA L40S": 362e12,
    "NVIDIA GeForce RTX 4090": 165e12,
    "NVIDIA A10": 125e12,
}
_SIDE = 1024  # of the matrices that measure a device of another name


def device_peak(device: torch.device) -> tuple[float, str]:
    """Operations per second of a device, and how that is known."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        for begin, peak in PEAKS.items():
            if name.startswith(begin):
                return peak, f"{peak / 1e12:.0f} TFLOP/s stated for {begin}"
    return _measured(device)


def _measured(device: torch.device) -> tuple[float, str]:
    left = torch.ones(_SIDE, _SIDE, device=device)
    best = float("inf")
    for _ in range(4):
        began = time.perf_counter()
        float((left @ left)[0, 0])  # waits for the device
        best = min(best, time.perf_counter() - began)
    peak = 2 * _SIDE**3 / best
    return peak, f"{peak / 1e9:.0f} GFLOP/s measured on float32 matrices of {_SIDE}"


@dataclass(frozen=True, kw_only=True)
class Work:
    """Floating-point operations of forward and backward, what is computed again left out.

    Two per weight and token forward; as many backward for what flows on, where something that
    learns lies before it, and as many for each weight that learns. Attention adds
    ``12 * layers * width`` per token and token of context.

    Args:
        per_token: Of the decoder, per token, attention left out.
        per_view: Of towers and connector, per view.
        attention: Of the decoder's attention, per token and token of its row.
    """

    per_token: float
    per_view: float
    attention: float

    @classmethod
    def of(cls, model: nn.Module, view_features: int) -> "Work":
        """The work of a model as it stands, frozen parts and all.

        Args:
            model: An `LMM`.
            view_features: Features that a tower makes of a view.
        """
        counts = {"decoder": [0, 0], "sight": [0, 0], "words": [0, 0]}
        for name, parameter in model.named_parameters():
            part = parts_of(name)
            kind = "words" if part[0] == "embeddings" else (
                "sight" if part[-1] in ("towers", "connector", "newline", "states") else "decoder"
            )  # fmt: skip
            counts[kind][0] += weights_in(parameter)
            counts[kind][1] += weights_in(parameter) * parameter.requires_grad
        decoder, learns = counts["decoder"]
        before = counts["sight"][1] or counts["words"][1] or learns
        text = model.config.get_text_config(decoder=True)  # type: ignore[union-attr,operator]
        attention = 4.0 * text.num_hidden_layers * text.hidden_size
        return cls(
            per_token=2.0 * (decoder + (decoder if before else 0) + learns),
            per_view=(2.0 * counts["sight"][0] + 4.0 * counts["sight"][1]) * view_features,
            attention=attention * (3 if before else 1) / 2,  # half: each reads what is before it
        )

    def total(self, tokens: float, views: float, context: float) -> float:
        """Operations of some tokens with this many tokens in a conversation on average."""
        return tokens * (self.per_token + self.attention * context) + views * self.per_view


class Meter:
    """Counts what a process reads, between two lines of the log."""

    def __init__(self) -> None:
        self.tokens = self.views = self.rows = self.padded = 0
        self.began = time.perf_counter()

    def add(self, tokens: int, views: int, conversations: int, padded: int) -> None:
        """Count a batch: tokens without padding, and positions with it."""
        self.tokens += tokens
        self.views += views
        self.rows += conversations
        self.padded += padded

    def read(self) -> dict[str, float]:
        """What was counted, with seconds; begin anew."""
        now = time.perf_counter()
        counted = {
            "tokens": float(self.tokens),
            "views": float(self.views),
            "rows": float(self.rows),
            "padded": float(self.padded),
            "seconds": now - self.began,
        }
        self.tokens = self.views = self.rows = self.padded = 0
        self.began = now
        return counted


def memory_gb(device: torch.device) -> float:
    """The most memory that was in use so far: of the device, or of this process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
