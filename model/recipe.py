"""What a training run is to do, as a file says it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from llava_plus.errors import SetupError

from .presets import PRESETS

PARTS = ("towers", "connector", "decoder")
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stretch of training.

    Args:
        name: What logs call it.
        steps: How many optimizer steps.
        tokens: Tokens per step and process, padding included.
        train: Which parts learn; the others are frozen.
        matrix_rate: Muon's learning rate, for the decoder's matrices.
        rate: Adam's, for everything else.
        warmup: Steps of linear warm-up.
        decay_from: Share of the steps after which rates fall linearly to ``floor``.
        floor: Share of the rates that is left at the end.
        clip: Largest norm of the gradient of what Adam trains.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    steps: Count
    tokens: Count = 3500
    train: tuple[str, ...] = PARTS
    matrix_rate: Rate = 0.02
    rate: Rate = 0.003
    warmup: Annotated[int, Field(ge=0)] = 12
    decay_from: float = 0.5
    floor: float = 0.02
    clip: float = 1.0

    def __post_init__(self) -> None:
        if unknown := set(self.train) - set(PARTS):
            raise ValueError(
                f"stage {self.name}: no part {sorted(unknown)}; parts are {', '.join(PARTS)}"
            )

    def share(self, step: int) -> float:
        """The share of the learning rates at a step, counted from 0."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        start = self.decay_from * self.steps
        if step < start:
            return 1.0
        done = (step - start) / max(1.0, self.steps - start)
        return 1.0 - (1.0 - self.floor) * min(1.0, done)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What `recipes/*.yaml` says of a training run."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    preset: str
    stages: tuple[Stage, ...]
    seed: int = 0
    processes: Count = 1
    longest: Count = 512
    checkpoint_every: Count = 200
    average: bool = False  # whether the model is the mean of what the stages end with
    compile: bool = False  # faster after a minute or two; needs a C++ compiler
    data: dict[str, Any] = field(default_factory=dict)  # for whoever makes the data

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise ValueError(f"no preset {self.preset!r}; presets are {', '.join(sorted(PRESETS))}")
        if not self.stages:
            raise ValueError("no stages; one is enough")

    @classmethod
    def read(cls, path: Path, **changes: Any) -> "Recipe":
        """Read a recipe; what is unknown, missing or of no use is a `SetupError`."""
        try:
            said = yaml.safe_load(path.read_text(encoding="utf-8"))
            if not isinstance(said, dict):
                raise ValueError("wanted names with values, such as 'preset: nano'")
            return TypeAdapter(cls).validate_python({**said, **changes})
        except ValidationError as error:
            why = "; ".join(_said(one["loc"], one["msg"]) for one in error.errors())
            raise SetupError(f"{path}: {why}. See recipes/nano.yaml for a recipe.") from error
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise SetupError(f"{path}: {error}. See recipes/nano.yaml for a recipe.") from error


def _said(place: tuple[str | int, ...], problem: str) -> str:
    where = ".".join(map(str, place))
    return f"{where}: {problem}" if where else problem.removeprefix("Value error, ")
