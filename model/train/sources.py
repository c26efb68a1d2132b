"""Data sets on disk: LLaVA's conversations in JSON with a folder of pictures, and our own folders.

Only where each conversation lies in its file is kept in memory; pictures are opened when wanted.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open

from llava_plus.errors import SetupError
from llava_plus.messages import ImagePart, Message, Role, TextPart
from llava_plus.model.dataset import LINES, PIXELS

MARK = "<image>"
ROLES: dict[str, Role] = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
    "system": "system",
}  # fmt: skip


class SampleError(SetupError):
    """A conversation that cannot be learned from; names its file and which one it is."""


class DataSet(Protocol):
    """Conversations by number."""

    files: tuple[Path, ...]

    def __len__(self) -> int:
        """How many there are."""
        ...

    def where(self, number: int) -> str:
        """What to call one in an error."""
        ...

    def read(self, number: int, *, with_pixels: bool = True) -> list[Message]:
        """One of them; without pixels, pictures are empty ones of the right size.

        Raises:
            SampleError: It is broken, or a picture of it is.
        """
        ...


def open_source(path: Path, images: Path | None = None) -> DataSet:
    """Find out what kind of data set lies at a path.

    Args:
        path: A JSON or JSONL file of LLaVA's form, a folder with one, or a folder that
            `dataset.ConversationWriter` wrote.
        images: The folder of a file's pictures; ``images`` beside it if absent, or else the
            file's own folder.
    """
    if (path / LINES).is_file():
        return ConversationFolder(path)
    file = path
    if path.is_dir():
        found = sorted([*path.glob("*.json"), *path.glob("*.jsonl")])
        found = [one for one in found if one.name != "manifest.json"]
        if len(found) != 1:
            names = ", ".join(one.name for one in found) or "none"
            raise SetupError(
                f"{path} holds no {LINES}, and its JSON files are: {names}. Name one file."
            )
        file = found[0]
    if not file.is_file():
        raise SetupError(f"No data at {path}. Name a JSON file of conversations or a folder.")
    beside = file.parent / "images"
    return LlavaFile(file, images or (beside if beside.is_dir() else file.parent))


class LlavaFile:
    """Items with ``conversations`` and, where there are pictures, ``image``.

    A lone picture comes in front of its turn's words wherever its mark stands, as in LLaVA's own
    training code; several stay where their marks are. An answer in LLaVA-Plus's three parts becomes
    its text.

    Args:
        file: A JSON list, or a JSON object on each line.
        images: The folder that the items' paths begin in.
    """

    def __init__(self, file: Path, images: Path) -> None:
        self.files: tuple[Path, ...] = (file,)
        self.images = images
        self._places = list(_lines(file) if file.suffix == ".jsonl" else _items(file))

    def __len__(self) -> int:
        return len(self._places)

    def where(self, number: int) -> str:
        return f"{self.files[0]}, conversation {number + 1}"

    def read(self, number: int, *, with_pixels: bool = True) -> list[Message]:
        where = self.where(number)
        item = _json(_slice(self.files[0], self._places[number]), where)
        if not isinstance(item, dict) or not isinstance(item.get("conversations"), list):
            raise SampleError(f"{where}: wanted an object with 'conversations', got {_short(item)}")
        if "id" in item or "unique_id" in item:
            where = f"{where} (id {item.get('id', item.get('unique_id'))})"
        names = item.get("image") or []
        names = [names] if isinstance(names, str) else list(names)
        pictures = [_picture(self.images / name, where, with_pixels) for name in names]
        return _llava_messages(item["conversations"], pictures, where)


class ConversationFolder:
    """What `dataset.ConversationWriter` wrote."""

    def __init__(self, folder: Path) -> None:
        if not (folder / PIXELS).is_file():
            raise SetupError(
                f"No {PIXELS} in {folder}: its writing did not end. Make the data again."
            )
        self.files: tuple[Path, ...] = (folder / LINES, folder / PIXELS)
        self._places = list(_lines(folder / LINES))

    @cached_property
    def _pixels(self) -> Any:
        # Opened in the process that reads: file handles do not survive a fork.
        return safe_open(self.files[1], framework="np").get_slice("pixels")  # type: ignore[no-untyped-call]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_pixels"}

    def __len__(self) -> int:
        return len(self._places)

    def where(self, number: int) -> str:
        return f"{self.files[0]}, line {number + 1}"

    def read(self, number: int, *, with_pixels: bool = True) -> list[Message]:
        where = self.where(number)
        item = _json(_slice(self.files[0], self._places[number]), where)
        try:
            return [self._message(message, with_pixels) for message in item["messages"]]
        except (KeyError, TypeError, IndexError) as error:
            raise SampleError(f"{where}: it is no conversation ({error!r}).") from error

    def _message(self, data: dict[str, Any], with_pixels: bool) -> Message:
        parts = tuple(
            TextPart(text=part["text"]) if "text" in part else self._image(part, with_pixels)
            for part in data["parts"]
        )
        return Message(role=data["role"], parts=parts, supervised=data["supervised"])

    def _image(self, part: dict[str, Any], with_pixels: bool) -> ImagePart:
        count, height, width, _ = self._pixels.get_shape()
        number = part["image"]
        if not 0 <= number < count:
            raise IndexError(f"picture {number} of {count}")
        if not with_pixels:
            return _blank(height, width)
        return ImagePart(pixels=self._pixels[number : number + 1][0], digest="")


def _llava_messages(turns: list[Any], pictures: list[ImagePart], where: str) -> list[Message]:
    texts = [(_role(turn, where), _words(turn, where)) for turn in turns]
    marks = sum(text.count(MARK) for role, text in texts if role == "user")
    if marks != len(pictures):
        raise SampleError(f"{where}: {marks} marks {MARK} but {len(pictures)} pictures.")
    rest = iter(pictures)
    return [_llava_message(role, text, rest, lone=marks == 1) for role, text in texts]


def _llava_message(role: Role, text: str, rest: Iterator[ImagePart], *, lone: bool) -> Message:
    if role != "user" or MARK not in text:
        return Message(
            role=role, parts=(TextPart(text=text.strip("\n")),), supervised=role == "assistant"
        )
    if lone:
        words = TextPart(text=text.replace(MARK, "").strip())
        shown = (next(rest), words) if words.text else (next(rest),)
        return Message(role=role, parts=shown)
    first, *after = text.split(MARK)
    parts: list[TextPart | ImagePart] = [TextPart(text=first)] if first else []
    for words_after in after:
        parts.append(next(rest))
        if plain := words_after.removeprefix("\n"):
            parts.append(TextPart(text=plain))
    return Message(role=role, parts=tuple(parts))


def _role(turn: Any, where: str) -> Role:
    said = turn.get("from", turn.get("role")) if isinstance(turn, dict) else None
    if said not in ROLES:
        raise SampleError(f"{where}: a turn is from {said!r}; wanted {', '.join(ROLES)}.")
    return ROLES[said]


def _words(turn: dict[str, Any], where: str) -> str:
    value = turn.get("value", turn.get("content"))
    if not isinstance(value, str):
        raise SampleError(f"{where}: a turn has no words, but {_short(value)}")
    if "thoughts" not in turn:
        return value
    actions = json.dumps(turn.get("actions", []))
    return f'"thoughts🤔" {turn["thoughts"]}\n"actions🚀" {actions}\n"value👉" {value}\n'


def _picture(path: Path, where: str, with_pixels: bool) -> ImagePart:
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            if not with_pixels:
                return _blank(height, width)
            return ImagePart(pixels=np.asarray(picture.convert("RGB")), digest="")
    except FileNotFoundError:
        raise SampleError(f"{where}: no picture {path}.") from None
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise SampleError(f"{where}: picture {path} cannot be read: {error}") from error


def _blank(height: int, width: int) -> ImagePart:
    """A picture of a size that takes no memory."""
    empty: NDArray[np.uint8] = np.broadcast_to(np.uint8(0), (height, width, 3))
    return ImagePart(pixels=empty, digest="blank")


def _lines(file: Path) -> Iterator[tuple[int, int]]:
    """Where each line that is not empty begins and ends, in bytes."""
    at = 0
    with file.open("rb") as lines:
        for line in lines:
            if line.strip():
                yield at, at + len(line)
            at += len(line)


def _items(file: Path) -> Iterator[tuple[int, int]]:
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


def _slice(file: Path, place: tuple[int, int]) -> bytes:
    with file.open("rb") as data:
        data.seek(place[0])
        return data.read(place[1] - place[0])


def _json(data: bytes, where: str) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise SampleError(f"{where}: it is no JSON: {error}") from None


def _short(value: Any) -> str:
    words = repr(value)
    return words if len(words) <= 60 else words[:57] + "..."


def total(sets: Sequence[DataSet]) -> int:
    """How many conversations there are in all."""
    return sum(len(one) for one in sets)
