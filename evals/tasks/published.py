"""Reading files as they are published, and saying what in them is not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llava_plus.errors import SetupError

Row = dict[str, Any]
SUFFIXES = (".jpg", ".png", ".jpeg")


@contextmanager
def as_expected(file: Path, number: int) -> Iterator[None]:
    """Say which entry of a file is not as it was published."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise SetupError(
            f"{file}: entry {number} is not as published ({type(error).__name__}: {error}). "
            "See docs/evaluation.md for the files that are read."
        ) from error


def entries_of(file: Path, name: str) -> Iterator[tuple[int, Row]]:
    """Return the numbered entries of a list that a JSON file holds under a name."""
    whole = json_of(file)
    with as_expected(file, 0):
        entries = list(whole[name])
    yield from enumerate(entries, start=1)


def json_of(file: Path) -> Any:
    """Return what a JSON file holds."""
    with as_expected(file, 0):
        return json.loads(text_of(file))


def text_of(file: Path) -> str:
    """Return what a text file holds."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise SetupError(f"Cannot read {file}: {why}. Name the published files.") from error


def beside(stem: Path) -> Path:
    """Return the picture of that name, whichever its ending."""
    found = [Path(f"{stem}{suffix}") for suffix in SUFFIXES if Path(f"{stem}{suffix}").is_file()]
    return found[0] if found else Path(f"{stem}{SUFFIXES[0]}")


def lines_of(file: Path) -> Iterator[tuple[int, Row]]:
    """Return the numbered objects of a file that has one a line."""
    for number, line in enumerate(text_of(file).splitlines(), start=1):
        with as_expected(file, number):
            row = json.loads(line)
        yield number, row
