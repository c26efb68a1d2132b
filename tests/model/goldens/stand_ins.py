"""Packages that the references import and do not need here, and what stands in for CUDA kernels."""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from torch.nn import functional


class _Nothing(type):
    """A class of every name that is asked for; calling it gives an object that does nothing."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _nothing(name)

    def __setitem__(cls, key: object, value: object) -> None: ...


def _nothing(name: str) -> type:
    return _Nothing(
        name,
        (),
        {
            "__init__": lambda self, *args, **kwargs: None,
            "__call__": lambda self, *args, **kwargs: args[0] if args else None,
        },
    )


class _Empty(ModuleType):
    __path__: Sequence[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _nothing(name)


class Finder(MetaPathFinder, Loader):
    """Gives an empty module for each of these names and what lies below."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        hit = any(fullname == name or fullname.startswith(f"{name}.") for name in self.names)
        return ModuleSpec(fullname, self, is_package=True) if hit else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Empty(spec.name)

    def exec_module(self, module: ModuleType) -> None: ...


def leave_out(*names: str) -> None:
    """Let every import of these packages succeed and give nothing."""
    sys.meta_path.insert(0, Finder(names))


def plain_attention(queries, keys, values, p=0.0, scale=None):  # type: ignore[no-untyped-def]
    """xformers' attention (batch, token, head, dim) as torch computes it."""
    query, key, value = (one.transpose(1, 2) for one in (queries, keys, values))
    return functional.scaled_dot_product_attention(query, key, value, scale=scale).transpose(1, 2)


def plain_rotation(states, cos, sin, positions, *, interleaved, inplace, max_seqlen):  # type: ignore[no-untyped-def]
    """SwissArmyTransformer's Triton kernel in plain torch: the two halves of each head rotate.

    Args:
        states: Queries or keys (batch, head, token, dim).
        cos: Of every position (position, dim / 2).
        sin: As ``cos``.
        positions: Of the tokens (batch, token).
        interleaved: Must be false: neighbors are not pairs.
        inplace: Not heeded.
        max_seqlen: Not heeded.
    """
    assert not interleaved
    first, second = states.chunk(2, dim=-1)
    cosine, sine = cos[positions].unsqueeze(1), sin[positions].unsqueeze(1)
    rotated = (first * cosine - second * sine, first * sine + second * cosine)
    return functional.pad(rotated[0], (0, rotated[1].shape[-1])) + functional.pad(
        rotated[1], (rotated[0].shape[-1], 0)
    )
