"""From a config to the parts of an LMM: the one place that reads `LMMConfig`'s dicts."""

from collections.abc import Sequence
from typing import cast

from torch import nn

from .config import LMMConfig
from .connectors import CONNECTORS
from .inject import inject
from .layout import Layout
from .states import StateEncoder
from .towers import Tower, tower_side, tower_size, tower_tokens


def build_towers(config: LMMConfig) -> list[Tower]:
    """The picture encoders, in the config's order."""
    return [Tower(**tower) for tower in config.towers or []]


def build_connector(config: LMMConfig, towers: Sequence[Tower], text_dim: int) -> nn.Module | None:
    """The connector; nothing where no tower is."""
    kind, options = _connector(config)
    if not towers:
        return None
    dims = [tower.dim for tower in towers]
    connector: nn.Module = CONNECTORS[kind](vision_dims=dims, text_dim=text_dim, **options)
    return connector


def build_states(config: LMMConfig, text_dim: int) -> StateEncoder | None:
    """The encoder of state vectors, for a model that reads such."""
    return StateEncoder(text_dim=text_dim, **config.states) if config.states else None


def build_injections(config: LMMConfig, decoder: nn.Module, dim: int, media_dim: int) -> None:
    """Change the decoder's layers as the config says; ``media_dim`` is the connector's width."""
    inject(decoder, config.injections or [], dim=dim, media_dim=media_dim)


def layout_of(config: LMMConfig) -> Layout | None:
    """How pictures lie in the prompts of such a model; nothing where no tower is."""
    if not config.towers:
        return None
    first = config.towers[0]
    kind, options = _connector(config)
    side = tower_side(first)
    tokens: int = CONNECTORS[kind].count(tower_tokens(first), **options)
    known = {"tile": tower_size(first), "side": side, "tokens": tokens}
    if tokens == side**2:
        del known["tokens"]
    facts = {"videos": not config.injections, **cast("dict[str, object]", config.layout)}
    return Layout.from_dict({**known, **facts})


def _connector(config: LMMConfig) -> tuple[str, dict[str, object]]:
    options = dict(config.connector or {})
    kind = options.pop("type")
    if kind not in CONNECTORS:
        raise ValueError(f"No connector {kind!r}. Known: {', '.join(sorted(CONNECTORS))}.")
    return kind, options
