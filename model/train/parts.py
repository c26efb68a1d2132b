"""The parts of a model by the names of their parameters: what learns, and how fast."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn

from llava_plus.errors import SetupError

from .recipe import Stage

PARTS = ("towers", "connector", "decoder", "injections", "embeddings", "newline", "states", "lora")
_INJECTED = re.compile(r"\.(cross_gate|sampler|vision)\.")
_EMBEDDINGS = re.compile(r"^decoder\.(.*\.)?(embed_tokens|wte)\.")
_LAYER = re.compile(r"^towers\.(\d+)\..*\b(?:layers|layer|blocks)\.(\d+)\.")
_NO_DECAY = re.compile(r"(norm|bias|latents|query_tokens|queries|gate$|newline)")


def parts_of(name: str) -> tuple[str, ...]:
    """The parts that a parameter belongs to, the closest first."""
    name = name.replace(".base_layer.", ".")
    if ".lora_" in name:
        return ("lora",)
    if name.startswith("decoder."):
        if _INJECTED.search(name):
            return ("injections",)
        return ("embeddings", "decoder") if _EMBEDDINGS.match(name) else ("decoder",)
    if name == "previous_share":
        return ("decoder",)
    return (name.split(".")[0],)


def closeness(entry: str, name: str) -> int:
    """How closely an entry of a recipe means a parameter; 0 for not at all."""
    if name == entry or name.startswith(f"{entry}."):
        return 100 + len(entry)
    found = parts_of(name)
    return 10 - found.index(entry) if entry in found else 0


def freeze(model: nn.Module, stage: Stage) -> None:
    """Let those parameters learn that a stage trains, and its low-rank updates.

    Raises:
        SetupError: The stage names what the model does not have.
    """
    check_names(model, stage)
    for name, parameter in model.named_parameters():
        learns = any(closeness(entry, name) for entry in stage.train)
        if learns and not parameter.is_floating_point():
            raise SetupError(f"stage {stage.name}: {name} is quantized and cannot be trained.")
        parameter.requires_grad_(learns or ".lora_" in name)


def check_names(model: nn.Module, stage: Stage) -> None:
    """Whether a model has, or with its updates will have, what a stage names.

    Raises:
        SetupError: It has not.
    """
    names = [name for name, _ in model.named_parameters()]
    if stage.lora is not None:
        names.append("decoder.lora_A.lora_")
    for key, entries in (("train", stage.train), ("rates", stage.rates)):
        for entry in entries:
            _check(entry, names, f"stage {stage.name}: {key}")


def _check(entry: str, names: Iterable[str], key: str) -> None:
    if any(closeness(entry, name) for name in names):
        return
    near = get_close_matches(entry, PARTS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"parts are {', '.join(PARTS)}."
    raise SetupError(f"{key} names {entry!r}, which this model does not have; {hint}")


def rate_of(name: str, stage: Stage, layers: dict[int, int]) -> float:
    """The highest learning rate of a parameter.

    Args:
        name: The parameter's.
        stage: Its rates.
        layers: How many layers each tower has.
    """
    entries = [(closeness(entry, name), rate) for entry, rate in stage.rates.items()]
    rate = max([one for one in entries if one[0]], default=(0, stage.rate))[1]
    if stage.layer_decay == 1 or not name.startswith("towers."):
        return rate
    tower = int(name.split(".")[1])
    layer = _LAYER.match(name)
    if layer is not None:
        after = layers[tower] - 1 - int(layer.group(2))
    else:
        after = layers[tower] if re.search(r"embed|patch|class_token|position", name) else 0
    return rate * stage.layer_decay**after


def tower_layers(names: Iterable[str]) -> dict[int, int]:
    """How many layers each tower has."""
    found: dict[int, int] = {}
    for name in names:
        if layer := _LAYER.match(name):
            tower, number = int(layer.group(1)), int(layer.group(2))
            found[tower] = max(found.get(tower, 0), number + 1)
    return found


def groups(model: nn.Module, stage: Stage) -> list[dict[str, Any]]:
    """What learns, for AdamW: one group for each rate, with and without decay of the weights."""
    named = [(name, one) for name, one in model.named_parameters() if one.requires_grad]
    layers = tower_layers(name for name, _ in model.named_parameters())
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in named:
        still = parameter.ndim < 2 or _NO_DECAY.search(name) is not None
        key = rate_of(name, stage, layers), 0.0 if still else stage.weight_decay
        found.setdefault(key, []).append(parameter)
    return [
        {"params": members, "lr": rate, "weight_decay": decay}
        for (rate, decay), members in sorted(found.items(), key=lambda one: one[0])
    ]


def weights_in(parameter: nn.Parameter) -> int:
    """How many weights a parameter holds; in 4 bits, two lie in a byte."""
    return parameter.numel() * (2 if parameter.dtype == torch.uint8 else 1)


def summary(model: nn.Module) -> str:
    """What learns and what is frozen, in a line."""
    counts: dict[str, list[int]] = {}
    for name, parameter in model.named_parameters():
        both = counts.setdefault(parts_of(name)[-1], [0, 0])
        both[0 if parameter.requires_grad else 1] += weights_in(parameter)
    told = [
        f"{part} {_millions(learns)} of {_millions(learns + frozen)}"
        for part, (learns, frozen) in counts.items()
    ]
    return "learning: " + ", ".join(told)


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f}M"
