"""Which picture a value lies on, and how it looks drawn there."""

from collections.abc import Iterable

from llava_plus.agent import Turn
from llava_plus.agent.trace import pointed_at
from llava_plus.skills import Artifacts, Boxes, Call, Image, Masks, Points, TextLines

Drawable = Boxes | Masks | Points | TextLines


def drawn(handle: str, artifacts: Artifacts, turns: Iterable[Turn]) -> Image | None:
    """Return a value on the picture that it was found in; None where there is nothing to draw.

    Args:
        handle: Of the value.
        artifacts: The session's values.
        turns: Those that tell which call made the value.
    """
    value = artifacts[handle].value
    if not isinstance(value, Drawable) or not len(value):
        return None
    under = picture_under(handle, artifacts, turns)
    return None if under is None else value.overlay(_image(under, artifacts))


def picture_under(handle: str, artifacts: Artifacts, turns: Iterable[Turn]) -> str | None:
    """Return the handle of the picture that a value refers to, through the calls that made it."""
    calls = {call.id: call for turn in turns for step in turn.steps for call in step.actions}
    seen: set[str] = set()
    while handle in artifacts and handle not in seen:
        seen.add(handle)
        artifact = artifacts[handle]
        if (pointed := pointed_at(artifact)) in artifacts.handles("image"):
            return pointed
        if (call := calls.get(artifact.source)) is None:
            return None
        named = _named(call, artifacts)
        pictures = [name for name in named if artifacts[name].kind == "image"]
        if pictures:
            return pictures[0]
        handle = named[0] if named else ""
    return None


def _named(call: Call, artifacts: Artifacts) -> list[str]:
    values = [value for value in call.args.values() if isinstance(value, str)]
    return [value for value in values if value in artifacts]


def _image(handle: str, artifacts: Artifacts) -> Image:
    value = artifacts[handle].value
    assert isinstance(value, Image)
    return value
