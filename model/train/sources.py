"""Data sets on disk: LLaVA's conversations in JSON with a folder of pictures, and our own folders.

Only where each conversation lies in its file is kept in memory; pictures and videos are opened when
wanted.
"""

import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from safetensors import safe_open

from llava_plus.errors import SetupError
from llava_plus.messages import ImagePart, Message, Part, Role, TextPart
from llava_plus.model.dataset import LINES, PIXELS
from llava_plus.model.template import Shown

from .files import items_of, lines_of, slice_of
from .media import SampleError, empty, read_picture, read_state, read_video, short

MARK, VIDEO_MARK, STATE_MARK = "<image>", "<video>", "<state>"
_MARKS = re.compile(f"({MARK}|{VIDEO_MARK}|{STATE_MARK})")
ROLES: dict[str, Role] = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
    "system": "system",
}  # fmt: skip


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
        """One of them; without pixels, pictures and frames are empty ones of the right size.

        Raises:
            SampleError: It is broken, or a picture of it is.
        """
        ...


def open_source(path: Path, images: Path | None = None, *, frames: int = 32) -> DataSet:
    """Find out what kind of data set lies at a path.

    Args:
        path: A JSON or JSONL file of LLaVA's form, a folder with one, or a folder that
            `dataset.ConversationWriter` wrote.
        images: The folder of a file's pictures; ``images`` beside it if absent, or else the
            file's own folder.
        frames: The most frames of a video.
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
    return LlavaFile(file, images or (beside if beside.is_dir() else file.parent), frames)


class LlavaFile:
    """Items with ``conversations`` and what they show.

    That is ``image``, a file or a list of such; ``video``, as `media.read_video` takes it, or
    ``videos``, a list of such; and ``states``, a list of lists of numbers. Their marks in the words
    are <image>, <video> and <state>; where no picture is there, <image> means a video, too.

    A lone picture or video comes in front of its turn's words wherever its mark stands, as in
    LLaVA's own training code; several stay where their marks are, and so does one beside states.
    An answer in LLaVA-Plus's three parts becomes its text.

    Args:
        file: A JSON list, or a JSON object on each line.
        images: The folder that the items' paths begin in.
        frames: The most frames of a video.
    """

    def __init__(self, file: Path, images: Path, frames: int = 32) -> None:
        self.files: tuple[Path, ...] = (file,)
        self.images = images
        self.frames = frames
        self._places = list(lines_of(file) if file.suffix == ".jsonl" else items_of(file))

    def __len__(self) -> int:
        return len(self._places)

    def where(self, number: int) -> str:
        return f"{self.files[0]}, conversation {number + 1}"

    def read(self, number: int, *, with_pixels: bool = True) -> list[Message]:
        where = self.where(number)
        item = _json(slice_of(self.files[0], self._places[number]), where)
        if not isinstance(item, dict) or not isinstance(item.get("conversations"), list):
            raise SampleError(f"{where}: wanted an object with 'conversations', got {short(item)}")
        if "id" in item or "unique_id" in item:
            where = f"{where} (id {item.get('id', item.get('unique_id'))})"
        return _llava_messages(item["conversations"], self._shown(item, where, with_pixels), where)

    def _shown(self, item: dict[str, Any], where: str, with_pixels: bool) -> dict[str, list[Shown]]:
        """What an item shows, by its mark."""
        names = item.get("image") or []
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise SampleError(f"{where}: 'image' is no file or list of files, but {short(names)}")
        videos = item.get("videos") or ([item["video"]] if item.get("video") else [])
        states = item.get("states") or []
        for key, value in (("videos", videos), ("states", states)):
            if not isinstance(value, list):
                raise SampleError(f"{where}: {key!r} is no list, but {short(value)}")
        return {
            MARK: [read_picture(self.images / n, where, with_pixels=with_pixels) for n in names],
            VIDEO_MARK: [
                read_video(one, self.images, self.frames, where, with_pixels=with_pixels)
                for one in videos
            ],
            STATE_MARK: [read_state(one, n, where) for n, one in enumerate(states, 1)],
        }


class ConversationFolder:
    """What `dataset.ConversationWriter` wrote."""

    def __init__(self, folder: Path) -> None:
        if not (folder / PIXELS).is_file():
            raise SetupError(
                f"No {PIXELS} in {folder}: its writing did not end. Make the data again."
            )
        self.files: tuple[Path, ...] = (folder / LINES, folder / PIXELS)
        self._places = list(lines_of(folder / LINES))

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
        item = _json(slice_of(self.files[0], self._places[number]), where)
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
            return ImagePart(pixels=empty(height, width), digest="blank")
        return ImagePart(pixels=self._pixels[number : number + 1][0], digest="")


def _llava_messages(turns: list[Any], shown: dict[str, list[Shown]], where: str) -> list[Message]:
    texts = [(_role(turn, where), _words(turn, where)) for turn in turns]
    if shown[VIDEO_MARK] and not shown[MARK]:
        texts = [(role, text.replace(MARK, VIDEO_MARK)) for role, text in texts]
    said = [mark for role, text in texts if role == "user" for mark in _MARKS.findall(text)]
    names = {MARK: "pictures", VIDEO_MARK: "videos", STATE_MARK: "states"}
    for mark, given in shown.items():
        if said.count(mark) != len(given):
            raise SampleError(
                f"{where}: {said.count(mark)} marks {mark} but {len(given)} {names[mark]}."
            )
    rest = {mark: iter(given) for mark, given in shown.items()}
    lone = len(said) == 1 and said[0] != STATE_MARK
    return [_llava_message(role, text, rest, lone=lone) for role, text in texts]


def _llava_message(
    role: Role, text: str, rest: dict[str, Iterator[Shown]], *, lone: bool
) -> Message:
    pieces = _MARKS.split(text)  # words, mark, words, …
    if role != "user" or len(pieces) == 1:
        return Message(
            role=role, parts=(TextPart(text=text.strip("\n")),), supervised=role == "assistant"
        )
    if lone:
        words = TextPart(text=(pieces[0] + pieces[2]).strip())
        first = next(rest[pieces[1]])
        return Message(role=role, parts=(first, words) if words.text else (first,))
    parts: list[Part] = [TextPart(text=pieces[0])] if pieces[0] else []
    for mark, words_after in zip(pieces[1::2], pieces[2::2], strict=True):
        parts.append(next(rest[mark]))
        # A template breaks the line after a picture or a video by itself.
        if plain := words_after if mark == STATE_MARK else words_after.removeprefix("\n"):
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
        raise SampleError(f"{where}: a turn has no words, but {short(value)}")
    if "thoughts" not in turn:
        return value
    actions = json.dumps(turn.get("actions", []))
    return f'"thoughts🤔" {turn["thoughts"]}\n"actions🚀" {actions}\n"value👉" {value}\n'


def _json(data: bytes, where: str) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise SampleError(f"{where}: it is no JSON: {error}") from None
