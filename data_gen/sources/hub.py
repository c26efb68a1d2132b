"""Pictures of a data set on the Hugging Face hub, read row by row as they arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llava_plus.errors import SetupError

from .item import UNKNOWN, Caption, Item, Problem, Report, Truth, readable

_SHUFFLED = 1000  # rows among which a seed draws the next


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns hold what; what is left empty is not read.

    ``image`` holds a picture; ``captions`` a sentence or a list of them.
    """

    image: str
    id: str = ""
    captions: str = ""
    licence: str = ""
    origin: str = ""


@dataclass(frozen=True, kw_only=True)
class HubDataset:
    """A data set of the hub; rows are streamed, nothing is downloaded as a whole.

    Args:
        name: Such as "user/name".
        columns: Which columns hold what.
        split: Such as "train".
        config: The configuration, where there are several.
        revision: A branch or commit; name one for the same rows on every run.
        licence: Of pictures of which no column tells it.
    """

    name: str
    columns: Columns
    split: str = "train"
    config: str = ""
    revision: str = ""
    licence: str = UNKNOWN

    def items(self, report: Report, *, seed: int | None = None) -> Iterator[Item]:
        """Yield the rows whose picture can be read; a seed shuffles within a window."""
        rows = self._rows()
        if seed is not None:
            rows = rows.shuffle(seed=seed, buffer_size=_SHUFFLED)
        yield from items_of(rows, self.columns, self.name, report, licence=self.licence)

    def _rows(self) -> Any:
        try:
            import datasets  # type: ignore[import-not-found, unused-ignore]
        except ImportError as error:
            raise SetupError(
                f"The data set {self.name!r} needs the package datasets: "
                "pip install 'llava-plus[datasets]'"
            ) from error
        try:
            rows = datasets.load_dataset(
                self.name,
                self.config or None,
                split=self.split,
                revision=self.revision or None,
                streaming=True,
            )
            return rows.cast_column(self.columns.image, datasets.Image(decode=False))
        except Exception as error:  # the package raises many kinds, by what the hub answers
            raise SetupError(f"Cannot open the data set {self.name!r}: {error}") from error


def items_of(
    rows: Iterable[Mapping[str, Any]],
    columns: Columns,
    name: str,
    report: Report,
    *,
    licence: str = UNKNOWN,
) -> Iterator[Item]:
    """Turn rows into items; a row whose picture cannot be read is reported.

    Args:
        rows: Each with its picture's bytes, or {"bytes": …, "path": …}.
        columns: Which columns hold what.
        name: Of the data set.
        report: Called with each problem.
        licence: Of pictures of which no column tells it.
    """
    for place, row in enumerate(rows):
        key = str(row.get(columns.id, place)) if columns.id else str(place)

        def problem(why: str, key: str = key) -> None:
            report(Problem(file=name, id=f"row {key}", why=why))

        lacking = [
            column
            for column in (columns.image, columns.captions, columns.licence, columns.origin)
            if column and column not in row
        ]
        if lacking:
            known = ", ".join(row)
            raise SetupError(f"The data set {name!r} has no column {lacking[0]!r}. Known: {known}.")
        held = row[columns.image]
        data = held.get("bytes") if isinstance(held, Mapping) else held
        if not isinstance(data, bytes):
            problem(f"the column {columns.image!r} holds no picture, got {type(held).__name__}")
            continue
        image = readable(data, problem)
        if image is None:
            continue
        yield Item(
            id=key,
            picture=data,
            width=image.width,
            height=image.height,
            origin=_word(row, columns.origin) or f"{name}, row {key}",
            licence=_word(row, columns.licence) or licence,
            truth=Truth(captions=_captions(row.get(columns.captions), problem)),
        )


def _word(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column) if column else None
    return value.strip() if isinstance(value, str) else ""


def _captions(value: Any, problem: Callable[[str], None]) -> tuple[Caption, ...]:
    texts = [value] if isinstance(value, str) else value or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        problem(f"its captions must be sentences, got {value!r:.40}")
        return ()
    return tuple(Caption(text=text.strip()) for text in texts if text.strip())
