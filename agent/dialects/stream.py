"""Thought and answer out of text that is still being written, whichever dialect it is in."""

from collections.abc import Generator
from typing import Protocol

Piece = tuple[str, str]  # ("thought" or "answer", more of it)
Chars = Generator[None, str, str]  # takes one character at each yield, returns one
FIELDS = ("thought", "answer")
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
THOUGHTS, ACTIONS, VALUE = '"thoughts🤔"', '"actions🚀"', '"value👉"'


class Reader(Protocol):
    """Takes the text in pieces of any size and returns what became readable."""

    def feed(self, text: str) -> list[Piece]: ...


class StreamReader:
    """Reads both dialects until one of them has something to say, then only that one."""

    def __init__(self) -> None:
        self._readers: list[Reader] = [JsonReader(), PlusReader()]

    def feed(self, text: str) -> list[Piece]:
        for reader in self._readers:
            if pieces := reader.feed(text):
                self._readers = [reader]
                return pieces
        return []


class JsonReader:
    """Reads the strings "thought" and "answer" of the first JSON object that has one of them.

    White space around each is left out, as `json.parse` does.
    """

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._blank = ""
        self._begun = False
        self._scan = self._objects()
        next(self._scan)

    def feed(self, text: str) -> list[Piece]:
        self._pieces = []
        for char in text:
            self._scan.send(char)
        return _joined(self._pieces)

    def _objects(self) -> Chars:
        char = yield
        while True:
            if char != "{":
                char = yield
                continue
            char = yield from self._space()
            if char == '"':
                char = yield from self._members()

    def _members(self) -> Chars:
        """Read from after the first key's quote; return the character that is still to be read."""
        ours = False
        while True:
            key = yield from self._string("")
            char = yield from self._space()
            if char != ":":
                return char
            char = yield from self._space()
            if char == '"' and key in FIELDS:
                ours = True
                yield from self._string(key)
                char = yield from self._space()
            else:
                char = yield from self._skip(char)
            while char != "," and ours:
                yield  # the end of the object, or what nobody can read: listen no more
            if char != ",":
                return char
            char = yield from self._space()
            if char != '"':
                return char

    def _skip(self, char: str) -> Chars:
        """Pass over a value; return the first "," or "}" outside it."""
        depth = 0
        while depth or char not in ",}":
            if char == '"':
                yield from self._string("")
            else:
                depth += (char in "[{") - (char in "]}")
            char = yield
        return char

    def _space(self) -> Chars:
        while (char := (yield)).isspace():
            pass
        return char

    def _string(self, field: str) -> Chars:
        """Read up to the closing quote; give the characters out when they belong to a field."""
        text, high = "", ""
        self._blank, self._begun = "", False
        while (char := (yield)) != '"':
            if char == "\\":
                char = yield from self._escape()
            if high and "\udc00" <= char <= "\udfff":
                char = (high + char).encode("utf-16", "surrogatepass").decode("utf-16")
            elif high:
                text += self._give(field, UNKNOWN)
            high = char if "\ud800" <= char <= "\udbff" else ""
            if not high:
                text += self._give(field, UNKNOWN if "\udc00" <= char <= "\udfff" else char)
        if high:
            text += self._give(field, UNKNOWN)
        return text

    def _escape(self) -> Chars:
        char = yield
        if char != "u":
            return ESCAPES.get(char, char)
        digits = ""
        while len(digits) < 4:
            digits += yield
        try:
            return chr(int(digits, 16))
        except ValueError:
            return UNKNOWN

    def _give(self, field: str, char: str) -> str:
        if not field:
            return char
        if char.isspace():
            self._blank += char if self._begun else ""
        else:
            self._pieces.append((field, self._blank + char))
            self._blank, self._begun = "", True
        return char


class PlusReader:
    """Reads LLaVA-Plus's format: the thoughts, and the value where there are no actions."""

    def __init__(self) -> None:
        self._text = ""
        self._given = dict.fromkeys(FIELDS, 0)

    def feed(self, text: str) -> list[Piece]:
        self._text += text
        _, begun, rest = self._text.partition(THOUGHTS)
        if not begun:
            return []
        thought, acting, rest = rest.partition(ACTIONS)
        actions, answering, answer = rest.partition(VALUE)
        pieces = self._more("thought", thought if acting else _settled(thought, ACTIONS))
        if answering and actions.strip() == "[]":
            pieces += self._more("answer", answer)
        return pieces

    def _more(self, field: str, text: str) -> list[Piece]:
        new = text.strip()[self._given[field] :]
        self._given[field] += len(new)
        return [(field, new)] if new else []


def _settled(text: str, marker: str) -> str:
    """Leave out an end that may be the beginning of the marker."""
    longest = min(len(marker) - 1, len(text))
    cut = next((n for n in range(longest, 0, -1) if marker.startswith(text[-n:])), 0)
    return text[: len(text) - cut]


def _joined(pieces: list[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for field, text in pieces:
        if joined and joined[-1][0] == field:
            joined[-1] = (field, joined[-1][1] + text)
        else:
            joined.append((field, text))
    return joined
