"""Measure what our own skills find in drawn scenes, of what is known to be there.

python -m llava_plus.data_gen.sources.measure --count 100 --seed 0
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from llava_plus.skills.builtin.finding import detect
from llava_plus.skills.builtin.reading import ocr, read_codes

from .item import Item
from .scenes import DrawnScenes

_EVERY = 5  # scenes: how often progress is shown


@dataclass(kw_only=True)
class Figures:
    """Counts over scenes; only lines and codes of which at most a tenth is hidden are asked for.

    Args:
        words: How many words there are.
        words_found: How many of them OCR reads, letter by letter; case and signs do not count.
        lines: How many lines there are.
        lines_found: How many of them OCR reads as one line.
        invented: Lines that OCR reads and that share no word with any line that is there.
        codes: How many codes there are.
        codes_found: How many of them are read.
        codes_invented: Codes read that are not there.
        faces: Faces found; none is there.
    """

    scenes: int = 0
    words: int = 0
    words_found: int = 0
    lines: int = 0
    lines_found: int = 0
    invented: int = 0
    codes: int = 0
    codes_found: int = 0
    codes_invented: int = 0
    faces: int = 0
    missed: list[str] = field(default_factory=list)

    def add(self, item: Item) -> None:
        """Look at one scene with all skills."""
        image, truth = item.image(), item.truth
        self._read(item.id, truth.text().texts, truth.text(hidden=1).texts, ocr(image).texts)
        known = Counter(truth.code_lines().texts)
        found = Counter(read_codes(image).texts)
        self.codes += known.total()
        self.codes_found += (known & found).total()
        self.codes_invented += (found - Counter(truth.code_lines(hidden=1).texts)).total()
        self.faces += len(detect(image, "face"))
        self.missed += [f"{item.id}: code {text!r}" for text in known - found]
        self.scenes += 1

    def report(self) -> list[str]:
        """Say the counts, one a line."""
        return [
            f"{self.scenes} scenes",
            f"OCR words   {_share(self.words_found, self.words)}",
            f"OCR lines   {_share(self.lines_found, self.lines)}",
            f"OCR lines that are not there   {self.invented}",
            f"codes read  {_share(self.codes_found, self.codes)}",
            f"codes that are not there   {self.codes_invented}",
            f"faces that are not there   {self.faces}",
        ]

    def _read(
        self, name: str, wanted: Iterable[str], there: Iterable[str], found: Iterable[str]
    ) -> None:
        lines, read = Counter(map(_plain, wanted)), Counter(map(_plain, found))
        words, read_words = _words(lines), _words(read)
        self.lines += lines.total()
        self.lines_found += (lines & read).total()
        self.words += words.total()
        self.words_found += (words & read_words).total()
        known = set(_words(Counter(map(_plain, there))))
        self.invented += sum(not known & set(line.split()) for line in read)
        self.missed += [f"{name}: {word!r}" for word in words - read_words]


def _plain(text: str) -> str:
    """Return words without signs and case, but with points and commas within numbers."""
    return " ".join(re.findall(r"\w+(?:[.,:]\w+)*", text.casefold()))


def _words(lines: Counter[str]) -> Counter[str]:
    return Counter(word for line in lines.elements() for word in line.split())


def _share(found: int, of: int) -> str:
    return f"{found} of {of} ({found / max(of, 1):.1%})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many scenes")
    parser.add_argument("--seed", type=int, default=0, help="which scenes")
    parser.add_argument("--missed", action="store_true", help="name what was not found")
    chosen = parser.parse_args()
    figures = Figures()
    for item in DrawnScenes(count=chosen.count).items(lambda _: None, seed=chosen.seed):
        figures.add(item)
        if figures.scenes % _EVERY == 0:
            print(f"of {chosen.count}:", "; ".join(figures.report()), flush=True)  # noqa: T201
    for line in figures.missed * chosen.missed + figures.report():
        print(line)  # noqa: T201


if __name__ == "__main__":
    main()
