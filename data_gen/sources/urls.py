"""Pictures of a list of addresses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llava_plus.errors import SetupError

from .fetching import Fetcher, NotFetchedError
from .folders import checked_facts
from .item import UNKNOWN, Caption, Item, Problem, Report, Shelf, Truth, in_order, readable


@dataclass(frozen=True, kw_only=True)
class UrlList:
    """The pictures of a file of addresses, one a line; they are fetched only when allowed.

    A line is an address, or an object {"url": …, "licence": …, "origin": …, "captions": […]}.
    Empty lines and those that begin with # are passed over.

    Args:
        file: The list.
        fetcher: Fetches them, and keeps what it fetched.
        allowed: Whether anything may be fetched at all.
        licence: Of pictures of which the list does not tell it.
    """

    file: Path
    fetcher: Fetcher
    allowed: bool = False
    licence: str = UNKNOWN

    def items(self, report: Report, *, seed: int | None = None) -> Iterator[Item]:
        """Yield the pictures that can be fetched and read."""
        yield from self.open(report, seed=seed).items()

    def open(self, report: Report, *, seed: int | None = None) -> Shelf[tuple[int, str]]:
        """Read the list; each picture is fetched when it is taken."""
        if not self.allowed:
            raise SetupError(
                f"The addresses in {self.file.name!r} are not fetched: that must be allowed. "
                "Set allowed=True if these servers may be asked."
            )
        try:
            lines = self.file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SetupError(f"Cannot read {self.file.name!r}: {error}. Check the path.") from error
        numbered = [(n, line.strip()) for n, line in enumerate(lines, 1) if line.strip()]
        lines_in_order = in_order([each for each in numbered if each[1][0] != "#"], seed)
        return Shelf(lines_in_order, lambda each: self._item(f"line {each[0]}", each[1], report))

    def _item(self, name: str, line: str, report: Report) -> Item | None:
        def problem(why: str) -> None:
            report(Problem(file=self.file.name, id=name, why=why))

        facts: Mapping[str, Any] = {}
        url = line
        if line.startswith("{"):
            url, facts = _told(line, problem)
        if not url:
            return None
        try:
            path = self.fetcher.get(url)
        except NotFetchedError as error:
            problem(f"{url[:200]} was not fetched: {error}")
            return None
        image = readable(path, problem)
        if image is None:
            return None
        return Item(
            id=url,
            picture=path,
            width=image.width,
            height=image.height,
            origin=facts.get("origin") or url,
            licence=facts.get("licence") or self.licence,
            truth=Truth(captions=tuple(Caption(text=text) for text in facts.get("captions", ()))),
        )


def _told(line: str, problem: Callable[[str], None]) -> tuple[str, Mapping[str, Any]]:
    """Read a line that is an object; the address is empty where it makes no sense."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        problem(f"the line is not JSON: {error}")
        return "", {}
    url = entry.get("url")
    if not isinstance(url, str) or not url:
        problem(f"url must be an address, got {url!r:.40}")
        return "", {}
    return url, checked_facts(entry, problem)
