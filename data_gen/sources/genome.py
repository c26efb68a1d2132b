"""Pictures with notes in Visual Genome's layout: regions, things, attributes, relations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llava_plus.errors import SetupError

from .item import UNKNOWN, Caption, Item, Problem, Relation, Report, Shelf, Thing, Truth, in_order
from .notes import (
    MalformedError,
    box_of,
    entries_of,
    key_of,
    noted_picture,
    read_json,
    words_of,
)

Entry = Mapping[str, Any]
_PARTS = ("regions", "objects", "attributes", "relationships")
_FILES = ("region_descriptions", "objects", "attributes", "relationships")


@dataclass(frozen=True, kw_only=True)
class VisualGenome:
    """Visual Genome; docs/data-sources.md shows its five files.

    Args:
        folder: Holds image_data.json and any of region_descriptions.json, objects.json,
            attributes.json and relationships.json.
        images: The folders of the pictures, <image_id>.jpg.
        licence: Of the pictures.
    """

    folder: Path
    images: Sequence[Path]
    licence: str = UNKNOWN

    def items(self, report: Report, *, seed: int | None = None) -> Iterator[Item]:
        """Yield every picture that can be read, with the notes that make sense."""
        yield from self.open(report, seed=seed).items()

    def open(self, report: Report, *, seed: int | None = None) -> Shelf[str]:
        """Read the files; notes are looked at when their picture is taken."""
        pictures = self._by_image("image_data.json", report)
        notes = {
            part: self._by_image(f"{file}.json", report)
            for part, file in zip(_PARTS, _FILES, strict=True)
            if (self.folder / f"{file}.json").exists()
        }
        return Shelf(
            in_order(pictures, seed), lambda key: self._item(key, pictures[key], notes, report)
        )

    def _by_image(self, name: str, report: Report) -> dict[str, Entry]:
        content = read_json(self.folder / name)
        if not isinstance(content, list):
            raise SetupError(f"Cannot use {name!r}: it must be a list, one entry for each picture.")
        return {_key(entry): entry for entry in entries_of(content, name, report, _key)}

    def _item(
        self, key: str, entry: Entry, notes: Mapping[str, Mapping[str, Entry]], report: Report
    ) -> Item | None:
        found = noted_picture(
            entry, self.images, lambda: f"{key}.jpg", f"image {key}", "image_data.json", report
        )
        if found is None:
            return None
        reading = _Reading(key=key, size=found.size, report=report)
        for part in _PARTS:
            if key in notes.get(part, {}):
                reading.take(part, notes[part][key])
        return found.item(
            key, address=entry.get("url"), licence=self.licence, truth=reading.truth()
        )


@dataclass(kw_only=True)
class _Reading:
    """What has been read of one picture; a thing is known by its id in all files."""

    key: str
    size: tuple[int, int]
    report: Report
    captions: list[Caption] = field(default_factory=list)
    things: dict[str, Thing] = field(default_factory=dict)
    relations: list[tuple[str, str, str]] = field(default_factory=list)

    def take(self, part: str, notes: Entry) -> None:
        """Read one file's notes on the picture; each wrong entry costs only itself."""
        file = f"{_FILES[_PARTS.index(part)]}.json"
        read: Callable[[Entry], object] = {
            "regions": self._region,
            "objects": self._object,
            "attributes": self._object,
            "relationships": self._relation,
        }[part]
        entries = notes.get(part)
        if not isinstance(entries, list):
            why = f"{part} must be a list, got {entries!r:.40}"
            self.report(Problem(file=file, id=f"image {self.key}", why=why))
            return
        for place, entry in enumerate(entries):
            try:
                if not isinstance(entry, Mapping):
                    raise MalformedError(f"wanted an object, got {entry!r:.40}")
                read(entry)
            except MalformedError as error:
                name = f"image {self.key}, {part} {place}"
                self.report(Problem(file=file, id=name, why=str(error)))

    def truth(self) -> Truth:
        """Return what was read; Visual Genome never claims to list everything."""
        places = {key: place for place, key in enumerate(self.things)}
        relations = tuple(
            Relation(subject=places[one], predicate=words, object=places[other])
            for one, words, other in self.relations
        )
        things = tuple(self.things.values())
        return Truth(things=things, relations=relations, captions=tuple(self.captions))

    def _region(self, entry: Entry) -> None:
        sides = [entry.get(name) for name in ("x", "y", "width", "height")]
        box = box_of(sides, self.size, "x, y, width, height")
        self.captions.append(Caption(text=words_of(entry, "phrase"), box=box))

    def _object(self, entry: Entry) -> str:
        """Add a thing, or what more is said of one; return its id."""
        key = key_of(entry, "object_id")
        if key not in self.things:
            sides = [entry.get(name) for name in ("x", "y", "w", "h")]
            box = box_of(sides, self.size, "x, y, w, h")
            self.things[key] = Thing(label=_label(entry), box=box)
        words = _words(entry.get("attributes", []))
        known = self.things[key]
        merged = tuple(dict.fromkeys(known.attributes + words))
        self.things[key] = replace(known, attributes=merged)
        return key

    def _relation(self, entry: Entry) -> None:
        ends = [entry.get("subject"), entry.get("object")]
        for end in ends:
            if not isinstance(end, Mapping):
                raise MalformedError(f"subject and object must be objects, got {end!r:.40}")
        predicate = words_of(entry, "predicate").lower()
        one, other = (self._object(end) for end in ends if isinstance(end, Mapping))
        self.relations.append((one, predicate, other))


def _key(entry: Entry) -> str:
    """Return the picture's id, which some files call image_id and some id."""
    return key_of(entry, "image_id" if "image_id" in entry else "id")


def _label(entry: Entry) -> str:
    """Return a thing's name: the first of its names, or the only one."""
    names = entry.get("names")
    if isinstance(names, list) and names and isinstance(names[0], str) and names[0].strip():
        return " ".join(names[0].split())
    return words_of(entry, "name")


def _words(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise MalformedError(f"attributes must be a list of words, got {values!r:.40}")
    return tuple(value.strip() for value in values if value.strip())
