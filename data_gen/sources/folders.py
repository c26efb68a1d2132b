"""Pictures of a folder, each perhaps with a sidecar that says whose it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llava_plus.errors import SetupError
from llava_plus.skills import IMAGE_SUFFIXES

from .item import UNKNOWN, Caption, Item, Problem, Report, Shelf, Truth, in_order, readable


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The pictures of a folder and of those in it, sorted by name.

    Beside photo.jpg may lie photo.jpg.json: {"licence": …, "origin": …, "captions": […]}.

    Args:
        path: The folder.
        licence: Of pictures whose sidecar does not tell it.
        origin: Likewise; the path within the folder where it is empty.
    """

    path: Path
    licence: str = UNKNOWN
    origin: str = ""

    def items(self, report: Report, *, seed: int | None = None) -> Iterator[Item]:
        """Yield the pictures that can be read."""
        yield from self.open(report, seed=seed).items()

    def open(self, report: Report, *, seed: int | None = None) -> Shelf[str]:
        """List the pictures; links are followed to files within only."""
        if not self.path.is_dir():
            raise SetupError(f"There is no folder {self.path.name!r}. Check the path.")
        home = self.path.resolve()
        found = (path for path in self.path.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
        names = sorted(path.relative_to(self.path).as_posix() for path in found)

        def item(name: str) -> Item | None:
            path = self.path / name
            if path.resolve().is_relative_to(home):
                return self._item(name, path, report) if path.is_file() else None
            report(Problem(file=name, id="", why="it is a link that leads out of the folder"))
            return None

        return Shelf(in_order(names, seed), item)

    def _item(self, name: str, path: Path, report: Report) -> Item | None:
        def problem(why: str) -> None:
            report(Problem(file=name, id="", why=why))

        image = readable(path, problem)
        if image is None:
            return None
        facts = sidecar(path.with_name(f"{path.name}.json"), problem)
        return Item(
            id=name,
            picture=path,
            width=image.width,
            height=image.height,
            origin=facts.get("origin") or self.origin or name,
            licence=facts.get("licence") or self.licence,
            truth=Truth(captions=tuple(Caption(text=text) for text in facts.get("captions", ()))),
        )


def sidecar(path: Path, problem: Callable[[str], None]) -> Mapping[str, Any]:
    """Return what a sidecar says, nothing where there is none or it makes no sense."""
    if not path.is_file():
        return {}
    try:
        facts = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        problem(f"its sidecar cannot be read and is left out: {error}")
        return {}
    return checked_facts(facts, problem)


def checked_facts(facts: Any, problem: Callable[[str], None]) -> Mapping[str, Any]:
    """Return licence and origin, which are words, and captions, a list of sentences."""
    if not isinstance(facts, Mapping):
        problem(f"what is said of it must be an object, got {facts!r:.40}")
        return {}
    kept: dict[str, Any] = {}
    for name in ("licence", "origin"):
        if isinstance(facts.get(name), str):
            kept[name] = facts[name].strip()
        elif name in facts:
            problem(f"its {name} must be words, got {facts[name]!r:.40}")
    captions = facts.get("captions", [])
    if isinstance(captions, list) and all(isinstance(text, str) for text in captions):
        kept["captions"] = [text.strip() for text in captions if text.strip()]
    else:
        problem(f"its captions must be a list of sentences, got {captions!r:.40}")
    return kept
