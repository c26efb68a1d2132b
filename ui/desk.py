"""What lies on a visitor's desk: the pictures to point at, and what is marked but not sent yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llava_plus.agent import Session
from llava_plus.errors import ImageError, SetupError
from llava_plus.skills import Image, load_image

from .labels import Labels
from .pictures import data_url


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A click (x, y) or a dragged box (x0, y0, x1, y1) in 0..1 of a picture."""

    picture: str  # the key of its entry
    numbers: tuple[float, ...]

    @property
    def kind(self) -> str:
        return "points" if len(self.numbers) == 2 else "boxes"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A picture on the desk."""

    key: str  # its handle; the path of the upload while it is not sent
    handle: str  # while it is not sent, the one that it will get
    image: Image

    @property
    def sent(self) -> bool:
        return self.key == self.handle


class Desk:
    """Pictures by handle, sent or not, and the marks on them, until the next message takes them.

    Args:
        session: To which all this goes.
        inbox: The folder into which gradio puts what visitors upload; nothing else is opened.
    """

    def __init__(self, session: Session, inbox: Path) -> None:
        self.session = session
        self.marks: tuple[Mark, ...] = ()
        self._uploads: dict[str, Image] = {}
        self._inbox = inbox
        self._chosen: str | None = None
        self.given: tuple[str, ...] = ()  # what the message box held, readable or not

    def attach(self, paths: Sequence[str]) -> list[str]:
        """Make the message box's pictures those to point at; return what is wrong with others."""
        kept: dict[str, Image] = {}
        problems: list[str] = []
        self.given = tuple(paths)
        for path in paths:
            try:
                kept[path] = self._uploads.get(path) or self._read(path)
            except ImageError as error:
                problems.append(str(error))
        if list(kept) != list(self._uploads):
            keys = {*kept, *self.session.artifacts.handles("image")}
            self.marks = tuple(mark for mark in self.marks if mark.picture in keys)
            self._chosen = None
        self._uploads = kept
        return problems

    @property
    def unsent(self) -> tuple[str, ...]:
        """The paths of the pictures that the next message will bring."""
        return tuple(self._uploads)

    def entries(self) -> list[Entry]:
        """Return all pictures, the newest last."""
        there = self.session.artifacts
        values = {handle: there[handle].value for handle in there.handles("image")}
        entries = [
            Entry(key=handle, handle=handle, image=value)
            for handle, value in values.items()
            if isinstance(value, Image)
        ]
        for number, (path, image) in enumerate(self._uploads.items(), len(entries) + 1):
            entries.append(Entry(key=path, handle=f"img_{number}", image=image))
        return entries

    @property
    def chosen(self) -> Entry | None:
        """The picture to point at: the newest, unless the visitor chose another."""
        entries = self.entries()
        newest = entries[-1] if entries else None
        return next((entry for entry in entries if entry.key == self._chosen), newest)

    def choose(self, index: int | None) -> None:
        """Choose a picture by its place among them, or again the newest."""
        entries = self.entries()
        inside = index is not None and 0 <= index < len(entries)
        self._chosen = entries[index].key if index is not None and inside else None

    def mark(self, data: Any) -> None:
        """Take a click or a dragged box on the chosen picture, as a browser sent it."""
        fits = isinstance(data, list) and len(data) in (2, 4)
        if not fits or not all(isinstance(n, int | float) and 0 <= n <= 1 for n in data):
            raise SetupError("That is no place on a picture. Click a place, or drag a box.")
        if (entry := self.chosen) is None:
            raise SetupError("There is no picture to point at. Add one.")
        if len(data) == 4:
            x0, y0, x1, y1 = data
            data = [min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)]
        self.marks += (Mark(picture=entry.key, numbers=tuple(map(float, data))),)

    def named_marks(self) -> list[tuple[str, Mark]]:
        """Return the marks with the handles that they will get."""
        there = self.session.artifacts
        counts = {kind: len(there.handles(kind)) for kind in ("points", "boxes")}
        named = []
        for mark in self.marks:
            counts[mark.kind] += 1
            named.append((f"{mark.kind}_{counts[mark.kind]}", mark))
        return named

    def hand_over(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Give pictures and marks to the session; return their handles."""
        uploads = list(self._uploads.values())
        pictures = self.session.attach(uploads) if uploads else ()  # nothing makes nothing kept
        handles = dict(zip(self._uploads, pictures, strict=True))
        pointers = []
        for mark in self.marks:
            point = self.session.point if mark.kind == "points" else self.session.box
            pointers.append(point(handles.get(mark.picture, mark.picture), *mark.numbers))
        self._uploads, self.marks, self.given = {}, (), ()
        return pictures, tuple(pointers)

    def _read(self, path: str) -> Image:
        """Open an upload; a path or an address that a visitor made up is not one."""
        place = Path(path).resolve()
        if not place.is_relative_to(self._inbox.resolve()):
            raise ImageError("That file was not uploaded here. Drop or paste the picture itself.")
        return load_image(place)


def panel(desk: Desk, labels: Labels) -> dict[str, Any]:
    """Return what the pointing panel shows."""
    entry, named = desk.chosen, desk.named_marks()
    if entry is None:
        return empty_panel(labels)
    names = ", ".join(name for name, _ in named)
    here = [(name, mark.numbers) for name, mark in named if mark.picture == entry.key]
    return {
        "src": data_url(entry.image),
        "handle": entry.handle,
        "marks": [{"at": list(numbers), "name": name} for name, numbers in here],
        "hint": f"{names}: {labels['pending']}" if named else labels["pointing_hint"],
        "pending": bool(named),
    }


def empty_panel(labels: Labels) -> dict[str, Any]:
    """Return what the pointing panel shows where there is no picture."""
    return {
        "src": "",
        "handle": "",
        "marks": [],
        "hint": labels["pointing_none"],
        "pending": False,
    }
