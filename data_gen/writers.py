"""Writers by the names that recipes call them; a new one is a line here."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from llava_plus.errors import SetupError

from .writing import Writer

Opener = Callable[..., Writer]  # takes the options of the recipe by name


def _phrases(**options: Any) -> Writer:
    from .phrase_writer import PhraseWriter

    return PhraseWriter(**options)


def _planned(**options: Any) -> Writer:
    from .planned import PlannedWriter

    return PlannedWriter(**options)


def _requests(**options: Any) -> Writer:
    from .request_writer import RequestWriter

    return RequestWriter(**options)


def _teacher(**options: Any) -> Writer:
    from .teacher import TeacherWriter

    return TeacherWriter(**options)


WRITERS: dict[str, Opener] = {
    "phrases": _phrases,
    "planned": _planned,
    "requests": _requests,
    "teacher": _teacher,
}


def open_writer(name: str, options: Mapping[str, Any]) -> Writer:
    """Make a writer.

    Args:
        name: One of ``WRITERS``.
        options: What the recipe says of it.

    Raises:
        SetupError: There is no such writer, or it does not take these options.
    """
    if name not in WRITERS:
        near = difflib.get_close_matches(name, WRITERS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise SetupError(f"There is no writer {name!r}.{hint} Known: {', '.join(WRITERS)}.")
    try:
        return WRITERS[name](**options)
    except TypeError as error:
        raise SetupError(
            f"The writer {name!r} cannot be made of {dict(options)}: {error}."
        ) from error
