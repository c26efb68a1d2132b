"""Reading what others wrote about their pictures, where one wrong entry costs only itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llava_plus.errors import SetupError
from llava_plus.skills import Image
from llava_plus.skills.regions import Box, Polygon

from .item import Item, Problem, Report, Truth, readable

LARGEST = 1e12  # of any number in notes
_SLACK = 1.5  # pixels that a place may lie outside, by rounding


class MalformedError(Exception):
    """An entry that cannot be used, with the reason; caught where the entry is left out."""


def read_json(path: Path, hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Return what a JSON file holds, or say to the person why it cannot be read."""
    try:
        with path.open("rb") as file:
            return json.load(file, object_hook=hook)
    except OSError as error:
        why = error.strerror or str(error)
        raise SetupError(f"Cannot read {path.name!r}: {why}. Check the path.") from error
    except (ValueError, RecursionError) as error:
        raise SetupError(
            f"Cannot read {path.name!r}: it is not JSON ({error}). Download it again."
        ) from error


def top_of(path: Path, content: Any, key: str, kind: type) -> Any:
    """Return an entry of a file's outermost object, or say what the file lacks."""
    entry = content.get(key) if isinstance(content, Mapping) else None
    if not isinstance(entry, kind):
        wanted = "a list" if kind is list else "an object"
        raise SetupError(f"Cannot use {path.name!r}: it must have {key!r}, {wanted}.")
    return entry


def entries_of(
    entries: Any, file: str, report: Report, name: Callable[[Mapping[str, Any]], str]
) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list and report what is no object.

    Args:
        entries: The list.
        file: Where it stands.
        report: Called with each entry that is no object, or has no name.
        name: Returns an entry's id, or raises ``MalformedError``.
    """
    if not isinstance(entries, list):
        report(Problem(file=file, id="", why=f"wanted a list, got {_kind(entries)}"))
        return
    for place, entry in enumerate(entries):
        try:
            if not isinstance(entry, Mapping):
                raise MalformedError(f"wanted an object, got {_kind(entry)}")
            name(entry)
        except MalformedError as error:
            report(Problem(file=file, id=f"entry {place}", why=str(error)))
        else:
            yield entry


def key_of(entry: Mapping[str, Any], name: str) -> str:
    """Return an id, a number or a word, as a word."""
    value = entry.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise MalformedError(f"{name} must be a number or a word, got {value!r:.40}")
    return str(value)


def words_of(entry: Mapping[str, Any], name: str) -> str:
    """Return a text that is not empty."""
    value = entry.get(name)
    if not isinstance(value, str) or not value.strip():
        raise MalformedError(f"{name} must be a text, got {value!r:.40}")
    return " ".join(value.split())


def numbers_of(values: Any, name: str, count: int | None = None) -> list[float]:
    """Return finite numbers, as many as wanted."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence):
        raise MalformedError(f"{name} must be a list of numbers, got {_kind(values)}")
    for value in values:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not abs(value) <= LARGEST:
            raise MalformedError(f"{name} must hold bearable numbers, got {value!r:.40}")
    if count is not None and len(values) != count:
        raise MalformedError(f"{name} must be {count} numbers, got {len(values)}")
    return [float(value) for value in values]


def size_of(entry: Mapping[str, Any], *names: str) -> tuple[int, int]:
    """Return width and height that an entry tells."""
    width, height = numbers_of([entry.get(name) for name in names], " and ".join(names), 2)
    if width < 1 or height < 1 or not (width.is_integer() and height.is_integer()):
        raise MalformedError(
            f"{' and '.join(names)} must be whole and positive, got {width}, {height}"
        )
    return int(width), int(height)


def box_of(values: Any, size: tuple[int, int], name: str = "bbox") -> Box:
    """Turn x, y, width, height in pixels into left, top, right, bottom in 0..1."""
    x, y, wide, high = numbers_of(values, name, 4)
    width, height = size
    if wide <= 0 or high <= 0:
        raise MalformedError(f"{name} must be wider and higher than 0, got {wide:g} x {high:g}")
    if min(x, y) < -_SLACK or x + wide > width + _SLACK or y + high > height + _SLACK:
        raise MalformedError(
            f"{name} {x:g}, {y:g}, {wide:g}, {high:g} lies outside the picture of {width}x{height}"
        )
    left, top = max(x, 0.0) / width, max(y, 0.0) / height
    return left, top, min((x + wide) / width, 1.0), min((y + high) / height, 1.0)


def polygon_of(points: Sequence[Sequence[float]], size: tuple[int, int], name: str) -> Polygon:
    """Turn corners in pixels into corners in 0..1."""
    width, height = size
    if len(points) < 3:
        raise MalformedError(f"{name} must have at least 3 corners, got {len(points)}")
    for x, y in points:
        if not (-_SLACK <= x <= width + _SLACK and -_SLACK <= y <= height + _SLACK):
            raise MalformedError(
                f"{name} has {x:g}, {y:g}, outside the picture of {width}x{height}"
            )
    return tuple((min(max(x / width, 0.0), 1.0), min(max(y / height, 0.0), 1.0)) for x, y in points)


def found_picture(
    folders: Sequence[Path], name: str, size: tuple[int, int] | None, problem: Callable[[str], None]
) -> tuple[Path, Image] | None:
    """Return where a picture lies and its pixels; else say why it cannot be used.

    Args:
        folders: Where to look, one after the other; no name leads out of them.
        name: The file's name, perhaps with folders.
        size: Width and height that the notes were made for; none where they do not say.
        problem: Called with the reason.
    """
    for folder in folders:
        path = folder / name
        inside = path.resolve().is_relative_to(folder.resolve())
        if not inside or not path.is_file():
            continue
        image = readable(path, problem)
        if image is None:
            return None
        if size and "scaled" not in image.meta and size != (image.width, image.height):
            problem(
                f"{name!r} is {image.width}x{image.height}, the notes are for {size[0]}x{size[1]}"
            )
            return None
        return path, image
    problem(f"there is no picture {name!r} in {', '.join(repr(f.name) for f in folders)}")
    return None


@dataclass(frozen=True, kw_only=True)
class Noted:
    """A picture that was found, with the size that its notes are for."""

    path: Path
    image: Image
    size: tuple[int, int]

    def item(self, id: str, *, address: Any, licence: str, truth: Truth) -> Item:
        """Return the picture with what the notes say; an address that is no text is left out."""
        return Item(
            id=id,
            picture=self.path,
            width=self.image.width,
            height=self.image.height,
            origin=address if isinstance(address, str) else self.path.name,
            licence=licence,
            truth=truth,
        )


def noted_picture(
    entry: Mapping[str, Any],
    folders: Sequence[Path],
    name: Callable[[], str],
    id: str,
    file: str,
    report: Report,
) -> Noted | None:
    """Find the picture that an entry with width and height is about; else report why not.

    Args:
        entry: The notes.
        folders: Where pictures lie.
        name: Returns the name of its file, or raises ``MalformedError``.
        id: What problems call it.
        file: The file with the notes.
        report: Called with the problem.
    """

    def problem(why: str) -> None:
        report(Problem(file=file, id=id, why=why))

    try:
        size = size_of(entry, "width", "height")
        found = found_picture(folders, name(), size, problem)
    except MalformedError as error:
        problem(str(error))
        return None
    return Noted(path=found[0], image=found[1], size=size) if found else None


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "nothing"}.get(
        type(value), repr(value)[:40]
    )
