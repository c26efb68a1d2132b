"""Where conversations lie in a file of JSON, so that one can be read without the others."""

import json
from collections.abc import Iterator
from pathlib import Path

from llava_plus.errors import SetupError


def lines_of(file: Path) -> Iterator[tuple[int, int]]:
    """Where each line that is not empty begins and ends, in bytes."""
    at = 0
    with file.open("rb") as lines:
        for line in lines:
            if line.strip():
                yield at, at + len(line)
            at += len(line)


def items_of(file: Path) -> Iterator[tuple[int, int]]:
    """Where each item of a JSON list begins and ends, in bytes."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SetupError(f"{file} is no UTF-8 text: {error}") from error
    decode = json.JSONDecoder().raw_decode
    at = _after_space(text, 0)
    if text[at : at + 1] != "[":
        raise SetupError(f"{file} is no JSON list of conversations. One per line? Call it .jsonl.")
    at, done, count, ends = _after_space(text, at + 1), 0, 0, text[-20:].rstrip()[-1:]
    begun = 0
    while text[at : at + 1] not in ("]", ""):
        try:
            _, end = decode(text, at)
        except json.JSONDecodeError as error:
            raise SetupError(
                f"{file}, line {error.lineno}: conversation {count + 1} is no JSON: {error.msg}."
            ) from None
        begun += len(text[done:at].encode())
        size = len(text[at:end].encode())
        yield begun, begun + size
        begun, done, count = begun + size, end, count + 1
        at = _after_space(text, end)
        if text[at : at + 1] == ",":
            at = _after_space(text, at + 1)
    if ends != "]":
        raise SetupError(f"{file} ends after {count} conversations without a ']': it was cut off.")


def _after_space(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def slice_of(file: Path, place: tuple[int, int]) -> bytes:
    """The bytes between two places."""
    with file.open("rb") as data:
        data.seek(place[0])
        return data.read(place[1] - place[0])
