"""LoRA, added to the weights that it was trained on."""

from typing import Any

from torch import Tensor

from llava_plus.errors import SetupError


def plain(name: str) -> str:
    """A name without what PEFT puts in front: ``base_model.model.model.x`` is ``model.x``."""
    return name.removeprefix("base_model.model.")


def add_lora(state: dict[str, Tensor], adapter: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Add ``alpha / r * B A`` to the weights that an adapter names (Hu et al. 2021).

    Args:
        state: The weights, under the names that the adapter knows; changed in place.
        adapter: Pairs ``NAME.lora_A.weight`` and ``NAME.lora_B.weight``, as PEFT writes them.
        facts: The adapter's config.
    """
    rank, alpha = facts["r"], facts["lora_alpha"]
    scale = alpha / (rank**0.5 if facts.get("use_rslora") else rank)
    named = {plain(name).replace(".default.", "."): one for name, one in adapter.items()}
    downs = [name for name in named if name.endswith(".lora_A.weight")]
    ups = {name.replace(".lora_A.", ".lora_B.") for name in downs}
    targets = {name.replace(".lora_A.weight", ".weight") for name in downs}
    strange = sorted(set(named) ^ (set(downs) | ups)) + sorted(targets - set(state))
    if strange:
        raise SetupError(f"The adapter does not fit these weights: {', '.join(strange)}.")
    for name in downs:
        down, up = named[name], named[name.replace(".lora_A.", ".lora_B.")]
        target = name.replace(".lora_A.weight", ".weight")
        whole = state[target]
        state[target] = whole + (scale * (up.float() @ down.float())).to(whole.dtype)
