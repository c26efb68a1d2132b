"""Reading Python's syntax where the parser itself is interrupted."""

import ast
import gc
from pathlib import Path

import pytest

from llava_plus.syntax import steadily

LONG = Path(ast.__file__).read_text()


class Parses:
    """Something in a circle, which parses when the collector finds it."""

    def __init__(self):
        self.own = self

    def __del__(self):
        ast.parse("f(g(h(1 + (2 * 3))))")


@pytest.fixture
def often():
    """Let the garbage collector run often, with something to find each time."""
    before = gc.get_threshold()
    gc.set_threshold(50)
    yield
    gc.set_threshold(*before)


def test_a_finaliser_that_parses_spoils_no_other_reading(often):
    for _ in range(20):
        garbage = [Parses() for _ in range(300)]
        del garbage
        assert len(steadily(lambda: ast.parse(LONG)).body) > 30


def test_a_fault_that_stays_is_raised_in_the_end():
    calls = []

    def broken():
        calls.append(1)
        raise SystemError("always")

    with pytest.raises(SystemError, match="always"):
        steadily(broken)
    assert len(calls) == 100


@pytest.mark.parametrize("error", [SyntaxError, ValueError, RecursionError])
def test_what_the_text_is_to_blame_for_is_raised_at_once(error):
    calls = []

    def wrong():
        calls.append(1)
        raise error

    with pytest.raises(error):
        steadily(wrong)
    assert len(calls) == 1
