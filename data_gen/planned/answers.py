"""What is said at the end of a turn, from what was seen: one function for each sort of answer."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from llava_plus.skills import Boxes, Image, Number, Table, Text, Value
from llava_plus.skills.wording import counted

from .script import Made, Seen
from .targets import Target
from .tongue import CUT, Name, Tongue

_SIZE = re.compile(r"is (\d+)x(\d+) pixels")
_LIGHT = re.compile(r"mean lightness (\d+) of 100")
_COLORS = re.compile(r"Main colors: (.+?)\.(?:\s|$)")
_MOST = 6  # parts that are listed one by one


@dataclass(frozen=True, kw_only=True)
class Told:
    """One result that an answer speaks of.

    Args:
        tell: Which sort of sentence.
        ref: The result.
        target: What was meant.
        slots: Words that the request had, such as the expression.
    """

    tell: str
    ref: Made
    target: Target | None = None
    slots: Mapping[str, str] | None = None


def sentence(told: Told, seen: Seen, words: Tongue) -> str:
    """Return what is said about one result."""
    return _SENTENCES[told.tell](told, seen, words)


def _thing(told: Told, seen: Seen, words: Tongue) -> dict[str, str]:
    """Return the words for what was counted or found."""
    value = seen.value(told.ref)
    number = _size_of(value)
    label = told.target.label if told.target else str(getattr(value, "query", ""))
    name = words.name(label) or Name(label=label, one=label, many=label)
    return {"n": str(number), "x": name.one, "m": name.measure, "cite": _cite(told.ref, seen)}


def _cite(ref: Made, seen: Seen) -> str:
    return "{" + seen.handle(ref) + "}"


def _found(told: Told, seen: Seen, words: Tongue) -> str:
    value, slots = seen.value(told.ref), _thing(told, seen, words)
    if not _size_of(value):
        return words.named_none("none", told.target.label if told.target else "face", seen.rng)
    if isinstance(value, Boxes) and len(value) == 1 and "found.place" in words:
        pos = words.say(f"pos.{_position(value.xyxy[0])}", seen.rng)
        return words.say("found.place", seen.rng, **slots, pos=pos)
    return words.say("found", seen.rng, **slots)


def _exists(told: Told, seen: Seen, words: Tongue) -> str:
    value = seen.value(told.ref)
    if not _size_of(value):
        return words.named_none("no", told.target.label if told.target else "face", seen.rng)
    return words.say("yes", seen.rng, **_thing(told, seen, words))


def _count(told: Told, seen: Seen, words: Tongue) -> str:
    value = seen.value(told.ref)
    number = round(value.value) if isinstance(value, Number) else _size_of(value)
    label = told.target.label if told.target else "line"
    if not number:
        return words.named_none("count.none", label, seen.rng)
    name = words.name(label)
    one, measure = (name.one, name.measure) if name else ("行文字", "")
    be = "is" if number == 1 else "are"
    told_words = counted(number, one) if words.code == "en" else ""
    slots = {"n": str(number), "x": one, "m": measure, "counted": told_words, "be": be}
    return words.say("count", seen.rng, **slots)


def _read(told: Told, seen: Seen, words: Tongue) -> str:
    key = "read" if _size_of(seen.value(told.ref)) else "read.none"
    return words.say(key, seen.rng, cite=_cite(told.ref, seen))


def _code(told: Told, seen: Seen, words: Tongue) -> str:
    key = "code" if _size_of(seen.value(told.ref)) else "code.none"
    return words.say(key, seen.rng, cite=_cite(told.ref, seen))


def _colors(told: Told, seen: Seen, words: Tongue) -> str:
    table = seen.value(told.ref)
    assert isinstance(table, Table)
    return words.say("colors", seen.rng, list=words.colors(table.rows[:4], seen.rng))


def _color_one(told: Told, seen: Seen, words: Tongue) -> str:
    table = seen.value(told.ref)
    assert isinstance(table, Table)
    return words.say("color.one", seen.rng, first=words.colors(table.rows[:1], seen.rng))


def _size(told: Told, seen: Seen, words: Tongue) -> str:
    facts = _facts(seen.value(told.ref))
    return words.say("size", seen.rng, w=str(facts["width"]), h=str(facts["height"]))


def _camera(told: Told, seen: Seen, words: Tongue) -> str:
    facts = _facts(seen.value(told.ref))
    camera, taken = str(facts["camera"]), str(facts["taken"])
    if camera == taken == "not stored":
        return words.say("camera.none", seen.rng)
    return words.say("camera", seen.rng, camera=camera, taken=taken)


def _measure(told: Told, seen: Seen, words: Tongue) -> str:
    table = seen.value(told.ref)
    assert isinstance(table, Table)
    if len(table) > 1:
        sizes = [f"{row[1]} x {row[2]}" for row in table.rows[:_MOST]]
        return words.say("measure.many", seen.rng, list=", ".join(sizes))
    (_, width, height, _, share, position, *_), *_ = table.rows
    pos = words.say(f"pos.{position}", seen.rng) if f"pos.{position}" in words else ""
    slots = {"w": str(width), "h": str(height), "share": f"{share:.3g}", "pos": pos}
    return words.say("measure.one", seen.rng, **slots)


def _far(told: Told, seen: Seen, words: Tongue) -> str:
    table = seen.value(told.ref)
    assert isinstance(table, Table)
    distance = table.rows[0][table.columns.index("distance")]
    key = "far" if distance else "far.none"
    return words.say(key, seen.rng, d=str(distance))


def _describe(told: Told, seen: Seen, words: Tongue) -> str:
    if words.code == "en":
        return words.say("describe", seen.rng, cite=_cite(told.ref, seen))
    value = seen.value(told.ref)
    assert isinstance(value, Text)
    text = value.text
    size, light, colors = _SIZE.search(text), _LIGHT.search(text), _COLORS.search(text)
    assert size is not None
    assert light is not None
    assert colors is not None
    rows = [part.removesuffix(" %").rsplit(" ", 1) for part in colors[1].split(", ")]
    listed = words.colors(rows, seen.rng)
    return words.say("describe", seen.rng, w=size[1], h=size[2], light=light[1], list=listed)


def _compare(told: Told, seen: Seen, words: Tongue) -> str:
    facts = _facts(seen.value(told.ref))
    if facts["identical"] is True:
        return words.say("same", seen.rng)
    share = facts.get("changed percent")
    if not isinstance(share, int | float):
        return words.say("differ.size", seen.rng)
    return words.say("differ", seen.rng, share=f"{share:.3g}")


def _changed(told: Told, seen: Seen, words: Tongue) -> str:
    share = _facts(seen.value(told.ref)).get("changed percent")
    shown = f"{share:.3g}" if isinstance(share, int | float) else "0"
    return words.say("changed.told", seen.rng, share=shown)


def _reckon(told: Told, seen: Seen, words: Tongue) -> str:
    slots = {"e": "", **(told.slots or {})}
    return words.say("reckon", seen.rng, e=slots["e"], cite=_cite(told.ref, seen))


def _sum(told: Told, seen: Seen, words: Tongue) -> str:
    return words.say("sum", seen.rng, cite=_cite(told.ref, seen))


def _chart(told: Told, seen: Seen, words: Tongue) -> str:
    return words.say("chart", seen.rng, out=_cite(told.ref, seen))


def _outline(told: Told, seen: Seen, words: Tongue) -> str:
    return words.say("outline", seen.rng, **_thing(told, seen, words))


def _value(told: Told, seen: Seen, words: Tongue) -> str:
    """Say what any skill gave: a picture, or what it says of itself."""
    value, skill = seen.value(told.ref), (told.slots or {}).get("skill", "")
    if isinstance(value, Image):
        return words.say("done", seen.rng, out=_cite(told.ref, seen))
    if not isinstance(value, Number | Text) and not _size_of(value):
        return words.say("value.none", seen.rng, skill=skill)
    short = len(value.cite()) <= CUT
    cite = _cite(told.ref, seen) if short or words.code == "en" else seen.handle(told.ref)
    return words.say("value", seen.rng, skill=skill, cite=cite)


def _size_of(value: Value) -> int:
    """Return how many parts a value has."""
    return 0 if isinstance(value, Number | Image | Text) else len(value)


def _facts(value: Value) -> dict[str, object]:
    """Return a table of properties as they are called."""
    assert isinstance(value, Table)
    return {str(row[0]): row[1] for row in value.rows}


def _position(box: tuple[float, float, float, float]) -> str:
    """Name the ninth of the picture that holds the middle of a box."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    across = ("left", "", "right")[min(int(3 * x), 2)]
    down = ("top", "", "bottom")[min(int(3 * y), 2)]
    return f"{down} {across}".strip() or "center"


_SENTENCES: Mapping[str, Callable[[Told, Seen, Tongue], str]] = {
    "found": _found, "exists": _exists, "count": _count, "read": _read, "code": _code,
    "colors": _colors, "color.one": _color_one, "size": _size, "camera": _camera,
    "measure": _measure, "far": _far, "describe": _describe, "describe.part": _describe,
    "compare": _compare,
    "changed": _changed, "reckon": _reckon, "sum": _sum, "chart": _chart, "outline": _outline,
    "value": _value,
}  # fmt: skip
