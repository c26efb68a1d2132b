"""Questions that take several looks, or edits that need what was seen."""

import re
from collections.abc import Callable

from llava_plus.skills import Number, Table, TextLines

from .answers import Told
from .kinds import TRIES, told
from .scene import Dialogue, Scene
from .script import Deed, Found, Made, Seen
from .sides import two_things
from .targets import Target, line, picked
from .wishes import BY_KEY, PLACES, Wish

_PRICE = re.compile(r"(?<![\d.,])\$?([0-9]{1,4}[.,][0-9]{2})(?![\d.,])")
_LONGEST = 190  # letters of an expression
_SIDES = {"left": "right", "right": "left", "above": "below", "below": "above"}


def question(scene: Scene) -> Dialogue | None:
    """Return one of them."""
    makers: list[Callable[[Scene], Dialogue | None]] = [
        beside, more, largest, note_count, note_code, add_up, where_line, colors_chart, changed,
        size_after, lines,
    ]  # fmt: skip
    for _ in range(TRIES):
        if (found := scene.rng.choice(makers)(scene)) is not None:
            return found
    return None


def has(scene: Scene, *names: str) -> bool:
    """Whether all these skills are there."""
    return scene.able.issuperset(names)


def beside(scene: Scene) -> Dialogue | None:
    """Is the one left of the other?"""
    things = two_things(scene) if has(scene, "detect", "measure") else None
    if things is None or not all(one.one for one in things) or "beside.q" not in scene.bank:
        return None
    one, other = things
    (a,), (b,) = one.boxes[one.label], other.boxes[other.label]
    x, y = (b[0] + b[2] - a[0] - a[2]) / 2, (b[1] + b[3] - a[1] - a[3]) / 2
    if min(abs(x), abs(y)) > 0.5 * max(abs(x), abs(y)) or max(abs(x), abs(y)) < 0.1:
        return None  # aslant
    # Where the first lies, seen from the second.
    side = ("left" if x > 0 else "right") if abs(x) > abs(y) else ("above" if y > 0 else "below")
    asked = side if scene.rng.random() < 0.5 else _SIDES[side]
    slots = one.slots(scene.bank) | {"u": other.slots(scene.bank)["t"]}
    text = scene.say("beside.q", side=scene.words.say(f"side.{asked}", scene.rng), **slots)
    if text is None:
        return None
    plot = scene.plot()
    refs = plot.find_all(things)
    table = plot.call("measure", image=plot.image, region=refs[1], to=refs[0])

    def said(seen: Seen) -> str:
        value = seen.value(table)
        assert isinstance(value, Table)
        key = "beside.yes" if asked in str(value.rows[0][-1]) else "beside.no"
        return scene.words.say(key, seen.rng)

    sure = {"en": ("Yes", "No"), "zh": None}[scene.words.code]
    plot.answers = () if sure is None else (sure[0 if asked == side else 1],)
    return told(scene, plot, text, "relation", answer=said)


def more(scene: Scene) -> Dialogue | None:
    """Of which are there more?"""
    things = two_things(scene) if has(scene, "detect", "count") else None
    if things is None or "more.q" not in scene.bank:
        return None
    one, other = things
    assert one.name is not None
    assert other.name is not None
    text = scene.say("more.q", p=one.name.many, q=other.name.many)
    if text is None:
        return None
    plot = scene.plot()
    refs = plot.find_all(things)
    counts = plot.step(*(Deed(skill="count", args={"region": ref}) for ref in refs))
    plot.counts = {target.label: target.count or 0 for target in things}
    words, names = scene.words, (one.name, other.name)

    def said(seen: Seen) -> str:
        found = [seen.value(ref) for ref in counts]
        a, b = (round(value.value) for value in found if isinstance(value, Number))
        if a == b:
            return words.say("more.same", seen.rng, a=str(a))
        name = names[0] if a > b else names[1]
        slots = {"p": name.many, "x": name.one, "a": str(max(a, b)), "b": str(min(a, b))}
        return words.say("more.yes", seen.rng, **slots)

    return told(scene, plot, text, "compare counts", answer=said)


def largest(scene: Scene) -> Dialogue | None:
    """How large is the largest of them, or which colour has it?"""
    groups = [one for one in scene.item.groups if len(one.things) > 1]
    if not groups or not has(scene, "detect", "select"):
        return None
    target = picked(scene.rng.choice(groups), scene.words, scene.rng)
    wish = BY_KEY[scene.rng.choice(("measure", "colors.part", "crop", "find"))]
    return None if target is None or not target.one else _acted(scene, wish, target)


def note_count(scene: Scene) -> Dialogue | None:
    """Count, and write the number onto the picture."""
    groups = [one for one in scene.item.groups if scene.words.name(one.label)]
    if not groups or not has(scene, "detect", "count", "add_text"):
        return None
    target = scene.target(whole=True)
    if target is None or target.count is None or target.name is None:
        return None
    place = scene.rng.choice(PLACES)
    where = {"where": scene.words.say(f"where.{place}", scene.rng)} if _can(scene, place) else None
    text = scene.say("note.count", **target.slots(scene.bank), **where) if where else None
    if text is None:
        return None
    plot = scene.plot()
    number = plot.call("count", region=plot.find(target))
    written = plot.call(
        "add_text", image=plot.image, text=Found(lambda seen: _number(seen, number)), place=place
    )
    plot.told, plot.shown = [Told(tell="count", ref=number, target=target)], [written]
    plot.counts = {target.label: target.count}
    return told(scene, plot, text, "compose")


def note_code(scene: Scene) -> Dialogue | None:
    """Read a code, and write what it says onto the picture."""
    place = scene.rng.choice(("top", "bottom"))
    if not scene.item.codes or not has(scene, "read_codes", "add_text") or not _can(scene, place):
        return None
    text = scene.say("note.code", where=scene.words.say(f"where.{place}", scene.rng))
    if text is None:
        return None
    plot = scene.plot()
    code = plot.call("read_codes", image=plot.image)
    written = plot.call(
        "add_text", image=plot.image, text=Found(lambda seen: _first(seen, code)), place=place
    )
    plot.told, plot.shown = [Told(tell="code", ref=code)], [written]
    plot.texts = scene.item.codes
    return told(scene, plot, text, "compose")


def add_up(scene: Scene) -> Dialogue | None:
    """Read prices and add them up."""
    slips = [chart for chart in scene.item.item.truth.charts if chart.kind == "receipt"]
    if len(slips) != 1 or not has(scene, "ocr", "calculate"):
        return None
    if (text := scene.say("sum")) is None:
        return None
    plot = scene.plot()
    read = plot.call("ocr", image=plot.image)
    total = plot.call("calculate", expression=Found(lambda seen: _prices(seen, read)))
    plot.told = [Told(tell="sum", ref=total)]
    cents = [round(float(row[1] or 0) * 100) for row in slips[0].table.rows if row[0] != "TOTAL"]
    plot.answers = (Number(sum(cents) / 100, digits=10).describe(),)
    words = scene.words
    return told(scene, plot, text, "reckon", empty=lambda seen: words.say("sum.none", seen.rng))


def where_line(scene: Scene) -> Dialogue | None:
    """Do something with the line that says something."""
    target = line(scene.item, scene.words, scene.rng) if has(scene, "ocr", "select") else None
    wish = BY_KEY[scene.rng.choice(("measure", "box", "blur.part", "erase", "crop"))]
    return None if target is None else _acted(scene, wish, target)


def _acted(scene: Scene, wish: Wish, target: Target) -> Dialogue | None:
    """Do something with what has to be chosen first."""
    if wish.skill not in scene.skills or wish.key not in scene.bank:
        return None
    act = scene.act(wish, target)
    text = scene.clause(act) if act else None
    if act is None or text is None:
        return None
    plot = scene.plot()
    plot.act(act)
    return told(scene, plot, text, "compose")


def colors_chart(scene: Scene) -> Dialogue | None:
    """Draw the colours of a thing as a chart."""
    target = scene.target()
    if target is None or not target.one or not has(scene, "colors", "plot"):
        return None
    if "chart.bar" not in scene.words:
        return None
    kind = scene.rng.choice(("bar", "pie"))
    chart = scene.words.say(f"chart.{kind}", scene.rng)
    text = scene.say("colors.chart", chart=chart, **target.slots(scene.bank))
    if text is None:
        return None
    plot = scene.plot()
    region = plot.find(target)
    table = plot.call("colors", image=plot.image, region=region)
    plot.told = [Told(tell="chart", ref=plot.call("plot", table=table, kind=kind))]
    return told(scene, plot, text, "compose")


def changed(scene: Scene) -> Dialogue | None:
    """Edit, then compare with what it was, or show both."""
    wishes = [one for one in scene.wishes(edits=True) if not one.moves and one.group != "back"]
    shows = scene.rng.random() < 0.5
    skill, key = ("combine", "before.after") if shows else ("compare", "changed")
    act = scene.act(scene.rng.choice(wishes)) if wishes and has(scene, skill) else None
    clause = scene.clause(act, joins=True) if act else None
    end = scene.say(key)
    if act is None or clause is None or end is None:
        return None
    plot = scene.plot()
    before, after = plot.image, plot.act(act)
    if shows:
        plot.shown = [plot.call("combine", image=before, other=after, layout="beside")]
    else:
        plot.told = [Told(tell="changed", ref=plot.call("compare", image=before, other=after))]
    return told(scene, plot, scene.joined([clause, end]), "compose")


def size_after(scene: Scene) -> Dialogue | None:
    """Change the size, then tell it."""
    wishes = [one for one in scene.wishes(edits=True) if one.moves]
    act = scene.act(scene.rng.choice(wishes)) if wishes and has(scene, "image_info") else None
    clause = scene.clause(act, joins=True) if act else None
    end = scene.say("size.after")
    if act is None or clause is None or end is None:
        return None
    plot = scene.plot()
    plot.act(act)
    plot.told = [Told(tell="size", ref=plot.call("image_info", image=plot.image))]
    return told(scene, plot, scene.joined([clause, end]), "compose")


def lines(scene: Scene) -> Dialogue | None:
    """Count the lines of writing."""
    if not scene.item.texts or not has(scene, "ocr", "count"):
        return None
    if (text := scene.say("count.text")) is None:
        return None
    plot = scene.plot()
    read = plot.call("ocr", image=plot.image)
    plot.told = [Told(tell="count", ref=plot.call("count", region=read))]
    return told(scene, plot, text, "compose")


def _can(scene: Scene, place: str) -> bool:
    return f"where.{place}" in scene.words


def _number(seen: Seen, ref: Made) -> str | None:
    value = seen.value(ref)
    return f"{value.value:g}" if isinstance(value, Number) else None


def _first(seen: Seen, ref: Made) -> str | None:
    value = seen.value(ref)
    return value.texts[0] if isinstance(value, TextLines) and value.texts else None


def _prices(seen: Seen, ref: Made) -> str | None:
    """Return the sum of what stands there as prices, without a last one that is their total."""
    value = seen.value(ref)
    assert isinstance(value, TextLines)
    found = [price.replace(",", ".") for text in value.texts for price in _PRICE.findall(text)]
    cents = [round(float(price) * 100) for price in found]
    if len(cents) > 1 and cents[-1] == sum(cents[:-1]):
        found = found[:-1]
    expression = " + ".join(found)
    return expression if len(found) > 1 and len(expression) < _LONGEST else None
