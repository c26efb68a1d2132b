"""A folder of pictures that the program was started with, and finding some of them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import ImageError, SetupError, SkillError
from llava_plus.skills import Image, Table, load_image

from .index import Index
from .update import Looker, Report, update

COLUMNS = ("picture", "file", "likeness")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A picture that was found: its number, its place below the folder, and how well it fits."""

    id: int
    path: str
    likeness: float


class Album:
    """A folder of pictures, and where its indexes are kept, one for each model.

    Args:
        folder: The pictures.
        root: Where the indexes of all folders lie.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder.expanduser().resolve()
        if not self.folder.is_dir():
            raise SetupError(f"There is no folder {str(folder)!r}. Name one with pictures in it.")
        key = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        self.root = root / key
        self._indexes: dict[str, Index] = {}

    def index(self, model: str) -> Index:
        """Return the index that a model made, or will make; each model has its own."""
        return self._indexes.setdefault(model, Index(self.root / model))

    def update(
        self, model: str, looker: Looker, say: Callable[[int, int], None] = lambda done, of: None
    ) -> Report:
        """Bring a model's index up to date; see `update`."""
        report = update(self.index(model), self.folder, looker, say=say)
        note = self.root / "folder.txt"  # for a person who looks into the data directory
        note.write_text(f"{self.folder}\n", encoding="utf-8")
        return report

    def forget(self) -> bool:
        """Delete all indexes of the folder, no picture; say whether there was one."""
        there = self.root.is_dir()
        self._indexes.clear()
        shutil.rmtree(self.root, ignore_errors=True)
        return there

    def nearest(self, model: str, vector: NDArray[np.float32], most: int) -> tuple[Found, ...]:
        """Return the pictures nearest to a vector, the nearest first; none that is gone since.

        Args:
            model: Whose vectors are compared.
            vector: (dimension,), of length 1.
            most: How many.

        Raises:
            SkillError: Nothing is indexed.
        """
        entries, vectors = self.index(model).vectors()
        if not entries:
            raise SkillError(
                "search_images: no picture of the folder is indexed for the model in use. A person "
                f"does that with: llava-plus skills index {self.folder}"
            )
        likeness = vectors.astype(np.float32) @ vector  # cosines
        found: list[Found] = []
        for place in np.argsort(-likeness, kind="stable"):
            entry = entries[place]
            if len(found) == most:
                break
            if self.place(entry.path).is_file():
                score = round(float(likeness[place]), 3)
                found.append(Found(id=entry.id, path=entry.path, likeness=score))
        return tuple(found)

    def place(self, path: str) -> Path:
        """Return where a picture lies."""
        return self.folder / path

    def opened(self, skill: str, found: Table, row: int) -> Image:
        """Return the picture that a row of a table of found ones names.

        Args:
            skill: Who asks, for errors.
            found: What `found_table` gave.
            row: Which, from 0.

        Raises:
            SkillError: The table is another one, or the picture is no longer as it was.
        """
        if found.columns != COLUMNS:
            raise SkillError(f"{skill}: found wants what search_images gave, not another table.")
        if not 0 <= row < len(found):
            raise SkillError(f"{skill}: there is no picture {row + 1}, {len(found)} were found.")
        id, path, _ = found.rows[row]
        known = self._known(id, path)
        place = self.place(known)
        try:
            if not known or not place.resolve().is_relative_to(self.folder):
                raise ImageError("it is not in the folder any more.")
            image = load_image(place)
        except ImageError as error:
            raise SkillError(f"{skill}: {path} cannot be opened: {error}") from error
        return replace(image, meta={**image.meta, "file": str(path)})

    def _known(self, id: object, path: object) -> str:
        """Return a picture's place, if one of that number and place is in an index."""
        if not isinstance(id, int) or not self.root.is_dir():
            return ""
        indexes = [self.index(each.name) for each in self.root.iterdir() if each.is_dir()]
        entries = [index.entry(id) for index in indexes]
        return next((e.path for e in entries if e is not None and e.path == path), "")


def found_table(found: Sequence[Found]) -> Table:
    """Return found pictures as planners read them."""
    return Table(COLUMNS, tuple((each.id, each.path, each.likeness) for each in found))
