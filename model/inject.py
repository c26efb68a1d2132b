"""Decoder layers that see pictures: made in place, by giving a layer a subclass of its own class.

A layer keeps its weights and their names and gains some; gradient checkpointing, caches and
`generate` work as before. What such a layer reads comes to it as the keyword ``sight``.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from .perceiver import GatedCrossAttention
from .sight import Sight
from .sva import SVALayer


class CrossGate:
    """Before a layer, words read their latest picture through gates, closed at first (Flamingo)."""

    cross_gate: GatedCrossAttention

    def forward(
        self,
        hidden_states: Tensor,
        *args: Any,
        sight: Sight | None = None,
        **kwargs: Any,
    ) -> Any:
        """The layer's own output, of words that have read."""
        if sight is not None and sight.media is not None and sight.latest is not None:
            hidden_states = self.cross_gate(hidden_states, sight.media, sight.latest)
        return super().forward(hidden_states, *args, sight=sight, **kwargs)  # type: ignore[misc]


class DeepSVA:
    """After a layer, a picture's tokens read their windows of the towers again (Cambrian-1)."""

    sampler: SVALayer

    def forward(
        self,
        hidden_states: Tensor,
        *args: Any,
        sight: Sight | None = None,
        **kwargs: Any,
    ) -> Any:
        """The layer's own output, with the picture's tokens in it replaced."""
        hidden: Tensor = super().forward(hidden_states, *args, sight=sight, **kwargs)  # type: ignore[misc]
        if sight is None or sight.windows is None or sight.places is None:
            return hidden
        queries = self.sampler(hidden[sight.places], sight.windows)
        return hidden.masked_scatter(sight.places.unsqueeze(-1), queries.to(hidden.dtype))


class VisualExpert:
    """A layer whose linear maps have a second set of weights for a picture's tokens (CogVLM)."""

    def forward(
        self,
        hidden_states: Tensor,
        *args: Any,
        sight: Sight | None = None,
        **kwargs: Any,
    ) -> Any:
        """The layer's own output, each token through its own weights."""
        mask = None if sight is None else sight.expert
        for routed in _routed(self):  # type: ignore[arg-type]
            routed.mask = mask
        return super().forward(hidden_states, *args, sight=sight, **kwargs)  # type: ignore[misc]


class RoutedLinear(nn.Linear):
    """A linear map with a second one, ``vision``, for the tokens of ``mask``."""

    vision: nn.Linear
    mask: Tensor | None = None  # (batch, position)
    names: ClassVar[tuple[str, ...]] = (
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    )  # fmt: skip

    def forward(self, states: Tensor) -> Tensor:
        if self.mask is None:
            return super().forward(states)
        words = functional.linear(states[~self.mask], self.weight, self.bias)
        seen = self.vision(states[self.mask])
        out = words.new_zeros(*states.shape[:-1], self.out_features)
        out = out.masked_scatter(~self.mask.unsqueeze(-1), words)
        return out.masked_scatter(self.mask.unsqueeze(-1), seen)

    def copy_words(self) -> None:
        """Begin with the weights that words have."""
        with torch.no_grad():
            self.vision.weight.copy_(self.weight)
            if self.bias is not None:
                self.vision.bias.copy_(self.bias)


def add_cross_gates(
    layers: Sequence[nn.Module],
    *,
    dim: int,
    media_dim: int,
    every: int = 1,
    heads: int = 8,
    head_dim: int = 64,
) -> None:
    """Put a gate before every ``every``-th layer, so that the last of each group has one."""
    for layer in layers[every - 1 :: every]:
        layer.cross_gate = GatedCrossAttention(
            dim=dim, media_dim=media_dim, heads=heads, head_dim=head_dim
        )
        _subclass(layer, CrossGate)


def add_visual_experts(layers: Sequence[nn.Module], *, dim: int, media_dim: int) -> None:
    """Give the linear maps of every layer's attention and MLP their second weights."""
    for layer in layers:
        found = [
            module
            for name, module in layer.named_modules()
            if name.rpartition(".")[2] in RoutedLinear.names
        ]
        if len(found) != len(RoutedLinear.names):
            raise ValueError(
                f"visual_expert needs layers with {', '.join(RoutedLinear.names)}, as llama has;"
                f" {type(layer).__name__} has {len(found)} of them."
            )
        for linear in found:
            assert isinstance(linear, nn.Linear)
            bias = linear.bias is not None
            linear.vision = nn.Linear(linear.in_features, linear.out_features, bias=bias)
            linear.__class__ = RoutedLinear
        _subclass(layer, VisualExpert)


def add_deep_sva(
    layers: Sequence[nn.Module],
    *,
    dim: int,
    media_dim: int,
    windows: Sequence[int],
    hidden: int = 1024,
    heads: int = 16,
    start: int = 0,
    stride: int = 3,
    count: int = 10,
) -> None:
    """Put a sampler after ``count`` layers, from ``start`` on in steps of ``stride``."""
    if start + (count - 1) * stride >= len(layers):
        raise ValueError(
            f"deep_sva: {count} samplers from layer {start} in steps of {stride} need"
            f" {start + (count - 1) * stride + 1} layers, the decoder has {len(layers)}."
        )
    for at in range(start, start + count * stride, stride):
        layers[at].sampler = SVALayer(query_dim=dim, hidden=hidden, windows=windows, heads=heads)
        _subclass(layers[at], DeepSVA)


INJECTIONS: dict[str, Callable[..., None]] = {
    "cross_gate": add_cross_gates,
    "deep_sva": add_deep_sva,
    "visual_expert": add_visual_experts,
}


def inject(decoder: Any, injections: Sequence[dict[str, Any]], *, dim: int, media_dim: int) -> None:
    """Change a decoder's layers as the config's injections say.

    Args:
        decoder: A causal language model of transformers.
        injections: Dicts with a ``type`` in `INJECTIONS` and its options.
        dim: Width of the decoder's states.
        media_dim: Width of what the connector gives.
    """
    layers = decoder.get_decoder().layers
    for injection in injections:
        options = dict(injection)
        kind = options.pop("type")
        if kind not in INJECTIONS:
            raise ValueError(f"No injection {kind!r}. Known: {', '.join(sorted(INJECTIONS))}.")
        INJECTIONS[kind](layers, dim=dim, media_dim=media_dim, **options)


def copy_words_to_experts(decoder: nn.Module) -> None:
    """Let visual experts begin as copies of the words' weights, as CogVLM's training did."""
    for routed in _routed(decoder):
        routed.copy_words()


def _routed(module: nn.Module) -> list[RoutedLinear]:
    return [one for one in module.modules() if isinstance(one, RoutedLinear)]


def _subclass(layer: nn.Module, mixin: type) -> None:
    """Give a layer a subclass of its class, of the same name, with the mixin in front."""
    kind = type(layer)
    layer.__class__ = type(kind.__name__, (mixin, kind), {})
