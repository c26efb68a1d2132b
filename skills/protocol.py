"""How calls and results travel between processes: JSON and raw pixels over a socket, no pickle.

A message is the length of its words (4 bytes), the words (a JSON object) and the pixels of its
pictures, whose shapes stand in the words under "pictures". A picture among the values is named by
its place in that list.
"""

import json
import math
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .outcome import VALUES
from .pixels import Image
from .spec import SkillSpec
from .values import Value, value_from_json, value_to_json

Message = tuple[dict[str, Any], list[Image]]
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
    _send_all(connection, len(text).to_bytes(_LENGTH, "big") + text, check)
    for picture in pictures:
        _send_all(connection, picture.pixels.reshape(-1).data, check)


def receive(connection: socket.socket, check: Check = no_check) -> Message:
    """Wait for a message.

    Raises:
        EOFError: The other side is gone.
        ProtocolError: What came is no message.
    """
    length = int.from_bytes(_receive_all(connection, _LENGTH, check), "big")
    if length > _MOST_WORDS:
        raise ProtocolError(f"a message cannot have {length} bytes of words")
    try:
        words = json.loads(_receive_all(connection, length, check))
        shapes = [_shape(each) for each in words.pop("pictures")]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ProtocolError(f"the words of a message cannot be read: {error}") from error
    pictures = []
    for shape in shapes:
        data = _receive_all(connection, math.prod(shape), check)
        pictures.append(Image(np.frombuffer(data, np.uint8).reshape(shape)))
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


def _shape(given: Sequence[int]) -> tuple[int, int, int]:
    height, width, channels = given
    if min(given) < 1 or channels > 4 or math.prod(given) > _MOST_PIXELS:
        raise ValueError(f"no picture has the shape {given}")
    return height, width, channels


def _send_all(connection: socket.socket, data: bytes | memoryview, check: Check) -> None:
    left = memoryview(data)
    while left:
        check()
        try:
            left = left[connection.send(left) :]
        except TimeoutError:
            continue


def _receive_all(connection: socket.socket, length: int, check: Check) -> bytearray:
    data = bytearray(length)
    left = memoryview(data)
    while left:
        check()
        try:
            count = connection.recv_into(left)
        except TimeoutError:
            continue
        except ConnectionError:
            count = 0
        if not count:
            raise EOFError("the other side is gone")
        left = left[count:]
    return data
