"""What a backend is: a model that does a skill, and what it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .single import Single

Model = Any  # what a backend loads; it has a method that does the skill


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A model that does a skill; nothing of it is imported or loaded before it is needed.

    Of a model that does several skills there is one for each, with the same name and the same
    ``load``: it is loaded once for all of them.

    Args:
        name: What people call it.
        skill: The skill that it does.
        note: What it adds to the skill's description, in a sentence for planners.
        weights: The id on the hub of the weights that are meant where nobody names others; for a
            single file, with its name.
        model_types: What the ``config.json`` of fitting weights may say; nothing where any may do.
        licence: Of those weights.
        download: Their size in MB.
        working: MiB that it takes beside its weights while it works; an estimate.
        load: Makes the model of a folder with weights and a device ("cuda", "mps", "cpu").
        method: The one of that model that takes what the skill takes, and may take more.
        words: Whether the weights come with a tokenizer.
        beside: Ids on the hub of other weights that a lone network is loaded beside.
        packages: Those that it imports beside what the program needs anyway.
        extra: The extra of this package that brings them.
        device: The device that it must have.
        single: Where its weights are one file, how that is found and checked; then what is loaded
            is this file, and there is no ``config.json``.
        chosen_only: Whether it does the skill only where a person chooses it.
    """

    name: str
    skill: str
    note: str
    weights: str
    model_types: tuple[str, ...]
    licence: str
    download: int
    working: int
    load: Callable[[Path, str], Model]
    method: str = "__call__"
    words: bool = False
    beside: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    extra: str = ""
    device: Literal["any", "cuda"] = "any"
    single: Single | None = None
    chosen_only: bool = False

    def fits(self, model_type: str) -> bool:
        """Whether weights of such a model can be loaded."""
        return model_type in self.model_types or not self.model_types
