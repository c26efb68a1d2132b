"""The LMM: towers, connector and decoder, with its templates, processing and tokenizer."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import LMMConfig
    from .lmm import LMM
    from .presets import PRESETS, nano_config, tiny_config
    from .processing import LMMProcessor
    from .templates import TEMPLATES, Segment, Template
    from .tokenizer import train_tokenizer

__all__ = [
    "LMM",
    "PRESETS",
    "TEMPLATES",
    "LMMConfig",
    "LMMProcessor",
    "Segment",
    "Template",
    "nano_config",
    "tiny_config",
    "train_tokenizer",
]

_HOMES = {
    "LMM": "lmm",
    "LMMConfig": "config",
    "LMMProcessor": "processing",
    "PRESETS": "presets",
    "Segment": "templates",
    "TEMPLATES": "templates",
    "Template": "templates",
    "nano_config": "presets",
    "tiny_config": "presets",
    "train_tokenizer": "tokenizer",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: most of them need torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
