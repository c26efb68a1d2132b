"""Python's own parser, asked again where it miscounts through no fault of what it reads."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_ATTEMPTS = 100


def steadily(read: Callable[[], T]) -> T:
    """Return what ``read`` returns: ``ast.parse``, ``ast.literal_eval`` or ``inspect.getsource``.

    All threads of CPython before 3.11.8 and 3.12.2 share one count of how deep their syntax
    trees are. Where another thread, or a finaliser that the garbage collector runs meanwhile,
    parses something too, the count comes out wrong and a SystemError says so of a good text
    (CPython issue 106905). Reading it again is all it takes.

    Raises:
        SystemError: It came a hundred times in a row.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return read()
        except SystemError:
            continue
    return read()
