"""From the names of another home to ours, by rules; nothing gets lost on the way."""

import re
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from llava_plus.errors import SetupError

# Each rule: a pattern that the beginning of a name matches, and what stands there with us.
Rules = Sequence[tuple[str, str]]

# What older files hold although it follows from the config.
_DERIVED = (".position_ids", ".inv_freq", ".masked_bias")


def renamed(state: Mapping[str, Tensor], rules: Rules) -> dict[str, Tensor]:
    """Weights under our names, by the first rule that fits each.

    A name that no rule fits stays as it is, so that it is found to be surplus. What follows from
    the config (positions, rates of rotation) is left out.
    """
    given: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    for name, weight in state.items():
        if name.endswith(_DERIVED):
            continue
        new = _renamed(name, rules)
        if new in given:
            raise SetupError(f"{origin[new]} and {name} would both become {new}: keep one of them.")
        given[new], origin[new] = weight, name
    return given


def cut(state: Mapping[str, Tensor], part: str, parts: Sequence[str]) -> dict[str, Tensor]:
    """Weights of a module ``part`` cut along their rows into those of as many as ``parts``."""
    given: dict[str, Tensor] = {}
    for name, weight in state.items():
        if f".{part}." not in name:
            given[name] = weight
            continue
        pieces = torch.tensor_split(weight, len(parts))
        for new, piece in zip(parts, pieces, strict=True):
            given[name.replace(f".{part}.", f".{new}.")] = piece.contiguous()
    return given


def below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights whose names begin so, without that beginning."""
    return {
        name.removeprefix(prefix): weight
        for name, weight in state.items()
        if name.startswith(prefix)
    }


def under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights with this beginning put before their names."""
    return {prefix + name: weight for name, weight in state.items()}


def joined(parts: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The weights of all parts; a name that comes twice is an error."""
    whole: dict[str, Tensor] = {}
    for part in parts:
        if twice := sorted(set(whole) & set(part)):
            raise SetupError(f"These weights came from two places: {', '.join(twice)}.")
        whole.update(part)
    return whole


def _renamed(name: str, rules: Rules) -> str:
    for pattern, new in rules:
        if found := re.match(pattern, name):
            return found.expand(new) + name[found.end() :]
    return name
