"""Pictures with notes on the text in them, in the layouts of HierText and TextOCR."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .item import UNKNOWN, Item, Problem, Report, Shelf, Truth, Writing, in_order
from .notes import (
    MalformedError,
    entries_of,
    found_picture,
    key_of,
    numbers_of,
    polygon_of,
    read_json,
    size_of,
    top_of,
    words_of,
)

Entry = Mapping[str, Any]
_ILLEGIBLE = "."  # what TextOCR writes for a word that cannot be read


@dataclass(frozen=True, kw_only=True)
class HierText:
    """HierText: paragraphs of lines of words; the lines are taken.

    Args:
        file: Such as train.jsonl, which is one JSON object in spite of its name.
        images: The folder of the pictures, <image_id>.jpg.
        licence: Of the pictures.
    """

    file: Path
    images: Path
    licence: str = UNKNOWN

    def items(self, report: Report, *, seed: int | None = None) -> Iterator[Item]:
        """Yield every picture that can be read, with the lines that make sense."""
        yield from self.open(report, seed=seed).items()

    def open(self, report: Report, *, seed: int | None = None) -> Shelf[Entry]:
        """Read the file; lines are looked at when their picture is taken."""
        content = top_of(self.file, read_json(self.file), "annotations", list)
        file = self.file.name
        entries = list(entries_of(content, file, report, lambda e: key_of(e, "image_id")))

        def item(entry: Entry) -> Item | None:
            key = key_of(entry, "image_id")
            picture = _Picture(
                file=file, images=self.images, licence=self.licence, key=key, report=report
            )
            try:
                size = size_of(entry, "image_width", "image_height")
                lines = list(_lines(entry))
            except MalformedError as error:
                picture.problem(str(error))
                return None
            return picture.item(f"{key}.jpg", size, [("line", line) for line in lines], _line)

        return Shelf(in_order(entries, seed), item)


@dataclass(frozen=True, kw_only=True)
class TextOcr:
    """TextOCR: single words with polygons.

    Args:
        file: Such as TextOCR_0.1_val.json.
        images: The folder that file names start from, or the one of the pictures themselves.
        licence: Of the pictures.
    """

    file: Path
    images: Path
    licence: str = UNKNOWN

    def items(self, report: Report, *, seed: int | None = None) -> Iterator[Item]:
        """Yield every picture that can be read, with the words that make sense."""
        yield from self.open(report, seed=seed).items()

    def open(self, report: Report, *, seed: int | None = None) -> Shelf[str]:
        """Read the file; words are looked at when their picture is taken."""
        content = read_json(self.file)
        pictures = top_of(self.file, content, "imgs", dict)
        words = self._words(top_of(self.file, content, "anns", dict), pictures, report)

        def item(key: str) -> Item | None:
            picture = _Picture(
                file=self.file.name,
                images=self.images,
                licence=self.licence,
                key=key,
                report=report,
            )
            try:
                entry = pictures[key]
                if not isinstance(entry, Mapping):
                    raise MalformedError("wanted an object")
                size, name = size_of(entry, "width", "height"), words_of(entry, "file_name")
            except MalformedError as error:
                picture.problem(str(error))
                return None
            name = name if (self.images / name).exists() else Path(name).name
            return picture.item(name, size, words.get(key, []), _word)

        return Shelf(in_order(pictures, seed), item)

    def _words(
        self, entries: Entry, pictures: Entry, report: Report
    ) -> dict[str, list[tuple[str, Any]]]:
        """Sort the words by picture; those of no picture are reported."""
        sorted_: dict[str, list[tuple[str, Any]]] = defaultdict(list)
        for key, entry in entries.items():
            owner = entry.get("image_id") if isinstance(entry, Mapping) else None
            if isinstance(owner, str) and owner in pictures:
                sorted_[owner].append((f"annotation {key}", entry))
            else:
                why = f"there is no image {owner!r:.40}"
                report(Problem(file=self.file.name, id=f"annotation {key}", why=why))
        return sorted_


@dataclass(frozen=True, kw_only=True)
class _Picture:
    """One picture of a file of notes, and where its problems go."""

    file: str
    images: Path
    licence: str
    key: str
    report: Report

    def problem(self, why: str, within: str = "") -> None:
        name = f"image {self.key}, {within}" if within else f"image {self.key}"
        self.report(Problem(file=self.file, id=name, why=why))

    def item(
        self,
        name: str,
        size: tuple[int, int],
        notes: Sequence[tuple[str, Any]],
        read: Callable[[Any, tuple[int, int]], Writing | None],
    ) -> Item | None:
        """Build the item; it is complete where every text could be read by whoever noted it."""
        found = found_picture([self.images], name, size, self.problem)
        if found is None:
            return None
        path, image = found
        lines: list[Writing] = []
        for within, note in notes:
            try:
                line = read(note, size)
            except MalformedError as error:
                self.problem(str(error), within)
            else:
                lines += [line] if line else []
        whole = len(lines) == len(notes)
        return Item(
            id=self.key,
            picture=path,
            width=image.width,
            height=image.height,
            origin=path.name,
            licence=self.licence,
            truth=Truth(lines=tuple(lines), complete=frozenset({"lines"} if whole else ())),
        )


def _lines(entry: Entry) -> Iterator[Any]:
    for paragraph in _listed(entry, "paragraphs"):
        if not isinstance(paragraph, Mapping):
            raise MalformedError("a paragraph must be an object")
        yield from _listed(paragraph, "lines")


def _listed(entry: Entry, name: str) -> list[Any]:
    value = entry.get(name)
    if not isinstance(value, list):
        raise MalformedError(f"{name} must be a list, got {value!r:.40}")
    return value


def _line(entry: Any, size: tuple[int, int]) -> Writing | None:
    """Read a line of HierText; none where its text cannot be read."""
    if not isinstance(entry, Mapping):
        raise MalformedError(f"a line must be an object, got {entry!r:.40}")
    if entry.get("legible") is False:
        return None
    corners = [numbers_of(corner, "vertices", 2) for corner in _listed(entry, "vertices")]
    return Writing(text=words_of(entry, "text"), polygon=polygon_of(corners, size, "vertices"))


def _word(entry: Entry, size: tuple[int, int]) -> Writing | None:
    """Read a word of TextOCR; none where its text cannot be read."""
    text = words_of(entry, "utf8_string")
    if text == _ILLEGIBLE:
        return None
    numbers = numbers_of(entry.get("points"), "points")
    if len(numbers) % 2:
        raise MalformedError(f"points must be x, y of each corner, got {len(numbers)} numbers")
    corners = list(zip(numbers[::2], numbers[1::2], strict=True))
    return Writing(text=text, polygon=polygon_of(corners, size, "points"))
