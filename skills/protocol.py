"""How calls and results travel between processes: JSON over a socket and raw pixels, no pickle.

A message is the length of its words (4 bytes) and the words, a JSON object. Where it has pictures,
their shapes stand in the words under "pictures", and their pixels in a file without a name that
comes along with the length; a picture among the values is named by its place in that list.
"""

import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from typing import IO, Any, TypeVar

import numpy as np

from .outcome import VALUES
from .pixels import Image
from .spec import SkillSpec
from .values import Value, value_from_json, value_to_json

Message = tuple[dict[str, Any], list[Image]]
T = TypeVar("T")
Check = Callable[[], None]  # called again and again while waiting; ends the waiting by raising

_LENGTH = 4  # bytes
_MOST_WORDS = 256 * 2**20  # bytes
_MOST_PIXELS = 2**30  # bytes of one picture


class ProtocolError(Exception):
    """What came over the socket is no message."""


def no_check() -> None:
    """Wait as long as it takes."""


def send(
    connection: socket.socket,
    words: Mapping[str, Any],
    pictures: Sequence[Image] = (),
    check: Check = no_check,
) -> None:
    """Send a message.

    Raises:
        OSError: The other side is gone.
        TypeError: The words cannot be written as JSON.
    """
    shapes = [list(picture.pixels.shape) for picture in pictures]
    text = json.dumps({**words, "pictures": shapes}, default=plain).encode()
    if len(text) > _MOST_WORDS:
        raise TypeError(f"{len(text)} bytes are too many to send")
    length = len(text).to_bytes(_LENGTH, "big")
    if pictures:
        with _nameless() as file:
            for picture in pictures:
                file.write(picture.pixels.reshape(-1).data)
            file.seek(0)  # also writes what is left in its buffer
            _again(lambda: socket.send_fds(connection, [length], [file.fileno()]), check)
    else:
        _send_all(connection, length, check)
    _send_all(connection, text, check)


def receive(connection: socket.socket, check: Check = no_check) -> Message:
    """Wait for a message.

    Raises:
        EOFError: The other side is gone.
        ProtocolError: What came is no message.
    """
    start, descriptor = _receive_start(connection, check)
    with nullcontext() if descriptor is None else os.fdopen(descriptor, "rb") as file:
        length = int.from_bytes(start, "big")
        if length > _MOST_WORDS:
            raise ProtocolError(f"a message cannot have {length} bytes of words")
        try:
            words = json.loads(_receive_all(connection, length, check))
            pictures = [_picture(file, *shape) for shape in words.pop("pictures")]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProtocolError(f"a message cannot be read: {error}") from error
    return words, pictures


def encode_value(value: Value, pictures: list[Image]) -> dict[str, Any]:
    """Return a value as JSON; if it is a picture, add it to the list and name its place there."""
    if not isinstance(value, Image):
        return value_to_json(value)
    pictures.append(value)
    return {"kind": "image", "digest": str(len(pictures) - 1), "meta": dict(value.meta)}


def decode_value(data: Mapping[str, Any], pictures: Sequence[Image]) -> Value:
    """Build the value again; what is none is a ``ProtocolError``."""
    try:
        return value_from_json(data, lambda place: pictures[int(place)])
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ProtocolError(f"not a value: {error}") from error


def encode_args(args: Mapping[str, Any], spec: SkillSpec) -> tuple[dict[str, Any], list[Image]]:
    """Return checked arguments as JSON, and the pictures among them."""
    pictures: list[Image] = []
    words: dict[str, Any] = {}
    for name, given in args.items():
        parameter = spec.parameter(name)
        if isinstance(given, VALUES):
            words[name] = encode_value(given, pictures)
        elif given is not None and parameter is not None and parameter.adapter is not None:
            words[name] = parameter.adapter.dump_python(given, mode="json")
        else:
            words[name] = None
    return words, pictures


def decode_args(
    words: Mapping[str, Any], pictures: Sequence[Image], spec: SkillSpec
) -> dict[str, Any]:
    """Return the arguments as the function takes them."""
    args: dict[str, Any] = {}
    for name, data in words.items():
        parameter = spec.parameter(name)
        if data is None or parameter is None:
            args[name] = None
        elif parameter.adapter is None:
            args[name] = decode_value(data, pictures)
        else:
            args[name] = parameter.adapter.validate_json(json.dumps(data))
    return args


def plain(item: Any) -> Any:
    """Turn numpy's numbers into Python's, for ``json.dumps``."""
    if isinstance(item, np.generic):
        return item.item()
    raise TypeError(f"{type(item).__name__} cannot be part of a value")


def _picture(file: IO[bytes] | None, height: int, width: int, channels: int) -> Image:
    """Read the next picture of that shape."""
    size = height * width * channels
    if file is None or min(height, width, channels) < 1 or size > _MOST_PIXELS:
        raise ValueError(f"no picture of {height}x{width}x{channels} came along")
    data = np.frombuffer(file.read(size), np.uint8)
    return Image(data.reshape(height, width, channels))


def _nameless() -> IO[bytes]:
    """Return a file that is gone when nobody has it open: in memory where the system can."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("llava-plus"), "w+b")
    return tempfile.TemporaryFile()


def _receive_start(connection: socket.socket, check: Check) -> tuple[bytes, int | None]:
    """Return the length of a message as it came, and the file that came along, if one did."""
    try:
        start, descriptors, _, _ = _again(lambda: socket.recv_fds(connection, _LENGTH, 1), check)
    except ConnectionError as error:
        raise EOFError("the other side is gone") from error
    if not start:
        raise EOFError("the other side is gone")
    start += bytes(_receive_all(connection, _LENGTH - len(start), check))
    return start, descriptors[0] if descriptors else None


def _again(attempt: Callable[[], T], check: Check) -> T:
    """Try until it does not time out, or until the check says no."""
    while True:
        check()
        with suppress(TimeoutError):
            return attempt()


def _send_all(connection: socket.socket, data: bytes, check: Check) -> None:
    left = memoryview(data)
    while left:
        left = left[_again(partial(connection.send, left), check) :]


def _receive_all(connection: socket.socket, length: int, check: Check) -> bytearray:
    data = bytearray(length)
    left = memoryview(data)
    while left:
        try:
            count = _again(partial(connection.recv_into, left), check)
        except ConnectionError:
            count = 0
        if not count:
            raise EOFError("the other side is gone")
        left = left[count:]
    return data
