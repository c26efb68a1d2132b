"""What a worker process does: wait for a call, run it, answer, until nobody calls any more."""

import os
import select
import socket
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from llava_plus.errors import LlavaPlusError, SetupError

from .origin import Origin, load_skill
from .outcome import wrong_kind
from .pixels import Image
from .protocol import Message, decode_args, encode_value, receive, send


def main(descriptor: int, idle: float) -> None:
    """Serve calls from a socket.

    Args:
        descriptor: Of the socket.
        idle: Seconds without a call after which the process ends by itself.
    """
    connection = socket.socket(fileno=descriptor)
    connection.set_inheritable(False)  # what a skill starts must not hold the connection
    folder = Path.cwd()
    try:
        while select.select([connection], [], [], idle)[0]:
            _serve(connection, receive(connection), folder)
    except (EOFError, ConnectionError):
        pass  # the parent is gone
    os._exit(0)  # also when a skill has left threads behind


def _serve(connection: socket.socket, call: Message, folder: Path) -> None:
    """Run a call in an empty folder, which is deleted afterwards, and send what came of it."""
    made: list[Image] = []
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as place:
        os.chdir(place)
        answer = _answer(connection, call, made)
        os.chdir(folder)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        send(connection, answer, made)
    except (TypeError, ValueError, RecursionError) as error:  # no JSON: not a byte was sent
        send(connection, _broke(error))


def _answer(connection: socket.socket, call: Message, made: list[Image]) -> dict[str, Any]:
    words, pictures = call
    try:
        spec = load_skill(Origin(**words["origin"]))
        args = decode_args(words["args"], pictures, spec)
        send(connection, {"state": "running"})
        result: Any = spec.function(**args)
        if wrong := wrong_kind(spec, result):
            return {"state": "broke", "kind": wrong, "details": wrong}
        return {"state": "value", "value": encode_value(result, made)}
    except LlavaPlusError as error:
        whose = "setup" if isinstance(error, SetupError) else "skill"
        return {"state": "refused", "whose": whose, "text": str(error)}
    except BaseException as error:  # also a skill that calls sys.exit()
        return _broke(error)


def _broke(error: BaseException) -> dict[str, Any]:
    details = "".join(traceback.format_exception(error))
    return {"state": "broke", "kind": type(error).__name__, "details": details}
