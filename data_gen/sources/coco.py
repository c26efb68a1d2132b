"""Pictures with notes in COCO's layout: captions, things with boxes and masks, key points."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .item import UNKNOWN, Caption, Item, Joint, Problem, Report, Shelf, Thing, Truth, in_order
from .notes import (
    LARGEST,
    MalformedError,
    box_of,
    entries_of,
    key_of,
    noted_picture,
    numbers_of,
    read_json,
    top_of,
    words_of,
)
from .outlines import mask_of

Entry = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Coco:
    """Files in COCO's layout about the pictures of one folder; docs/data-sources.md shows it.

    Notes on one picture that stand in several files are put together by the picture's id.

    Args:
        files: Such as instances_val2017.json and captions_val2017.json.
        images: The folder of the pictures.
        licence: Of pictures of which the files do not tell it.
    """

    files: Sequence[Path]
    images: Path
    licence: str = UNKNOWN

    def items(self, report: Report, *, seed: int | None = None) -> Iterator[Item]:
        """Yield every picture that can be read, with the notes that make sense."""
        yield from self.open(report, seed=seed).items()

    def open(self, report: Report, *, seed: int | None = None) -> Shelf[str]:
        """Read the files; notes are looked at when their picture is taken."""
        notes = [_Notes(path, report) for path in self.files]
        known = {key: image for one in notes for key, image in one.images.items()}
        return Shelf(in_order(known, seed), lambda key: self._item(key, known[key], notes, report))

    def _item(self, key: str, entry: Entry, notes: Sequence[_Notes], report: Report) -> Item | None:
        file = next(one.name for one in notes if key in one.images)
        found = noted_picture(
            entry, [self.images], lambda: words_of(entry, "file_name"), f"image {key}", file, report
        )
        if found is None:
            return None
        size = found.size
        lost: list[Problem] = []
        told = [note for one in notes for note in one.of(key, size, lost.append)]
        for each in lost:
            report(each)
        labels = () if lost else (label for one in notes for label in one.labels())
        truth = Truth(
            things=tuple(note for note in told if isinstance(note, Thing)),
            captions=tuple(note for note in told if isinstance(note, Caption)),
            complete=frozenset(labels),
        )
        licence = next((one.licence(key) for one in notes if one.licence(key)), self.licence)
        address = entry.get("flickr_url") or entry.get("coco_url")
        return found.item(key, address=address, licence=licence, truth=truth)


class _Notes:
    """One file: its notes sorted by picture, and read only when their picture's turn comes."""

    def __init__(self, path: Path, report: Report) -> None:
        self.name = path.name
        content = read_json(path, _packed)
        self.images: dict[str, Entry] = {}
        images = top_of(path, content, "images", list)
        for entry in entries_of(images, self.name, report, lambda e: key_of(e, "id")):
            self.images[key_of(entry, "id")] = entry
        self.notes: dict[str, list[Entry]] = defaultdict(list)
        notes = top_of(path, content, "annotations", list)
        for entry in entries_of(notes, self.name, report, lambda e: key_of(e, "image_id")):
            key = key_of(entry, "image_id")
            if key in self.images:
                self.notes[key].append(entry)
            else:
                self._report(report, entry, f"there is no image {key}")
        self.categories = _by_id(content.get("categories", []))
        self.licences = _by_id(content.get("licenses", []))

    def of(self, key: str, size: tuple[int, int], report: Report) -> Iterator[Thing | Caption]:
        """Yield what the file tells of a picture; what makes no sense is reported."""
        for entry in self.notes.get(key, ()):
            try:
                if "caption" in entry:
                    yield Caption(text=words_of(entry, "caption"))
                else:
                    yield self._thing(entry, size)
            except MalformedError as error:
                self._report(report, entry, str(error))

    def labels(self) -> Iterator[str]:
        """Yield the names of the categories of which everything in a picture is noted."""
        for category in self.categories.values():
            if isinstance(category.get("name"), str):
                yield category["name"]

    def licence(self, key: str) -> str:
        """Return the name of a picture's licence, "" where the file does not tell."""
        number = self.images.get(key, {}).get("license")
        name = self.licences.get(str(number), {}).get("name")
        return name if isinstance(name, str) else ""

    def _thing(self, entry: Entry, size: tuple[int, int]) -> Thing:
        category = self.categories.get(key_of(entry, "category_id"))
        if category is None:
            raise MalformedError(f"there is no category {entry['category_id']}")
        outline = entry.get("segmentation")
        return Thing(
            label=words_of(category, "name"),
            box=box_of(entry.get("bbox"), size),
            mask=mask_of(outline, size) if outline else None,
            joints=_joints(entry.get("keypoints"), category, size),
            crowd=entry.get("iscrowd") in (1, True),
        )

    def _report(self, report: Report, entry: Entry, why: str) -> None:
        report(Problem(file=self.name, id=f"annotation {entry.get('id', '?')!s:.40}", why=why))


def _packed(entry: dict[str, Any]) -> dict[str, Any]:
    """Keep lists of plain numbers in an eighth of the memory, while the file is read."""
    for name in ("counts", "keypoints"):
        if name in entry:
            entry[name] = _array(entry[name])
    outline = entry.get("segmentation")
    if isinstance(outline, list):
        entry["segmentation"] = [_array(ring) for ring in outline]
    return entry


def _array(values: Any) -> Any:
    """Pack numbers; anything else stays as it is, and is reported at its turn."""
    if not isinstance(values, list):
        return values
    plain = all(type(value) in (int, float) and abs(value) <= LARGEST for value in values)
    return array("d", values) if plain else values


def _by_id(entries: Any) -> dict[str, Entry]:
    chosen = entries if isinstance(entries, list) else []
    return {str(e["id"]): e for e in chosen if isinstance(e, Mapping) and "id" in e}


def _joints(values: Any, category: Entry, size: tuple[int, int]) -> tuple[Joint, ...]:
    """Read x, y and 0 (not noted), 1 (covered) or 2 (visible) for each name of the category."""
    if values is None:
        return ()
    names = category.get("keypoints")
    if not isinstance(names, list):
        raise MalformedError(f"the category {category.get('name')!r} names no keypoints")
    numbers = numbers_of(values, "keypoints", 3 * len(names))
    joints = []
    for name, x, y, seen in zip(names, numbers[::3], numbers[1::3], numbers[2::3], strict=True):
        if not seen:
            continue
        if not (0 <= x <= size[0] and 0 <= y <= size[1]):
            raise MalformedError(f"keypoint {name} {x:g}, {y:g} lies outside the picture")
        joints.append(Joint(name=str(name), xy=(x / size[0], y / size[1]), visible=seen == 2))
    return tuple(joints)
