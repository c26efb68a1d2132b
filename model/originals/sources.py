"""Where the parts of an original checkpoint lie, and reading them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from llava_plus.errors import SetupError
from llava_plus.model.weight_files import read_file, read_folder

from .naming import renamed


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Files and folders; those of parts that the checkpoint itself holds are absent.

    Args:
        home: The checkpoint: a folder, or a file where a system was released as one.
        base: The language model.
        towers: The picture encoders, in the model's order.
        qformer: BLIP-2's file with the Q-Former.
    """

    home: Path
    base: Path | None = None
    towers: tuple[Path, ...] = ()
    qformer: Path | None = None

    def language(self) -> dict[str, Tensor]:
        """The weights of the language model, under its own names."""
        return renamed(read_weights(self._needed(self.base, "base")), ())

    def tower(self, at: int = 0) -> Path:
        """The place of a picture encoder."""
        return self._needed(self.towers[at] if at < len(self.towers) else None, "tower")

    def queries(self) -> dict[str, Tensor]:
        """The weights of BLIP-2's file."""
        return read_weights(self._needed(self.qformer, "qformer"))

    def _needed(self, path: Path | None, what: str) -> Path:
        if path is None:
            raise SetupError(
                f"{self.home} holds no {what} weights: say where they are with {what}=…."
            )
        return path


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights of a folder, or of a file that may hold them under "model"."""
    return read_folder(path) if path.is_dir() else read_file(path, inside=_INSIDE)


_INSIDE = ("model", "model_state_dict")


def pair(facts: dict[str, Any], name: str) -> int:
    """A side that may be given twice, as height and width."""
    side = facts[name]
    if isinstance(side, list):
        if len(set(side)) != 1:
            raise SetupError(f"{name} must be a square, got {side}.")
        side = side[0]
    return int(side)
