"""The folder of a run: what it is a run of, which stages are done, where to go on."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from llava_plus.errors import SetupError
from llava_plus.model.weight_files import check_files

from .recipe import Recipe
from .trainer import WHOLE

RUN, MODEL = "run.json", "model"
# What may change between two starts of one run.
_FREE = ("save_every", "keep", "log_every", "workers")


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """Where a run writes: ``run.json`` and a folder for each stage."""

    path: Path

    def claim(self, recipe: Recipe, facts: Mapping[str, Any]) -> None:
        """Make the folder, or make sure that it is of this run.

        Args:
            recipe: The run's.
            facts: What else it depends on, such as where its model and its data are.

        Raises:
            SetupError: Another run has written there, or something else.
        """
        said = json.loads(json.dumps({**asdict(recipe), **facts}))
        for key in _FREE:
            said.pop(key)
        file = self.path / RUN
        if not file.is_file():
            if self.path.is_dir() and any(self.path.iterdir()):
                raise SetupError(f"{self.path} holds something else. Name a new folder by --out.")
            self.path.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            return
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise SetupError(f"{file} is no JSON: {error}. Name a new folder by --out.") from error
        if changed := list(_differences(before, said, "")):
            key, old, new = changed[0]
            raise SetupError(
                f"{self.path} holds a run of another recipe: {len(changed)} keys differ, such as"
                f" {key}, {old!r} there and {new!r} now. Go on with what was there, or name a new"
                " folder by --out."
            )

    def stage(self, name: str) -> Path:
        """The folder of a stage."""
        return self.path / name

    def finished(self, name: str) -> bool:
        """Whether a stage has ended and its model is there."""
        return (self.stage(name) / MODEL / WHOLE).is_file()

    def checkpoint(self, name: str) -> Path | None:
        """The last whole checkpoint of a stage; half-written ones are removed."""
        found = []
        for folder in self.stage(name).glob("checkpoint-*"):
            if (folder / WHOLE).is_file():
                found.append(folder)
            else:
                shutil.rmtree(folder)
        return max(found, key=lambda one: int(one.name.rpartition("-")[2]), default=None)

    def check(self, checkpoint: Path) -> None:
        """Whether a checkpoint's files can be read.

        Raises:
            SetupError: One of them is damaged.
        """
        check_files(checkpoint)
        for file in sorted(checkpoint.rglob("*.pt")) + sorted(checkpoint.rglob("*.pth")):
            if not is_zipfile(file):
                raise SetupError(
                    f"{file} is damaged. Remove {checkpoint} to go on from the checkpoint before"
                    " it, or from the stage's beginning."
                )

    def clear(self, name: str) -> None:
        """Remove a stage's checkpoints, which its model replaces."""
        for folder in self.stage(name).glob("checkpoint-*"):
            shutil.rmtree(folder)


def _differences(old: Any, new: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """Where two values of JSON differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            inner = f"{place}.{key}" if place else key
            yield from _differences(old.get(key), new.get(key), inner)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(before, after, f"{place}.{number}")
    elif old != new:
        yield place, old, new
