"""How a call can end other than well, and what of a skill's result counts."""

import logging
from typing import Any, get_args

from llava_plus.errors import LlavaPlusError

from .calls import Failure
from .spec import SkillSpec, shown_kinds
from .values import Value

_log = logging.getLogger(__name__)
VALUES = get_args(Value)


class Failed(Exception):  # noqa: N818  (an outcome on its way to an observation)
    """A call that came to nothing, with the words for the planner."""

    def __init__(self, error: Failure, text: str) -> None:
        super().__init__(text)
        self.error: Failure = error


class Broke(Exception):  # noqa: N818
    """A bug of a skill, as a worker tells of it: its kind, and the traceback for the log."""

    def __init__(self, kind: str, details: str) -> None:
        super().__init__(details)
        self.kind = kind


def checked(spec: SkillSpec, result: Any, error: BaseException | None) -> Value:
    """Return the value, or tell a planner's mistake from a bug."""
    if isinstance(error, Failed):
        raise error
    if isinstance(error, LlavaPlusError):
        raise Failed("skill", str(error)) from error
    if isinstance(error, Broke):
        _log.error("skill %s broke: %s", spec.name, error)
        kind = error.kind
    elif error is not None:
        _log.error("skill %s broke", spec.name, exc_info=error)
        kind = type(error).__name__
    elif not (kind := wrong_kind(spec, result)):
        return result  # type: ignore[no-any-return]
    else:
        _log.error("skill %s %s", spec.name, kind)
    raise Failed(
        "bug", f"{spec.name} broke: a bug in the skill ({kind}), not in the call. Try another way."
    )


def wrong_kind(spec: SkillSpec, result: Any) -> str:
    """Say what is wrong with a result that is not what the skill promised; else nothing."""
    if isinstance(result, VALUES) and result.kind in spec.returns:
        return ""
    return f"returned {type(result).__name__} instead of {shown_kinds(spec.returns)}"
